//! Entries of devices and sessions, as they are written and as they are read.

use serde_json::{Value, json};

use crate::message::*;

pub(super) fn device_entry() -> (Value, DeviceEntry) {
    let json = json!({
        "id": "K7QM3FBR", "name": "Pixel 9", "paired_at": 1_790_000_000, "connected": true,
        "unfinished": false, "watch_only": false, "this": true,
    });
    let entry = DeviceEntry {
        id: "K7QM3FBR".into(),
        name: "Pixel 9".into(),
        paired_at: 1_790_000_000,
        last_seen: None,
        connected: true,
        unfinished: false,
        limits: Limits::default(),
        this: true,
    };
    (json, entry)
}

/// A device that has everything.
pub(super) fn limited_entry() -> (Value, DeviceEntry) {
    let json = json!({
        "id": "9TZXK7QM", "name": "iPad", "paired_at": 1_790_000_000,
        "last_seen": 1_790_000_100, "connected": false, "unfinished": true, "watch_only": true,
        "expires_at": 1_790_007_200, "this": false,
    });
    let entry = DeviceEntry {
        id: "9TZXK7QM".into(),
        name: "iPad".into(),
        paired_at: 1_790_000_000,
        last_seen: Some(1_790_000_100),
        connected: false,
        unfinished: true,
        limits: Limits { watch_only: true, expires_at: Some(1_790_007_200) },
        this: false,
    };
    (json, entry)
}

/// A session that has everything.
pub(super) fn session_entry() -> (Value, SessionEntry) {
    let json = json!({
        "session": 7, "name": "api", "program": "make watch", "directory": "/srv/api",
        "columns": 80, "rows": 24, "size_by": "laptop", "opened_at": 1_790_000_000,
        "last_output_at": 1_790_000_050, "title": "make", "last_line": "$", "watching": 2,
        "watchers": ["laptop", "phone"],
        "attention": {
            "at": 1_790_000_060, "reason": "notification", "title": "make", "text": "done",
        },
        "ended": {"at": 1_790_000_070, "exit": 2},
    });
    let entry = SessionEntry {
        session: 7,
        name: "api".into(),
        program: "make watch".into(),
        directory: "/srv/api".into(),
        columns: 80,
        rows: 24,
        size_by: Some("laptop".into()),
        opened_at: 1_790_000_000,
        last_output_at: Some(1_790_000_050),
        title: Some("make".into()),
        last_line: Some("$".into()),
        watching: 2,
        watchers: vec!["laptop".into(), "phone".into()],
        attention: Some(Attention {
            at: 1_790_000_060,
            reason: AttentionReason::Notification,
            title: Some("make".into()),
            text: Some("done".into()),
        }),
        ended: Some(Ended { at: 1_790_000_070, status: ExitStatus::Exit(2) }),
    };
    (json, entry)
}

/// A session that has nothing that may be left out.
pub(super) fn bare_entry() -> (Value, SessionEntry) {
    let json = json!({
        "session": 8, "name": "sh", "program": "sh", "directory": "/", "columns": 1,
        "rows": 2000, "opened_at": 3, "watching": 0,
    });
    let entry = SessionEntry {
        session: 8,
        name: "sh".into(),
        program: "sh".into(),
        directory: "/".into(),
        columns: 1,
        rows: 2000,
        size_by: None,
        opened_at: 3,
        last_output_at: None,
        title: None,
        last_line: None,
        watching: 0,
        watchers: vec![],
        attention: None,
        ended: None,
    };
    (json, entry)
}
