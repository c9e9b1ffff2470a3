//! Steps that fail, builds that are interrupted, a daemon that is not there; and the options that say how to build.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use drydock_test::{Fixture, lockfile};
use serde_json::Value;

use crate::docker::{Images, docker, shell};
use crate::drydock::{Build, Said, drydock, nonce, run};

/// How long a step may take to end after the build was interrupted. Docker gives processes ten seconds.
const GONE_WITHIN: Duration = Duration::from_secs(15);
/// Between two looks at the processes of the daemon's machine.
const PAUSE: Duration = Duration::from_millis(200);

/// Two services that need a library each, of which nothing comes from a registry. `build` is what the library of
/// `left` is built with. The word makes every step new to the daemon.
pub(crate) fn two_services(word: &str, build: &str) -> Fixture {
    let fixture = Fixture::new(
        r"
//- .nvmrc
22
",
    );
    let root = r#"{ "name": "acme", "workspaces": ["*"] }"#;
    fixture.write("package.json", root);
    fixture.write("drydock.toml", &format!("[workspace]\nenv = {{ DRYDOCK_TEST = \"{word}\" }}\n"));
    let mut members = Vec::new();
    for (side, build) in [("left", build), ("right", "mkdir -p dist && cp index.js dist")] {
        let library = serde_json::json!({
            "name": format!("@acme/{side}-library"),
            "version": "1.0.0",
            "main": "dist/index.js",
            "scripts": { "build": build },
        });
        let service = serde_json::json!({
            "name": format!("@acme/{side}"),
            "version": "1.0.0",
            "scripts": { "start": "node server.js" },
            "dependencies": { format!("@acme/{side}-library"): "^1.0.0" },
        });
        fixture.write(&format!("{side}-library/index.js"), &format!("module.exports = '{side}';\n"));
        fixture.write(&format!("{side}/server.js"), &format!("require('@acme/{side}-library');\n"));
        for (folder, manifest) in [(format!("{side}-library"), library), (side.to_owned(), service)] {
            fixture.write(&format!("{folder}/package.json"), &manifest.to_string());
            members.push((folder, manifest));
        }
    }
    let members: Vec<_> = members
        .iter()
        .map(|(folder, manifest)| (folder.as_str(), manifest["name"].as_str().expect("a name"), manifest.to_string()))
        .collect();
    let members: Vec<_> = members.iter().map(|(folder, name, text)| (*folder, *name, text.as_str())).collect();
    fixture.write("package-lock.json", &lockfile(root, &members));
    fixture
}

pub(crate) const WORKS: &str = "mkdir -p dist && cp index.js dist";

#[test]
fn a_failing_build_script_is_told_with_all_that_one_needs_to_mend_it() {
    let fixture = two_services(&nonce(), "echo compiling && echo 'index.js(3): no such name' >&2 && exit 7");
    let tag = format!("drydock-test/{{target}}:{}", nonce());
    let said = run(&fixture, &["build", "left", "--progress", "plain", "--tag", &tag], 1);
    let dockerfile = run(&fixture, &["dockerfile", "left"], 0).stdout;
    let line =
        1 + dockerfile.lines().position(|line| line == "FROM install-left AS build-left-library").expect("the stage");
    let line = line + dockerfile.lines().skip(line).position(|line| line.starts_with("RUN ")).expect("its step") + 1;
    let (shown, error) = said.stderr.split_once("error[step-failed]").expect("an error");
    assert!(error.contains("`@acme/left-library` did not build"), "{error}");
    assert!(error.contains("`npm run build` exited with code 7"), "{error}");
    assert!(error.contains(&format!("Dockerfile:{line}:1")), "line {line}: {error}");
    assert!(error.contains("needed by target `left`"), "{error}");
    assert!(error.contains("run `cd left-library && npm run build`"), "{error}");
    // The end of the output, under its own heading and above the error: once.
    let tail = shown.rsplit_once("Output").expect("the end of the step's output").1;
    assert_eq!(times(tail, "| index.js(3): no such name"), 1, "{tail}");
    assert_eq!(times(tail, "| compiling"), 1, "{tail}");
    assert_eq!(times(error, "index.js(3): no such name"), 0, "{error}");

    // Where lines are not shown as they come, there is nothing but that.
    let said = run(&fixture, &["build", "left", "--progress", "quiet", "--tag", &tag], 1);
    assert_eq!(times(&said.stderr, "index.js(3): no such name"), 1, "{}", said.stderr);

    let build = Build::with(&fixture, &["left"], &[], 1);
    let failed = result(&build, "left");
    assert_eq!(failed["result"], "failed", "{failed}");
    assert_eq!(failed["package"], "@acme/left-library");
    assert_eq!(failed["stage"], "build-left-library");
    assert_eq!(failed["exit_code"], 7);
    assert_eq!(failed["dockerfile_lines"], serde_json::json!([[line, line]]));
    assert_eq!(build.summary()["success"], false);
}

