//! Gives memory that was freed back to the system. An allocator keeps it otherwise: blocks that are
//! smaller than its own threshold lie between others that are in use.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What is freed within so long is given back in one go.
const TOGETHER: Duration = Duration::from_secs(1);

/// Gives back soon what has been freed by then. Called on a runtime.
pub(crate) fn soon() {
    static DUE: AtomicBool = AtomicBool::new(false);
    if DUE.swap(true, Ordering::Relaxed) {
        return;
    }
    tokio::spawn(async {
        tokio::time::sleep(TOGETHER).await;
        DUE.store(false, Ordering::Relaxed);
        // It walks all that is free: away from those that read terminals.
        let _ = tokio::task::spawn_blocking(now).await;
    });
}

/// Nothing where the allocator is not glibc's.
fn now() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "no library calls it for us")]
    // SAFETY: it takes no pointer, and any thread may call it at any time (malloc_trim(3), MT-Safe).
    unsafe {
        libc::malloc_trim(0);
    }
}
