//! Clocks, medians, and the report.

use std::time::Duration;

use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

/// CPU time that this thread has used.
pub(crate) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The CPU time that a process has used; `None` where there is no `/proc`.
pub(crate) fn process_cpu(pid: Pid) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The second field is a name, and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()? + ticks()?;
    Some(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).ok()?)
}

/// The memory of a process that is resident, in KiB; `None` where there is no `/proc`.
pub(crate) fn resident(pid: Pid) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// A time in milliseconds.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A time in microseconds.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The median; sorts.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which that part of all lies; sorts.
pub(crate) fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}

#[allow(clippy::print_stderr)] // a benchmark prints
pub(crate) fn complain(text: &str) {
    eprintln!("{text}");
}

/// What is printed; goals are summed up at the end.
#[derive(Default)]
pub(crate) struct Report {
    goals: Vec<String>,
}

#[allow(clippy::print_stdout)] // a benchmark prints
impl Report {
    pub(crate) fn heading(&mut self, text: &str) {
        println!("\n{text}");
    }

    pub(crate) fn line(&mut self, text: &str) {
        println!("  {text}");
    }

    /// A figure that is to be at most `most`; a ratio has no unit.
    pub(crate) fn goal(&mut self, what: &str, value: f64, unit: &str, most: f64) {
        let verdict = if value <= most { "reached" } else { "MISSED" };
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        self.goals.push(format!("{verdict}  {what}: {value:.3}{unit} (at most {most}{unit})"));
    }

    /// A ratio that is to be at least `least`.
    pub(crate) fn goal_at_least(&mut self, what: &str, value: f64, least: f64) {
        let verdict = if value >= least { "reached" } else { "MISSED" };
        self.goals.push(format!("{verdict}  {what}: {value:.2} (at least {least})"));
    }

    pub(crate) fn finish(self) {
        println!("\ngoals");
        for goal in self.goals {
            println!("  {goal}");
        }
    }
}
