//! Brings the web app into the program: takes a built one where there is one, builds it with Node
//! where its source is, and writes the table of its files.

#![allow(clippy::print_stdout, reason = "it is how a build script speaks to Cargo")]

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The oldest Node that the app's tools run on.
const NODE: (u32, u32) = (20, 19);
/// Names a directory with an app that was built and compressed elsewhere.
const BUILT_APP: &str = "CODEOUT_APP";
/// Tells the compiler where the app is that is taken.
const TAKEN_APP: &str = "CODEOUT_TAKEN_APP";
/// What the app is made of, below `web/`. `node_modules` follows from the lock file.
const SOURCES: [&str; 9] = [
    "src",
    "public",
    "index.html",
    "package-lock.json",
    "vite.config.ts",
    "svelte.config.js",
    "tsconfig.json",
    "scripts/compress.mjs",
    "scripts/budget.mjs",
];

fn main() -> ExitCode {
    match embed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // Each line is an error of its own.
            for line in reason.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn embed() -> Result<(), String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    let app = find(&out)?;
    println!("cargo::rustc-env={TAKEN_APP}={}", app.display());
    let table = table(&app)?;
    fs::write(out.join("app.rs"), table).map_err(|error| format!("the table of files: {error}"))
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|error| format!("{name}: {error}"))
}

/// The directory of the built app.
fn find(out: &Path) -> Result<PathBuf, String> {
    println!("cargo::rerun-if-env-changed={BUILT_APP}");
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let packaged = here.join("web");
    let built = std::env::var_os(BUILT_APP).map(PathBuf::from);
    // The fuzz targets compare what is served with it, and have no use for a large one.
    let fuzzed = || std::env::var_os("CARGO_CFG_FUZZING").map(|_| here.join("../../fuzz/app"));
    if let Some(built) = built.or_else(fuzzed).or_else(|| packaged.is_dir().then_some(packaged)) {
        println!("cargo::rerun-if-changed={}", built.display());
        return match built.join("index.html").is_file() {
            true => Ok(built),
            false => Err(format!("there is no index.html in {}", built.display())),
        };
    }
    let source = here.join("../../web");
    if !source.join("package.json").is_file() {
        return Err(format!(
            "there is neither the source of the web app, web/, nor a built one: set {BUILT_APP} \
             to the directory of one"
        ));
    }
    build(&source, out)
}

/// Builds the app; returns its directory.
fn build(source: &Path, out: &Path) -> Result<PathBuf, String> {
    for name in SOURCES {
        println!("cargo::rerun-if-changed={}", source.join(name).display());
    }
    check_node()?;
    // Held to the end: nobody else may exchange the tools while they run.
    let lock = File::open(source.join("package-lock.json"))
        .and_then(|file| file.lock().map(|()| file))
        .map_err(|error| format!("web/package-lock.json cannot be locked: {error}"))?;
    if !tools_are_there(source) {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund"]);
        run(npm.current_dir(source).env_remove("NODE_ENV"))?;
    }
    let app = out.join("app");
    let mut vite = Command::new("node");
    vite.args(["node_modules/vite/bin/vite.js", "build", "--emptyOutDir", "--outDir"]).arg(&app);
    run(vite.current_dir(source).env("NODE_ENV", "production"))?;
    // The second fails where the app has become too large for a phone.
    for script in ["scripts/compress.mjs", "scripts/budget.mjs"] {
        run(Command::new("node").arg(script).arg(&app).current_dir(source))?;
    }
    drop(lock);
    Ok(app)
}

fn check_node() -> Result<(), String> {
    let (major, minor) = NODE;
    let need = format!(
        "the web app is built with Node.js {major}.{minor} or newer: install it (nodejs.org, or \
         your system's packages), or set {BUILT_APP} to the directory of a built app"
    );
    let Ok(said) = Command::new("node").arg("--version").output() else {
        return Err(format!("there is no `node` on PATH\n{need}"));
    };
    let said = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    let mut numbers = said.trim_start_matches('v').split('.').map_while(|part| part.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(first), Some(second)) if (first, second) >= NODE => Ok(()),
        _ => Err(format!("`node` on PATH is {said}\n{need}")),
    }
}

/// Whether the tools are those of the lock file. npm dates its own copy when it is done.
fn tools_are_there(source: &Path) -> bool {
    let dated = |name| fs::metadata(source.join(name)).and_then(|found| found.modified());
    match (dated("package-lock.json"), dated("node_modules/.package-lock.json")) {
        (Ok(wanted), Ok(installed)) => wanted <= installed,
        _ => false,
    }
}

/// Runs a tool; what it said is told where it failed.
fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let called = format!("{name} {}", words.join(" "));
    let ended = command
        .env("NO_COLOR", "1")
        .output()
        .map_err(|error| format!("cannot run `{called}`: {error}"))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stdout);
    let complained = String::from_utf8_lossy(&ended.stderr);
    Err(format!("in web/, `{called}` failed: {}\n{said}{complained}", ended.status))
}

/// The source of the table of files, the same wherever it is written: places in the source get into
/// what the compiler makes, and a path would move all that come after it by its length.
fn table(app: &Path) -> Result<String, String> {
    let mut paths = Vec::new();
    list(app, &mut paths).map_err(|error| format!("{}: {error}", app.display()))?;
    paths.sort();
    let mut table = "&[\n".to_owned();
    for path in paths {
        let name = path.strip_prefix(app).unwrap_or(&path).to_string_lossy().into_owned();
        let content = fs::read(&path).map_err(|error| format!("{name}: {error}"))?;
        let included = |suffix| {
            let below = format!("/{name}{suffix}");
            format!("include_bytes!(concat!(env!({TAKEN_APP:?}), {below:?}))")
        };
        let beside = |suffix| match app.join(format!("{name}{suffix}")).is_file() {
            true => format!("Some({})", included(suffix)),
            false => "None".to_owned(),
        };
        let _ = writeln!(
            table,
            "File {{ path: {:?}, content_type: {:?}, tag: \"{:016x}\", is_hashed: {}, \
             identity: {}, brotli: {}, gzip: {} }},",
            format!("/{name}"),
            content_type(&name)?,
            hash(&name, &content),
            name.starts_with("assets/"),
            included(""),
            beside(".br"),
            beside(".gz"),
        );
    }
    table.push(']');
    Ok(table)
}

/// The files of the app, without their compressed copies and what tools keep for themselves.
fn list(directory: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            list(&path, found)?;
        } else if !path.extension().is_some_and(|last| last == "br" || last == "gz") {
            found.push(path);
        }
    }
    Ok(())
}

/// Tells versions of a file apart; nothing is proved with it.
fn hash(name: &str, content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, content).hash(&mut hasher);
    hasher.finish()
}

fn content_type(name: &str) -> Result<&'static str, String> {
    Ok(match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => return Err(format!("the app has a file of an unknown kind: {name}")),
    })
}
