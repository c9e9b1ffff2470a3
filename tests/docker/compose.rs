//! What `compose` writes, run by Docker's own Compose.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use drydock_test::Fixture;
use serde_json::Value;

use crate::docker::try_docker;
use crate::drydock::{nonce, run};
use crate::http::{self, Answer};

/// More than an edit needs to get into a container and to be seen there, an image built on the way included.
const SEEN_WITHIN: Duration = Duration::from_mins(3);

/// A port of this machine that nobody else has at the moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// A project of Compose. It is taken down with this value, its images and volumes too.
struct Project<'f> {
    fixture: &'f Fixture,
    file: &'static str,
    name: String,
    tag: String,
    watcher: Option<Child>,
}

impl<'f> Project<'f> {
    /// Writes the Compose file with these arguments, and images that nobody else has.
    fn write(fixture: &'f Fixture, file: &'static str, arguments: &[&str]) -> Self {
        let tag = nonce();
        let template = format!("drydock-test/{{target}}:{tag}");
        run(fixture, &[&["compose", "--out", file, "--tag", &template], arguments].concat(), 0);
        let project = Self { fixture, file, name: format!("drydock-test-{tag}"), tag, watcher: None };
        // The outside judge of the file.
        project.compose(&["config", "--quiet"]);
        project
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = client();
        command.args(["--project-name", &self.name, "--file", self.file, "--ansi", "never"]);
        command.args(arguments).current_dir(self.fixture.root());
        command
    }

    /// What Compose prints. Panics when it fails.
    fn compose(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("Compose runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Starts what brings edits into containers. What it says goes to a file of the fixture.
    fn watch(&mut self) {
        let log = fs_err::File::create(self.fixture.root().join("watch.log")).expect("a file can be made");
        let (out, err) = (log.try_clone().expect("a handle"), log);
        let mut command = self.command(&["--progress", "plain", "watch", "--no-up"]);
        let child = command.stdin(Stdio::null()).stdout(out.into_parts().0).stderr(err.into_parts().0).spawn();
        self.watcher = Some(child.expect("Compose runs"));
        self.wait("the watcher", || self.said().contains("Watch enabled").then_some(()));
    }

    /// What the watcher said.
    fn said(&self) -> String {
        fs_err::read_to_string(self.fixture.root().join("watch.log")).unwrap_or_default()
    }

    /// Waits until `GET path` has `word` in its answer.
    fn answers(&self, port: u16, path: &str, word: &str) -> Answer {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        self.wait(&format!("{word} in {path}"), || {
            http::get(address, path).ok().filter(|answer| answer.body.contains(word))
        })
    }

    fn wait<T>(&self, what: &str, mut is: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = is() {
                return found;
            }
            let late = begun.elapsed() > SEEN_WITHIN;
            assert!(!late, "no {what}: {}\n{}", self.said(), self.compose(&["logs", "--no-color"]));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn container(&self, service: &str) -> String {
        self.compose(&["ps", "--quiet", service]).trim().to_owned()
    }
}

impl Drop for Project<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.watcher.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = self.command(&["down", "--volumes", "--timeout", "2"]).output();
        let listed = Command::new("docker").args(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).output();
        let listed = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        for image in listed.lines().filter(|image| image.ends_with(&self.tag)) {
            try_docker(&["image", "rm", "--force", image]);
        }
    }
}

/// The socket over which Vite tells a page what changed.
struct Socket(TcpStream);

impl Socket {
    fn open(port: u16) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        stream.set_read_timeout(Some(SEEN_WITHIN)).expect("a time");
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZHJ5ZG9jay1kcnlkb2NrIQ==\r\n\
             Sec-WebSocket-Protocol: vite-hmr\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("it takes a request");
        let mut socket = Self(stream);
        let answer = socket.hears("\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        socket
    }

    /// What comes until `word` has come. Panics when it does not.
    fn hears(&mut self, word: &str) -> String {
        let mut heard = Vec::new();
        let mut part = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&heard).into_owned();
            if text.contains(word) {
                return text;
            }
            let count = self.0.read(&mut part).unwrap_or_else(|error| panic!("{word}: {error}: {text}"));
            assert!(count > 0, "{word} did not come: {text}");
            heard.extend(&part[..count]);
        }
    }
}

