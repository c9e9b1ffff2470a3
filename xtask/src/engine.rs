//! A Docker daemon that answers, and the client program that talks to it.

use std::env;
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::host;
use crate::state::StateDir;

/// How long a daemon may take to answer a request that does no work.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A daemon that answered, and how to reach it.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    /// The value for `DOCKER_HOST`.
    pub(crate) host: String,
    /// Whether it is the one under the state folder, not the machine's own.
    pub(crate) ours: bool,
    /// A folder with a `docker` client for our own daemon; put first on `PATH`.
    pub(crate) bin: Option<PathBuf>,
}

impl Engine {
    /// `docker` with the daemon's address set, ready for arguments.
    pub(crate) fn docker(&self) -> Command {
        let program = self.bin.as_ref().map_or_else(|| "docker".into(), |bin| bin.join("docker"));
        let mut command = Command::new(program);
        self.set_environment(&mut command);
        command
    }

    /// Makes `command` and its children talk to this daemon.
    pub(crate) fn set_environment(&self, command: &mut Command) {
        command.env("DOCKER_HOST", &self.host).env_remove("DOCKER_CONTEXT");
        if let Some(path) = self.search_path() {
            command.env("PATH", path);
        }
    }

    fn search_path(&self) -> Option<OsString> {
        let bin = self.bin.clone()?;
        let rest = env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(bin).chain(env::split_paths(&rest));
        Some(env::join_paths(folders).expect("the state folder's path holds no colon, see StateDir"))
    }

    /// The daemon's version, as it tells it.
    pub(crate) fn version(&self) -> Result<String> {
        let body = request(&self.host, "/version")?.body;
        let json: serde_json::Value = serde_json::from_str(&body)?;
        Ok(json["Version"].as_str().context("the daemon's answer has no version")?.to_owned())
    }

    /// A daemon of the machine that answers: `DOCKER_HOST`, the system's or the user's socket, or
    /// the client's current context.
    pub(crate) fn of_machine(state: &StateDir) -> Option<Self> {
        let own = own_host(state);
        let set = env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        let user = env::var("XDG_RUNTIME_DIR").map(|dir| format!("unix://{dir}/docker.sock")).ok();
        let found = set
            .into_iter()
            .chain(["unix:///var/run/docker.sock".to_owned()])
            .chain(user)
            .filter(|host| *host != own)
            .find(|host| answers(host))
            .or_else(|| current_context().filter(|host| *host != own && answers(host)))?;
        Some(Self { host: found, ours: false, bin: None })
    }

    /// Our own daemon under the state folder, when it answers.
    pub(crate) fn own(state: &StateDir) -> Option<Self> {
        let host = own_host(state);
        answers(&host).then(|| Self { host, ours: true, bin: Some(state.join("bin")) })
    }

    /// The machine's daemon, else our own, else an error that says how to get one.
    pub(crate) fn find(state: &StateDir) -> Result<Self> {
        Self::of_machine(state)
            .or_else(|| Self::own(state))
            .context("no Docker daemon answers; `cargo xtask daemon up` starts one")
    }
}

/// The address of our own daemon's socket.
pub(crate) fn own_host(state: &StateDir) -> String {
    format!("unix://{}", state.join("docker.sock").display())
}

/// Whether a daemon answers at `host`.
pub(crate) fn answers(host: &str) -> bool {
    match request(host, "/_ping") {
        Ok(response) => response.status == 200,
        Err(_) => false,
    }
}

/// The endpoint of the client's current context (Docker Desktop, Colima, a remote one).
fn current_context() -> Option<String> {
    host::find("docker")?;
    let mut command = Command::new("docker");
    command.env_remove("DOCKER_HOST");
    command.args(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]);
    let host = host::run_quiet(&mut command).ok()?.trim().to_owned();
    (!host.is_empty()).then_some(host)
}

/// An HTTP answer of the daemon.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// `GET path` over the daemon's socket. Enough HTTP for answers that fit in memory.
pub(crate) fn request(host: &str, path: &str) -> Result<Response> {
    // HTTP/1.0: the daemon closes the connection at the end of the body and sends it unchunked.
    let request = format!("GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n");
    let mut answer = Vec::new();
    if let Some(socket) = host.strip_prefix("unix://") {
        let mut stream = UnixStream::connect(Path::new(socket))?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.write_all(request.as_bytes())?;
        stream.read_to_end(&mut answer)?;
    } else if let Some(address) = host.strip_prefix("tcp://") {
        let address = address.to_socket_addrs()?.next().context("the address resolves to nothing")?;
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.write_all(request.as_bytes())?;
        stream.read_to_end(&mut answer)?;
    } else {
        bail!("`{host}` is neither a Unix nor a TCP address");
    }
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is not HTTP")?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Response { status: status.context("the answer has no status")?, body: body.to_owned() })
}

/// `GET path` of an HTTP server on a loopback port.
pub(crate) fn http_get(port: u16, path: &str) -> Result<Response> {
    request(&format!("tcp://127.0.0.1:{port}"), path)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers one request with `answer`, and gives back its first line.
    fn serve(answer: &'static str) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("tcp://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            stream.write_all(answer.as_bytes()).unwrap();
            first
        });
        (host, server)
    }

    #[test]
    fn an_answer_is_taken_apart() {
        let (host, server) = serve("HTTP/1.0 404 Not Found\r\nContent-Type: text/plain\r\n\r\nnothing\n");
        let response = request(&host, "/there").unwrap();
        assert_eq!((response.status, response.body.as_str()), (404, "nothing\n"));
        assert_eq!(server.join().unwrap(), "GET /there HTTP/1.0");
    }

    #[test]
    fn only_a_daemon_that_is_well_answers() {
        let (host, server) = serve("HTTP/1.0 200 OK\r\n\r\nOK");
        assert!(answers(&host));
        assert_eq!(server.join().unwrap(), "GET /_ping HTTP/1.0");
        let (host, server) = serve("HTTP/1.0 500 Internal Server Error\r\n\r\n");
        assert!(!answers(&host));
        server.join().unwrap();
        assert!(!answers("unix:///nowhere/docker.sock"));
        assert!(!answers("ssh://example.org"));
    }
}
