//! `prune` writes a workspace of its own: npm installs it, its packages build, and it starts, without Docker; and its image
//! is built from it alone.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use drydock_test::Fixture;

use crate::docker::{Container, Images, docker};
use crate::drydock::{nonce, run};
use crate::http;
use crate::registry::Registry;

/// How long the server may take until it answers.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

#[test]
fn a_pruned_workspace_installs_builds_and_starts() {
    let fixture = Fixture::example("chat");
    let place = Fixture::empty();
    let out = prune(&fixture, &place, &["@chat/api-server"]);
    assert!(!out.join("client").exists() && !out.join("packages/client").exists(), "the server depends on neither");

    npm(&out, &["ci"]);
    for package in ["@chat/data-provider", "@chat/data-schemas", "@chat/api"] {
        npm(&out, &["run", "build", "--workspace", package]);
    }
    npm(&out, &["test", "--workspace", "@chat/api"]);
    let server = Server::start(&out.join("api"));
    assert_eq!(server.get("/health"), r#"{"status":"ok"}"#);
    assert!(server.get("/api/config").contains(r#""version":"0.4.0""#));
}

#[test]
fn a_pruned_workspace_for_production_installs_nothing_that_only_development_needs() {
    let fixture = Fixture::example("chat");
    let place = Fixture::empty();
    let out = prune(&fixture, &place, &["api", "--production"]);
    npm(&out, &["ci"]);
    assert!(out.join("node_modules/express/package.json").exists());
    for name in ["typescript", "prettier", "vite", "tailwindcss"] {
        assert!(!out.join("node_modules").join(name).exists(), "{name} is installed");
    }
    // npm's own word on what is there: nothing is missing, nothing too much.
    npm(&out, &["ls", "--all"]);
}

#[test]
fn the_image_of_a_target_is_built_from_its_pruned_workspace_on_the_pinned_base() {
    let (fixture, place, registry) = (Fixture::example("chat"), Fixture::empty(), Registry::start(None));
    let base = format!("{}/node:22-bookworm-slim", registry.host);
    let tag = format!("drydock-test/pruned:{}", nonce());
    let _images = Images::new([&base, &tag].map(|tag| (tag.clone(), tag.clone())).into());
    docker(&["tag", "node:22-bookworm-slim", &base]);
    docker(&["push", "--quiet", &base]);
    let configuration = format!("[workspace]\nimage = \"{base}\"\n\n{}", fixture.read("drydock.toml"));
    fixture.write("drydock.toml", &configuration);
    run(&fixture, &["pin"], 0);

    let out = prune(&fixture, &place, &["api"]);
    let dockerfile = run(&fixture, &["dockerfile", "--root", out.as_str()], 0).stdout;
    let pinned = format!("FROM {base}@{} AS base\n", registry.digest("node", "22-bookworm-slim"));
    assert!(dockerfile.contains(&pinned), "{dockerfile}");
    run(&fixture, &["build", "--root", out.as_str(), "--force", "--tag", &tag], 0);
    let container = Container::start(&tag, 3080);
    assert!(container.ready("/health").body.contains("ok"));
    // The front end, which is built there too.
    assert!(container.get("/").body.contains("id=\"log\""));
}

/// `drydock prune ARGUMENTS --out OUT`.
fn prune(fixture: &Fixture, place: &Fixture, arguments: &[&str]) -> Utf8PathBuf {
    let out = place.root().join("out");
    run(fixture, &[&["prune", "--out", out.as_str()], arguments].concat(), 0);
    out
}

/// Runs npm in a folder. Panics when it fails.
fn npm(folder: &Utf8Path, arguments: &[&str]) {
    let output = Command::new("npm").args(arguments).current_dir(folder).output().expect("`npm` is on PATH");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "npm {arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
}

/// `node server/index.js`, ended with this value.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(folder: &Utf8Path) -> Self {
        // Free a moment ago, and the system does not hand out the same one again at once.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        drop(listener);
        let process = Command::new("node")
            .arg(Path::new("server/index.js"))
            .current_dir(folder)
            .env("PORT", address.port().to_string())
            .stdout(Stdio::null())
            .spawn()
            .expect("`node` is on PATH");
        Self { process, address }
    }

    /// The body of the answer, once there is one.
    fn get(&self, path: &str) -> String {
        let begun = Instant::now();
        loop {
            match http::get(self.address, path) {
                Ok(answer) => return answer.body,
                Err(error) => assert!(begun.elapsed() < READY_WITHIN, "no answer: {error}"),
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