/// Compose as a plugin of the client, or as a program of its own. Panics when it is neither: no test is skipped.
fn client() -> Command {
    let works = |command: &mut Command| command.arg("version").output().is_ok_and(|output| output.status.success());
    let plugin = || {
        let mut command = Command::new("docker");
        command.arg("compose");
        command
    };
    if works(&mut plugin()) {
        return plugin();
    }
    assert!(works(&mut Command::new("docker-compose")), "Compose is not there; `cargo xtask daemon up` fetches it");
    Command::new("docker-compose")
}

#[test]
fn what_is_shipped_is_built_and_waited_for() {
    let fixture = Fixture::example("chat");
    let port = free_port();
    fixture.edit(
        "drydock.toml",
        "port = 3080",
        &format!("port = 3080\nhealthcheck = {{ path = \"/health\", interval = 1 }}\ncompose = {{ port = {port} }}"),
    );
    let project = Project::write(&fixture, "compose.yaml", &[]);
    let config: Value = serde_json::from_str(&project.compose(&["config", "--format", "json"])).expect("JSON");
    let service = &config["services"]["api"];
    assert_eq!(config["services"].as_object().map(serde_json::Map::len), Some(1), "{config}");
    assert_eq!(service["ports"][0]["published"], port.to_string(), "{service}");
    assert_eq!(service["build"]["context"], fixture.root().as_str(), "{service}");

    project.compose(&["up", "--build", "--wait", "--wait-timeout", "120"]);
    // It is healthy by its own word, not only started.
    let inspect = ["inspect", "--format", "{{.State.Health.Status}}", &project.container("api")].map(str::to_owned);
    let health = crate::docker::docker(&inspect.each_ref().map(String::as_str));
    assert_eq!(health.trim(), "healthy");
    assert!(project.answers(port, "/health", "ok").body.contains("ok"));
    assert!(project.answers(port, "/", "id=\"log\"").body.contains("<html"));
}