#[test]
fn other_targets_are_finished_when_asked_for() {
    let fixture = two_services(&nonce(), "exit 7");
    let build = Build::with(&fixture, &[], &["--keep-going"], 1);
    assert_eq!(result(&build, "left")["result"], "failed");
    assert_eq!(result(&build, "right")["result"], "built");
    let printed = shell(build.image("right"), "node -p \"require('@acme/right-library')\"");
    assert_eq!(printed.trim(), "right");
}

/// The steps of all targets are on the daemon, which must not go on with them.
#[test]
fn an_interrupt_leaves_no_step_running() {
    let word = nonce();
    let fixture = two_services(&word, &format!("echo begun && node -e 'setInterval(() => {{}}, 1000)' {word}"));
    // Not the same word: our own process is not what is looked for.
    let tag = format!("drydock-test/{{target}}:{}", nonce());
    // The other target may be there before the interrupt.
    let _images = Images::new(["right"].map(|name| (name.to_owned(), tag.replace("{target}", name))).into());
    let arguments = ["build", "--progress", "plain", "--tag", &tag];
    let mut child =
        drydock(&fixture, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
    let mut before = Vec::new();
    loop {
        let line = lines.next().unwrap_or_else(|| panic!("ended before the step began: {before:#?}")).expect("UTF-8");
        let begun = line.ends_with(" begun");
        before.push(line);
        if begun {
            break;
        }
    }
    wait_for(|| is_running(&word), "the step has begun, and is not seen on the daemon's machine");

    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("`kill` is on PATH");
    assert!(status.success());
    let after: Vec<String> = lines.map(|line| line.expect("UTF-8")).collect();
    let status = child.wait().expect("it was started");
    assert_eq!(status.code(), Some(130), "{after:#?}");
    assert!(after.iter().any(|line| line.contains("Interrupted")), "{after:#?}");
    wait_for(|| !is_running(&word), "the step is still running");
}

#[test]
fn a_daemon_that_is_not_there() {
    let fixture = two_services("x", WORKS);
    let arguments = ["build"];
    let output =
        drydock(&fixture, &arguments).env("DOCKER_HOST", "unix:///nonexistent/docker.sock").output().expect("it runs");
    let said = Said::of(&output, &arguments, 4);
    assert!(said.stderr.contains("`unix:///nonexistent/docker.sock`"), "{}", said.stderr);
    assert!(said.stderr.contains("help: start the daemon"), "{}", said.stderr);
}

#[test]
fn an_unchanged_build_runs_nothing_and_sends_nothing_unless_told_to() {
    let fixture = two_services(&nonce(), WORKS);
    let first = Build::with(&fixture, &[], &["--jobs", "1"], 0);
    let all = set(&[
        "build-left-library",
        "build-right-library",
        "install-left",
        "install-right",
        "runtime-deps-left",
        "runtime-deps-right",
    ]);
    assert_eq!(first.stages_run(), all);
    assert!(first.summary()["sent_files"].as_u64() > Some(0), "{}", first.summary());

    // BuildKit lets go of a context a moment after it has answered (`go e.result.Release` in its solver/edge.go), and asks
    // a build that comes sooner for all files again. It runs nothing either way.
    let again = || {
        let build = Build::of(&fixture, &[]);
        assert_eq!(build.stages_run(), BTreeSet::new());
        build
    };
    let mut builds = (0..10).map(|_| again());
    let second = builds.find(|build| build.summary()["sent_files"] == 0).expect("an unchanged build sends nothing");
    assert_eq!(second.summary()["sent_bytes"], 0, "{}", second.summary());
    for target in ["left", "right"] {
        assert_eq!(result(&second, target)["run_steps"], 0);
        assert_eq!(result(&second, target)["image_id"], result(&first, target)["image_id"], "{target}");
    }

    let third = Build::with(&fixture, &["left"], &["--no-cache"], 0);
    let left: BTreeSet<_> = all.into_iter().filter(|stage| stage.contains("left")).collect();
    assert_eq!(third.stages_run(), left);
}

/// The line that tells what became of a target.
fn result<'b>(build: &'b Build, target: &str) -> &'b Value {
    build.lines("target-finished").find(|line| line["target"] == target).expect("each target is told of")
}

/// How many lines end with a text.
fn times(text: &str, end: &str) -> usize {
    text.lines().filter(|line| line.ends_with(end)).count()
}

fn set(stages: &[&str]) -> BTreeSet<String> {
    stages.iter().map(|&stage| stage.to_owned()).collect()
}

/// Whether a process with a word among its arguments runs on the daemon's machine, wherever that is.
fn is_running(word: &str) -> bool {
    // Split, so that the looking command does not find itself.
    let (first, rest) = word.split_at(3);
    let script = format!("cat /proc/[0-9]*/cmdline 2> /dev/null | tr '\\0' ' ' | grep -c {first}''{rest} || true");
    let arguments = ["run", "--rm", "--pid", "host", "--network", "none", "--entrypoint", "/bin/sh"];
    docker(&[&arguments[..], &["node:22-bookworm-slim", "-c", &script]].concat()).trim() != "0"
}

/// Looks again and again, for as long as a step may take to end.
#[track_caller]
fn wait_for(condition: impl Fn() -> bool, otherwise: &str) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < GONE_WITHIN, "{otherwise}");
        std::thread::sleep(PAUSE);
    }
}
