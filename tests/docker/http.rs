//! As much HTTP as the tests need.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may think.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By lowercase name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value, empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// `GET path`.
pub(crate) fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    exchange(address, &format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: */*\r\n\r\n"))
}

/// `POST path` with a body of a media type.
pub(crate) fn post(address: SocketAddr, path: &str, kind: &str, body: &str) -> io::Result<Answer> {
    let length = body.len();
    let head = format!("Host: localhost\r\nContent-Type: {kind}\r\nContent-Length: {length}");
    exchange(address, &format!("POST {path} HTTP/1.0\r\n{head}\r\n\r\n{body}"))
}

/// HTTP/1.0: the answer ends where the connection does, and is not chunked.
fn exchange(address: SocketAddr, request: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    parse(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("not an answer: {text:?}")))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Some(Answer { status, headers, body: body.to_owned() })
}
