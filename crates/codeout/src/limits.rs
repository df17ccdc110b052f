//! What the operating system lets this process have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of descriptors that this process may open to what it may raise it to: each
/// connection and each session takes one or two.
pub(crate) fn raise_descriptors() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // macOS says "unlimited" and means this.
    let wanted = maximum.unwrap_or(10_240).min(65_536);
    if current.is_some_and(|current| current < wanted) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
        tracing::debug!(?raised, wanted, "raised the descriptor limit");
    }
}
