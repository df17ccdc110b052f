//! HTTP as it stands on the wire: raw requests, and answers byte for byte.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{PATIENCE, TestDaemon};

/// An answer as it came, without its date.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Its status line and its headers, lower case names.
    pub head: Vec<String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.iter().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    pub fn bytes(&self) -> (&[String], &[u8]) {
        (&self.head, &self.body)
    }
}

/// A link to a server, on which requests are made one after the other.
pub struct HttpLink<S>(pub S);

impl HttpLink<TcpStream> {
    pub async fn dial(daemon: &TestDaemon) -> Self {
        HttpLink(TcpStream::connect(("127.0.0.1", daemon.port())).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> HttpLink<S> {
    /// Sends a request's first line and headers.
    pub async fn send(&mut self, line: &str, headers: &[&str]) {
        let lines = [&[line], headers, &["", ""]].concat();
        self.0.write_all(lines.join("\r\n").as_bytes()).await.unwrap();
    }

    /// The next answer; `None` when there is no other.
    pub async fn answer(&mut self, to_head: bool) -> Option<Answer> {
        let read = tokio::time::timeout(PATIENCE, self.read(to_head));
        read.await.expect("no answer, and no end")
    }

    async fn read(&mut self, to_head: bool) -> Option<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        let lower = |line: &str| match line.split_once(": ") {
            Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
            None => line.to_owned(),
        };
        let lines = head.trim_end().lines().map(lower);
        let head: Vec<String> = lines.filter(|line| !line.starts_with("date: ")).collect();
        let status = head[0].split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        if !to_head && status != 304 {
            answer.body.resize(length, 0);
            self.0.read_exact(&mut answer.body).await.ok()?;
        }
        Some(answer)
    }

    /// Sends a request and waits for its answer.
    pub async fn ask(&mut self, line: &str, headers: &[&str]) -> Answer {
        self.send(line, headers).await;
        self.answer(line.starts_with("HEAD")).await.expect("no answer")
    }

    /// Waits until the server has ended the link, and returns after how long. What comes is dropped.
    pub async fn ended(&mut self) -> Duration {
        let began = tokio::time::Instant::now();
        let mut rest = vec![0; 1 << 16];
        let read = async { while self.0.read(&mut rest).await.is_ok_and(|count| count > 0) {} };
        tokio::time::timeout(PATIENCE, read).await.expect("the link does not end");
        began.elapsed()
    }
}

/// Makes a request on a link of its own; returns that too.
pub async fn ask_on_link(
    daemon: &TestDaemon,
    line: &str,
    headers: &[&str],
) -> (Answer, HttpLink<TcpStream>) {
    let mut link = HttpLink::dial(daemon).await;
    (link.ask(line, headers).await, link)
}

/// Makes a request on a link of its own.
pub async fn ask(daemon: &TestDaemon, line: &str, headers: &[&str]) -> Answer {
    ask_on_link(daemon, line, headers).await.0
}

/// What asks for the WebSocket.
pub const UPGRADE: [&str; 5] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: codeout.1",
];

/// Asks for the WebSocket, with these headers besides.
pub async fn upgrade(daemon: &TestDaemon, headers: &[&str]) -> Answer {
    ask(daemon, "GET /ws HTTP/1.1", &[&UPGRADE, headers].concat()).await
}
