//! Why a command failed: a sentence, what to do next, and an exit code for scripts.

use std::process::ExitCode;

/// What a script may want to tell apart. `cli.rs` lists them for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    Other = 1,
    Usage = 2,
    Unreachable = 10,
    NotCodeout = 11,
    Pairing = 12,
    NotPaired = 13,
    WrongKey = 14,
    NotFound = 15,
    Taken = 16,
    BrokenFile = 17,
    TooManyAttempts = 18,
    Cut = 19,
    NoSession = 20,
    SessionsRun = 21,
}

impl Code {
    const ALL: [Code; 14] = [
        Code::Other,
        Code::Usage,
        Code::Unreachable,
        Code::NotCodeout,
        Code::Pairing,
        Code::NotPaired,
        Code::WrongKey,
        Code::NotFound,
        Code::Taken,
        Code::BrokenFile,
        Code::TooManyAttempts,
        Code::Cut,
        Code::NoSession,
        Code::SessionsRun,
    ];

    /// What another codeout has ended with.
    pub(crate) fn of(status: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as u8 == status)
    }
}

/// A failed command: `error` says what is wrong, `hint` what to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) error: String,
    pub(crate) hint: Option<String>,
    pub(crate) code: Code,
}

impl Failure {
    pub(crate) fn new(code: Code, error: impl Into<String>) -> Self {
        Failure { error: error.into(), hint: None, code }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        ExitCode::from(code as u8)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::new(Code::Other, error.to_string())
    }
}
