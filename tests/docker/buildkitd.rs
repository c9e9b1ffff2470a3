//! A `buildkitd` of BuildKit's own release, without Docker beside it. Its program is the file that `DRYDOCK_BUILDKITD`
//! names; `cargo xtask daemon check --buildkitd FILE` runs these tests.

use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use drydock_test::Fixture;
use serde_json::{Value, json};

use crate::docker::{Container, Images, docker, try_docker};
use crate::drydock::{Said, drydock, nonce, run};
use crate::registry::Registry;

/// How long it may take until it answers.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// A daemon with a folder of its own. It is stopped with this value.
struct Buildkitd {
    process: Child,
    folder: Fixture,
}

impl Buildkitd {
    /// Starts one that takes Docker Hub's images from a registry.
    fn start(registry: &Registry) -> Self {
        let program = std::env::var_os("DRYDOCK_BUILDKITD").expect("`DRYDOCK_BUILDKITD` names the program");
        let (folder, host) = (Fixture::empty(), &registry.host);
        let root = folder.root();
        let settings = format!(
            "root = \"{root}/root\"\n[grpc]\naddress = [\"unix://{root}/socket\"]\n[registry.\"docker.io\"]\n\
             mirrors = [\"{host}\"]\n[registry.\"{host}\"]\nhttp = true\n[worker.containerd]\nenabled = false\n"
        );
        folder.write("buildkitd.toml", &settings);
        let log = fs_err::File::create(root.join("log")).expect("a new file").into_parts().0;
        let mut command = Command::new(program);
        command.arg("--config").arg(root.join("buildkitd.toml")).args(["--oci-worker-net", "host"]);
        let process = command.stderr(log).spawn().expect("`DRYDOCK_BUILDKITD` runs");
        let daemon = Self { process, folder };
        let begun = Instant::now();
        while UnixStream::connect(daemon.folder.root().join("socket")).is_err() {
            assert!(begun.elapsed() < READY_WITHIN, "buildkitd does not answer: {}", daemon.folder.read("log"));
            std::thread::yield_now();
        }
        daemon
    }

    fn address(&self) -> String {
        format!("unix://{}/socket", self.folder.root())
    }

    /// `drydock build api` on it, for a tag in the registry; the daemon of the other tests is out of its sight.
    fn build(&self, fixture: &Fixture, tag: &str, code: i32) -> Vec<Value> {
        self.build_with(fixture, tag, &[], code)
    }

    /// The same with further arguments.
    fn build_with(&self, fixture: &Fixture, tag: &str, more: &[&str], code: i32) -> Vec<Value> {
        let builder = self.address();
        let arguments = ["build", "api", "--builder", &builder, "--tag", tag, "--push", "--force", "--format", "json"];
        let arguments = [&arguments, more].concat();
        let mut command = drydock(fixture, &arguments);
        let output = command.env("DOCKER_HOST", "unix:///nowhere").output().expect("the binary runs");
        let said = Said::of(&output, &arguments, code);
        said.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect()
    }
}

impl Drop for Buildkitd {
    fn drop(&mut self) {
        // It unmounts what it mounted.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// Puts the images that a fixture's Dockerfile begins with into the registry, as Docker Hub has them.
fn provide(registry: &Registry, fixture: &Fixture) {
    let dockerfile = run(fixture, &["dockerfile"], 0).stdout;
    let bases = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")?.split(' ').next());
    for base in bases.filter(|base| base.contains(':')) {
        let copy = format!("{}/library/{base}", registry.host);
        docker(&["tag", base, &copy]);
        docker(&["push", "--quiet", &copy]);
        try_docker(&["image", "rm", &copy]);
    }
}

fn finished(lines: &[Value]) -> &Value {
    lines.iter().find(|line| line["reason"] == "target-finished").expect("the target ends")
}

#[test]
fn chat_is_built_pushed_and_starts() {
    let (registry, fixture) = (Registry::start(None), Fixture::example("chat"));
    provide(&registry, &fixture);
    let daemon = Buildkitd::start(&registry);
    let tag = format!("{}/chat/api:1", registry.host);

    let first = daemon.build(&fixture, &tag, 0);
    assert_eq!(finished(&first)["result"], "built", "{first:?}");
    assert_eq!(registry.tags().iter().filter(|tag| tag.starts_with("chat/")).collect::<Vec<_>>(), ["chat/api:1"]);
    let _images = Images::new([("api".to_owned(), tag.clone())].into());
    docker(&["pull", "--quiet", &tag]);
    let container = Container::start(&tag, 3080);
    assert!(container.ready("/health").body.contains("ok"));

    // Nothing changed: nothing runs, nothing is sent, and the image is the same.
    let digest = registry.manifest("chat/api", "1");
    let second = daemon.build(&fixture, &tag, 0);
    let summary = second.iter().find(|line| line["reason"] == "build-finished").expect("a build tells its end");
    assert_eq!(summary["sent_files"], 0, "{summary}");
    let ran = second.iter().filter(|line| line["reason"] == "step-finished" && line["cached"] == false);
    let ran: Vec<&Value> =
        ran.filter(|line| line["instruction"].as_str().unwrap_or_default().starts_with("RUN ")).collect();
    assert!(ran.is_empty(), "{ran:?}");
    assert_eq!(registry.manifest("chat/api", "1"), digest);

    // The images are attested, though they are pushed after all was built.
    let attested = format!("{}/chat/api:attested", registry.host);
    daemon.build_with(&fixture, &attested, &["--provenance=mode=max"], 0);
    let index = registry.manifest("chat/api", "attested");
    assert!(index.contains("attestation-manifest"), "{index}");

    // What fails is told as Docker's BuildKit lets us tell it.
    let source = fixture.read("packages/api/src/index.ts");
    fixture.write("packages/api/src/index.ts", &format!("{source}const broken: number = 'text';\n"));
    let third = daemon.build(&fixture, &format!("{}/chat/api:2", registry.host), 1);
    let failed = finished(&third);
    assert_eq!((&failed["result"], &failed["exit_code"]), (&json!("failed"), &json!(2)), "{failed}");
    assert!(
        third.iter().any(|line| line["reason"] == "log" && line.to_string().contains("not assignable")),
        "{third:?}"
    );
    assert!(!registry.tags().contains(&"chat/api:2".to_owned()));
}

/// Whatever of times, caches and machines differs between them.
#[test]
fn two_builds_from_no_cache_are_one_image_in_a_registry_and_in_dockers_store() {
    let (registry, fixture) = (Registry::start(None), Fixture::example("chat"));
    provide(&registry, &fixture);
    let daemon = Buildkitd::start(&registry);
    let time = ["--no-cache", "--source-date-epoch", "1577836800"];
    let digests = ["1", "2"].map(|version| {
        daemon.build_with(&fixture, &format!("{}/chat/api:{version}", registry.host), &time, 0);
        registry.digest("chat/api", version)
    });
    assert_eq!(digests[0], digests[1]);
    // Taken into Docker's store, which unpacks it.
    let tag = format!("drydock-test/epoch:{}", nonce());
    let _images = Images::new([("api".to_owned(), tag.clone())].into());
    let ids = ["first", "second"].map(|_| {
        let builder = daemon.address();
        let load = ["build", "api", "--builder", &builder, "--tag", &tag, "--load", "--force"];
        run(&fixture, &[&load[..], &time[..]].concat(), 0);
        docker(&["image", "inspect", "--format", "{{.Id}}", &tag])
    });
    assert_eq!(ids[0], ids[1]);
}
