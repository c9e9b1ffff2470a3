//! A socket behind which the daemon is.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};

use drydock_test::Fixture;

/// Passes connections on to the daemon.
#[derive(Debug)]
pub(crate) struct Relay;

impl Relay {
    /// Starts one, for as long as the process runs, and gives its address. Each connection begins with `ask`, whose answer
    /// is kept back.
    pub(crate) fn start(fixture: &Fixture, ask: &'static [u8]) -> String {
        let daemon = std::env::var("DOCKER_HOST").unwrap_or_default();
        let daemon = daemon.strip_prefix("unix://").unwrap_or("/var/run/docker.sock").to_owned();
        let socket = fixture.root().join("relay.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let daemon = UnixStream::connect(&daemon).expect("the daemon takes connections");
                std::thread::spawn(move || between(client, daemon, ask));
            }
        });
        format!("unix://{socket}")
    }
}

fn between(client: UnixStream, mut daemon: UnixStream, ask: &[u8]) {
    daemon.write_all(ask).expect("the daemon listens");
    let mut answer = Vec::new();
    while !ask.is_empty() && !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        daemon.read_exact(&mut byte).expect("the daemon answers");
        answer.push(byte[0]);
    }
    let (from_client, to_client) = (client.try_clone().expect("a handle"), client);
    let (from_daemon, to_daemon) = (daemon.try_clone().expect("a handle"), daemon);
    std::thread::spawn(move || pump(from_client, to_daemon));
    pump(from_daemon, to_client);
}

/// Copies until one side has gone, which is how connections end.
fn pump(mut from: UnixStream, mut to: UnixStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
