//! Somebody who types into a session, and looks how long each echo takes.

use std::time::{Duration, Instant};

use codeout_device::{Attachment, Connection, SessionOutput};
use codeout_protocol::message::SessionId;

use crate::sessions;

/// Types into a session of its own.
pub(crate) struct Typist {
    pub(crate) session: SessionId,
    attachment: Attachment,
    // Behind the attachment: dropped, it is cut.
    _connection: Connection,
}

impl Typist {
    pub(crate) async fn start(connection: Connection) -> Typist {
        let session = sessions::open(&connection, "typed", "printf READY; exec cat").await;
        let mut attachment = sessions::attach(&connection, session, Some(1)).await;
        let mut shown = Vec::new();
        while !shown.windows(5).any(|window| window == b"READY") {
            if let SessionOutput::Bytes(bytes) = attachment.read().await.expect("it runs") {
                shown.extend_from_slice(&bytes);
            }
        }
        Typist { session, attachment, _connection: connection }
    }

    /// From a key to its echo.
    pub(crate) async fn key(&mut self, key: u8) -> Duration {
        let begun = Instant::now();
        self.attachment.write_input(&[key]).await.expect("it is typed");
        loop {
            if let SessionOutput::Bytes(bytes) = self.attachment.read().await.expect("it runs")
                && bytes.contains(&key)
            {
                return begun.elapsed();
            }
        }
    }
}
