//! Images and containers, through Docker's own client: a judge that is not us.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::drydock::nonce;
use crate::http::{self, Answer};

/// How long the fastest of a few stops may take that a signal brought about. Most take a third of it; what else a busy
/// machine has to do can make one of them longer, but not what stops a server. Docker waits for ten seconds before it kills.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How many stops there may be until one was fast.
const STOPS: usize = 3;

/// How long a server may take until it answers.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// Between two tries of something that tells nobody when it is ready.
const PAUSE: Duration = Duration::from_millis(50);

/// What `docker` with `arguments` prints. Panics when it fails.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("`docker` is on PATH");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "docker {arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// What `docker` with `arguments` prints, or nothing when it fails: for cleaning up.
pub(crate) fn try_docker(arguments: &[&str]) {
    let _ = Command::new("docker").args(arguments).output();
}

/// The images of a build by target. Their tags are removed with this value.
#[derive(Debug)]
pub(crate) struct Images {
    tags: BTreeMap<String, String>,
}

impl Images {
    pub(crate) fn new(tags: BTreeMap<String, String>) -> Self {
        Self { tags }
    }

    /// The reference of a target's image. Panics when it was not built.
    pub(crate) fn of(&self, target: &str) -> &str {
        self.tags.get(target).unwrap_or_else(|| panic!("`{target}` is not among {:?}", self.tags))
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        for tag in self.tags.values() {
            try_docker(&["image", "rm", "--force", tag]);
        }
    }
}

/// The `Config` of an image.
pub(crate) fn config(image: &str) -> Value {
    let text = docker(&["image", "inspect", "--format", "{{json .Config}}", image]);
    serde_json::from_str(&text).expect("Docker prints JSON")
}

/// What a shell script prints in a container of an image.
pub(crate) fn shell(image: &str, script: &str) -> String {
    docker(&["run", "--rm", "--network", "none", "--entrypoint", "/bin/sh", image, "-c", script])
}

/// A container that runs an image as it is meant to be run. It is removed with this value.
#[derive(Debug)]
pub(crate) struct Container {
    name: String,
    /// The port that it serves, as it is called inside.
    port: u16,
    address: SocketAddr,
}

impl Container {
    /// Starts an image with `port` published on a free port of this machine.
    pub(crate) fn start(image: &str, port: u16) -> Self {
        Self::start_with(image, port, &[])
    }

    /// The same, with further options of `docker run`.
    pub(crate) fn start_with(image: &str, port: u16, options: &[&str]) -> Self {
        let name = format!("drydock-test-{}", nonce());
        let address = "127.0.0.1:0".parse().expect("an address");
        // Made before the container is there, so that one that starts and then fails is removed too.
        let mut container = Self { name, port, address };
        let publish = format!("127.0.0.1::{port}");
        let run = ["run", "--detach", "--name", &container.name, "--publish", &publish];
        docker(&[&run, options, &[image]].concat());
        container.find();
        container
    }

    /// Finds out where the port is published: a start gives another one.
    fn find(&mut self) {
        let published = docker(&["port", &self.name, &self.port.to_string()]);
        self.address = published.lines().next().and_then(|line| line.parse().ok()).expect("a published port");
    }

    /// Waits until `GET path` is answered. Panics with the container's log when it has ended or takes too long.
    pub(crate) fn ready(&self, path: &str) -> Answer {
        let begun = Instant::now();
        loop {
            match http::get(self.address, path) {
                Ok(answer) => return answer,
                Err(error) => {
                    let ended = self.inspect("{{.State.Running}}") != "true";
                    assert!(!ended && begun.elapsed() < READY_WITHIN, "no answer ({error}): {}", self.log());
                }
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// `GET path`.
    pub(crate) fn get(&self, path: &str) -> Answer {
        http::get(self.address, path).unwrap_or_else(|error| panic!("GET {path}: {error}\n{}", self.log()))
    }

    /// `POST path` with a body.
    pub(crate) fn post(&self, path: &str, kind: &str, body: &str) -> Answer {
        http::post(self.address, path, kind, body)
            .unwrap_or_else(|error| panic!("POST {path}: {error}\n{}", self.log()))
    }

    /// What a shell script prints in the running container.
    pub(crate) fn shell(&self, script: &str) -> String {
        docker(&["exec", &self.name, "/bin/sh", "-c", script])
    }

    /// Stops the container, which answers `path`, as an orchestrator would, and gives the exit code. Panics when what runs in
    /// it had to be killed, or does not end at once: when the fastest of a few stops took longer than a second.
    #[track_caller]
    pub(crate) fn stops_at_once(&mut self, path: &str) -> i32 {
        let mut times = Vec::new();
        loop {
            let (time, code) = self.stop();
            times.push(time);
            assert_ne!(code, 137, "it was killed after {times:?}: {}", self.log());
            if time < AT_ONCE {
                return code;
            }
            assert!(times.len() < STOPS, "the stops took {times:?}, exit code {code}: {}", self.log());
            docker(&["start", &self.name]);
            self.find();
            self.ready(path);
        }
    }

    /// Stops the container as an orchestrator would, and gives the time that took and the exit code.
    pub(crate) fn stop(&self) -> (Duration, i32) {
        let begun = Instant::now();
        docker(&["stop", "--time", "20", &self.name]);
        let elapsed = begun.elapsed();
        (elapsed, self.exit_code())
    }

    /// The exit code of a container that has ended.
    pub(crate) fn exit_code(&self) -> i32 {
        self.inspect("{{.State.ExitCode}}").parse().expect("an exit code")
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Waits until its health is `expected`, or for as long as a server may take, and gives what it is then.
    pub(crate) fn health(&self, expected: &str) -> String {
        let begun = Instant::now();
        loop {
            let health = self.inspect("{{.State.Health.Status}}");
            if health == expected || begun.elapsed() > READY_WITHIN {
                return health;
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn inspect(&self, format: &str) -> String {
        docker(&["container", "inspect", "--format", format, &self.name]).trim().to_owned()
    }

    /// Everything that the container wrote.
    pub(crate) fn log(&self) -> String {
        let output = Command::new("docker").args(["logs", &self.name]).output().expect("`docker` is on PATH");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        try_docker(&["rm", "--force", "--volumes", &self.name]);
    }
}
