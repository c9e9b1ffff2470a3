//! Running the binary, and fixtures that many tests share.

use std::process::Command;

use drydock_test::{Fixture, lockfile};

/// `drydock` with `arguments` in the fixture's root, with an environment in which only the arguments matter.
pub(crate) fn drydock(fixture: &Fixture, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drydock"));
    command.args(arguments).current_dir(fixture.root());
    clean(&mut command);
    command
}

/// Takes away what would make a run differ from machine to machine.
pub(crate) fn clean(command: &mut Command) {
    for name in [
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKER_CONFIG",
        "DRYDOCK_JOBS",
        "DRYDOCK_SINCE",
        "GITHUB_BASE_REF",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA",
        "BUILDKIT_PROGRESS",
        "GITHUB_ACTIONS",
        "SOURCE_DATE_EPOCH",
        "NO_COLOR",
        "CARGO_TERM_COLOR",
        "RUST_BACKTRACE",
        "COLUMNS",
    ] {
        command.env_remove(name);
    }
}

/// git in the fixture's root.
pub(crate) fn git(fixture: &Fixture, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(fixture.root());
    command.args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]);
    let output = command.args(arguments).output().expect("git is on PATH");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

/// Makes the fixture a repository, with all that is in it committed.
pub(crate) fn commit_all(fixture: &Fixture, message: &str) {
    if !fixture.root().join(".git").exists() {
        git(fixture, &["init", "-q", "-b", "main"]);
    }
    git(fixture, &["add", "-A"]);
    git(fixture, &["commit", "-q", "--allow-empty", "-m", message]);
}

/// What a run of `drydock` printed to stdout. Panics when it fails.
pub(crate) fn stdout(fixture: &Fixture, arguments: &[&str]) -> String {
    let output = drydock(fixture, arguments).output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Snapshots exit code, stdout and stderr of `drydock` in a fixture. The temporary folder is shown as `[ROOT]`.
macro_rules! check {
    ($fixture:expr, $arguments:expr, @$snapshot:literal) => {{
        let fixture: &drydock_test::Fixture = &$fixture;
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(&fixture.root().as_str().replace('.', r"\."), "[ROOT]");
        settings.bind(|| {
            insta_cmd::assert_cmd_snapshot!($crate::support::drydock(fixture, &$arguments), @$snapshot);
        });
    }};
}
pub(crate) use check;

const ROOT: &str = r#"{ "name": "acme", "workspaces": ["packages/*", "api"] }"#;
const LIB: &str = r#"{
  "name": "@acme/lib",
  "version": "1.0.0",
  "main": "dist/index.js",
  "scripts": { "build": "node build.js" }
}
"#;
const API: &str = r#"{
  "name": "@acme/api",
  "version": "1.0.0",
  "scripts": { "start": "node server.js" },
  "dependencies": { "@acme/lib": "^1.0.0" }
}
"#;

/// A library and a service that needs it; nothing comes from a registry.
pub(crate) fn acme() -> Fixture {
    let fixture = Fixture::new(
        r#"
//- packages/lib/build.js
require('fs').mkdirSync('dist', { recursive: true });
require('fs').writeFileSync('dist/index.js', 'exports.greeting = "hello";\n');
//- api/server.js
const { greeting } = require('@acme/lib');
require('http').createServer((_, answer) => answer.end(greeting)).listen(process.env.PORT || 3000);
//- .nvmrc
22
"#,
    );
    fixture.write("package.json", &format!("{ROOT}\n"));
    fixture.write("packages/lib/package.json", LIB);
    fixture.write("api/package.json", API);
    let members = [("api", "@acme/api", API), ("packages/lib", "@acme/lib", LIB)];
    fixture.write("package-lock.json", &lockfile(ROOT, &members));
    fixture
}