#[test]
fn edits_of_a_service_that_is_developed_get_into_its_container() {
    let fixture = Fixture::example("chat");
    let port = free_port();
    fixture.edit("drydock.toml", "port = 3080", &format!("port = 3080\ncompose = {{ port = {port} }}"));
    let mut project = Project::write(&fixture, "compose.dev.yaml", &["--dev"]);
    project.compose(&["up", "--build", "--wait", "--wait-timeout", "120"]);
    project.answers(port, "/health", "ok");
    let first = project.container("api");
    project.watch();

    // A source, which Node itself sees; and one that nobody had when the file was written.
    fixture.write("api/server/words.js", "export const words = 'nothing to see here';\n");
    fixture.edit("api/server/index.js", "'no such endpoint'", "words");
    fixture.edit(
        "api/server/index.js",
        "import express from",
        "import { words } from './words.js';\nimport express from",
    );
    project.answers(port, "/api/nowhere", "nothing to see here");
    assert_eq!(project.container("api"), first, "no container was made anew: {}", project.said());

    // What is built before it is used makes another image.
    fixture.edit("packages/api/src/index.ts", "You said", "You wrote");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    project.wait("answer of the new build", || {
        let answer = http::post(address, "/api/messages", "application/json", r#"{"text":"hello"}"#).ok()?;
        answer.body.contains("You wrote").then_some(())
    });
    assert_ne!(project.container("api"), first);
    // And nothing of what was copied before is lost.
    project.answers(port, "/api/nowhere", "nothing to see here");
}

#[test]
fn a_site_and_its_backend_are_developed_beside_each_other() {
    let fixture = Fixture::example("rag");
    let (backend, frontend) = (free_port(), free_port());
    fixture.write(
        "drydock.toml",
        &format!(
            "[target.backend]\ncompose = {{ port = {backend} }}\n\
             [target.frontend]\ncompose = {{ port = {frontend}, depends-on = [\"backend\"] }}\n"
        ),
    );
    let mut project = Project::write(&fixture, "compose.dev.yaml", &["backend", "frontend", "--dev"]);
    project.compose(&["up", "--build", "--wait", "--wait-timeout", "120"]);
    project.answers(frontend, "/", "@vite/client");
    project.answers(backend, "/", "server up");
    project.watch();
    // Vite serves it at once, and tells the browser over a socket on the same port; what the backend runs must be
    // compiled, which its start does.
    let mut socket = Socket::open(frontend);
    fixture.edit("src/frontend/index.html", "</head>", "<meta name=\"edited\"></head>");
    project.answers(frontend, "/", "edited");
    socket.hears("full-reload");
    fixture.edit("src/backend/src/app.ts", "server up", "server up again");
    project.answers(backend, "/", "server up again");
}

#[test]
fn a_site_is_served_by_nginx_with_the_image_to_develop_it_in_beside_it() {
    let fixture = Fixture::example("rag");
    let (shipped, developed) = (free_port(), free_port());
    fixture.write("drydock.toml", &format!("[target.frontend]\ncompose.port = {shipped}\n"));
    let project = Project::write(&fixture, "compose.yaml", &["frontend", "frontend-dev"]);
    // The other's own port may be taken here.
    let text = fixture.read("compose.yaml");
    fixture.write("compose.yaml", &text.replace("\"8000:8000\"", &format!("\"{developed}:8000\"")));
    project.compose(&["up", "--build", "--wait", "--wait-timeout", "120"]);
    let page = project.answers(shipped, "/a/link/into/the/site", "<ask-form");
    assert!(!page.body.contains("@vite/client"), "{page:?}");
    project.answers(developed, "/", "@vite/client");
}

/// A copy of an example that the user of an image may write to, whoever owns it: what it compiles goes beside the sources.
fn shared(example: &str) -> Fixture {
    let fixture = Fixture::example(example);
    let status = Command::new("chmod").args(["-R", "a+rwX", fixture.root().as_str()]).status();
    assert!(status.expect("`chmod` is on PATH").success());
    fixture
}

#[test]
fn sources_that_are_mounted_are_served_with_the_packages_of_the_image() {
    let fixture = shared("rag");
    let (backend, frontend) = (free_port(), free_port());
    fixture.write(
        "drydock.toml",
        &format!("[target.backend]\ncompose.port = {backend}\n[target.frontend]\ncompose.port = {frontend}\n"),
    );
    let arguments = ["backend", "frontend", "--dev", "--mount"];
    let mut project = Project::write(&fixture, "compose.dev.yaml", &arguments);
    project.compose(&["up", "--build", "--wait", "--wait-timeout", "120"]);
    project.answers(frontend, "/", "@vite/client");
    project.answers(backend, "/", "server up");
    let first = project.container("backend");
    // Nobody has to carry anything into the container.
    fixture.edit("src/frontend/index.html", "</head>", "<meta name=\"edited\"></head>");
    project.answers(frontend, "/", "edited");
    fixture.write("src/frontend/public/new.txt", "nobody had it before\n");
    project.answers(frontend, "/new.txt", "nobody had it before");
    // What does not see edits is only started again.
    project.watch();
    fixture.edit("src/backend/src/app.ts", "server up", "server up again");
    project.answers(backend, "/", "server up again");
    assert_eq!(project.container("backend"), first, "no container was made anew: {}", project.said());
    // What it compiled is beside the sources; of what is installed, nothing is.
    assert!(fixture.read("src/backend/dist/app.js").contains("server up again"));
    for folder in ["src/backend/node_modules", "src/frontend/node_modules"] {
        let entries = fs_err::read_dir(fixture.root().join(folder)).expect("what volumes are mounted on");
        assert_eq!(entries.count(), 0, "{folder}");
    }
    assert!(!fixture.root().join("node_modules").exists());
}

#[test]
fn a_mounted_service_uses_what_the_image_built_of_other_packages() {
    let fixture = shared("chat");
    let port = free_port();
    fixture.edit("drydock.toml", "port = 3080", &format!("port = 3080\ncompose.port = {port}"));
    let project = Project::write(&fixture, "compose.dev.yaml", &["--dev", "--mount"]);
    project.compose(&["up", "--build", "--wait", "--wait-timeout", "120"]);
    project.answers(port, "/health", "ok");
    fixture.edit("api/server/index.js", "no such endpoint", "nothing to see here");
    project.answers(port, "/api/nowhere", "nothing to see here");
    assert!(!fixture.root().join("packages/api/dist").exists(), "what the image built is not here");
}
