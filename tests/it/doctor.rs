//! `doctor` without a daemon: what the tree alone tells, each finding with its code, its place and its way out.

use drydock_test::{Fixture, lockfile};
use serde_json::Value;

use crate::support::{acme, drydock, stdout};

/// The service, which no longer says that it needs the library.
const API: &str = r#"{ "name": "@acme/api", "version": "1.0.0", "scripts": { "start": "node server.js" } }"#;

/// `doctor` where no daemon answers.
fn doctor(fixture: &Fixture, arguments: &[&str]) -> std::process::Command {
    let mut command = drydock(fixture, &[&["doctor"], arguments].concat());
    command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    command
}

/// The findings of a run but those about the daemon: severity, code, place and what is said.
fn findings(fixture: &Fixture) -> Vec<String> {
    let output = doctor(fixture, &["--format", "json"]).output().expect("the binary runs");
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    let of_tree = document["findings"].as_array().expect("findings").iter().filter(|found| found["check"] != "daemon");
    let shown = of_tree.map(|found| {
        let places = found["places"].as_array().expect("places").iter();
        let places: Vec<String> =
            places.map(|place| format!(" {}:{}", place["path"].as_str().expect("a path"), place["line"])).collect();
        let (severity, code) = (found["severity"].as_str().expect("text"), found["code"].as_str().expect("text"));
        format!("{severity} {code}{}: {}", places.concat(), found["message"].as_str().expect("text"))
    });
    shown.collect()
}

#[test]
fn no_daemon_is_a_finding() {
    insta_cmd::assert_cmd_snapshot!(doctor(&acme(), &[]), @"
    success: false
    exit_code: 1
    ----- stdout -----
            Fine workspace    2 packages of npm, no configuration
            Fine lockfile     package-lock.json, in step with every package.json
            Fine targets      1 service in 6 stages
            Fine imports      every import of a package is declared
            Fine context      4 source files that builds may see
            Fine scripts      0 scripts, none with Windows line endings
            Fine secrets      none in environment or build arguments, in the configuration
           Wrong daemon       does not answer
         Skipped disk         no daemon was asked
         Skipped base images  no daemon was asked

    error[docker-unreachable]: no Docker daemon answers
      = note: tried `unix:///nonexistent/docker.sock` (the environment variable `DOCKER_HOST`): No such file or directory (os error 2)
      = help: start the daemon (`sudo systemctl start docker`), or set `DOCKER_HOST` to where it listens

           Found 1 error

    ----- stderr -----
    ");
}

#[test]
fn a_workspace_that_cannot_be_read_is_a_finding() {
    let fixture = acme();
    fixture.write("api/package.json", "{ \"name\": ");
    insta_cmd::assert_cmd_snapshot!(doctor(&fixture, &[]), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
           Wrong workspace    cannot be read
           Wrong daemon       does not answer
         Skipped disk         no daemon was asked
         Skipped base images  no daemon was asked

    error[manifest-syntax]: `api/package.json` is not valid JSON: EOF while parsing a value
     --> api/package.json:1:10
      |
    1 | { "name": 
      |          ^ EOF while parsing a value
      |
      = help: correct the JSON; `npm pkg fix` or an editor shows the same place

    error[docker-unreachable]: no Docker daemon answers
      = note: tried `unix:///nonexistent/docker.sock` (the environment variable `DOCKER_HOST`): No such file or directory (os error 2)
      = help: start the daemon (`sudo systemctl start docker`), or set `DOCKER_HOST` to where it listens

           Found 2 errors

    ----- stderr -----
    "#);
}

#[test]
fn imports_that_no_manifest_declares() {
    let fixture = acme();
    fixture.write("packages/lib/build.js", "const { api } = require('@acme/api');\n\nrequire('@acme/api/two');\n");
    fixture.write("packages/lib/index.test.js", "require('@acme/api');\n");
    fixture.write("packages/lib/jest.config.js", "require('@acme/api');\n");
    insta::assert_snapshot!(findings(&fixture).join("\n"), @"warning import-undeclared packages/lib/build.js:1 packages/lib/build.js:3: `@acme/lib` imports `@acme/api`, which its package.json does not declare");
}

#[test]
fn imports_that_are_declared_for_development_and_run() {
    let fixture = acme();
    let api = API.replace("\"scripts\"", "\"devDependencies\": { \"@acme/lib\": \"1.0.0\" }, \"scripts\"");
    fixture.write("api/package.json", &api);
    fixture.write("api/server.js", "const lib = require('@acme/lib');\n");
    let lib = fixture.read("packages/lib/package.json");
    let members = [("api", "@acme/api", api.as_str()), ("packages/lib", "@acme/lib", lib.as_str())];
    fixture.write("package-lock.json", &lockfile(&fixture.read("package.json"), &members));
    insta::assert_snapshot!(findings(&fixture).join("\n"), @"warning import-for-development api/server.js:1: `@acme/api` imports `@acme/lib` when it runs, which its package.json declares for development");
}

#[test]
fn fixes_go_into_the_configuration_and_are_used() {
    let fixture = acme();
    fixture.write("api/package.json", API);
    let lib = fixture.read("packages/lib/package.json");
    let members = [("api", "@acme/api", API), ("packages/lib", "@acme/lib", lib.as_str())];
    fixture.write("package-lock.json", &lockfile(&fixture.read("package.json"), &members));
    fixture.write("drydock.toml", "# ours\n[target.api]\nport = 80 # as always\n");
    insta_cmd::assert_cmd_snapshot!(doctor(&fixture, &["--fix"]), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
            Fine workspace    2 packages of npm, configured in drydock.toml
            Fine lockfile     package-lock.json, in step with every package.json
            Fine targets      1 service in 4 stages
        Doubtful imports      1 edge between packages without a declaration
            Fine context      4 source files that builds may see
            Fine scripts      0 scripts, none with Windows line endings
            Fine secrets      none in environment or build arguments, in the configuration
           Wrong daemon       does not answer
         Skipped disk         no daemon was asked
         Skipped base images  no daemon was asked

    warning[import-undeclared]: `@acme/api` imports `@acme/lib`, which its package.json does not declare
     --> api/server.js:1:1
      |
    1 | const { greeting } = require('@acme/lib');
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: builds and images of it lack what it imports
      = help: add `"@acme/lib": "^1.0.0"` to the `dependencies` in api/package.json and run `npm install`; or let `drydock doctor --fix` write `depends-on` into the configuration
      fixed

    error[docker-unreachable]: no Docker daemon answers
      = note: tried `unix:///nonexistent/docker.sock` (the environment variable `DOCKER_HOST`): No such file or directory (os error 2)
      = help: start the daemon (`sudo systemctl start docker`), or set `DOCKER_HOST` to where it listens

           Fixed 1 finding in drydock.toml; left: 1 error

    ----- stderr -----
    "#);
    insta::assert_snapshot!(fixture.read("drydock.toml"), @r#"
    # ours
    [target.api]
    port = 80 # as always

    [package."@acme/api"]
    depends-on = ["@acme/lib"]
    "#);
    let plan = stdout(&fixture, &["plan", "--format", "json"]);
    assert!(plan.contains("build-lib"), "the image is made with what it imports: {plan}");
    assert_eq!(findings(&fixture), Vec::<String>::new(), "nothing is left");
}

#[test]
fn secrets_in_configuration_and_dockerfiles() {
    let fixture = acme();
    fixture.write(
        "drydock.toml",
        "[workspace]\nenv = { NPM_TOKEN = \"x\", TOKEN_FILE = \"y\", API_KEY = \"\" }\n\n[target.api]\nargs = [\"DB_PASSWORD\"]\n",
    );
    fixture.write("Dockerfile", "FROM node\nARG GITHUB_TOKEN\nENV JWT_SECRET=change-me PUBLIC_KEY=1\nCOPY . /app\n");
    fixture.write(".dockerignore", "Dockerfile*\n.env\n");
    fixture.write("node_modules/x/index.js", "");
    insta::assert_snapshot!(findings(&fixture).join("\n"), @"
    warning context-leak Dockerfile:4: `Dockerfile` copies everything, `node_modules` of this machine with it
    error secret-in-env drydock.toml:2: `NPM_TOKEN` in the `env` of `[workspace]` looks like a secret, and the Dockerfile and the build cache would keep it
    error secret-in-arg drydock.toml:5: `DB_PASSWORD` in the `args` of `[target.api]` looks like a secret, and the image's history would keep it
    warning secret-in-dockerfile Dockerfile:2: `GITHUB_TOKEN` in `Dockerfile` looks like a secret, and the image's history keeps its value
    warning secret-in-dockerfile Dockerfile:3: `JWT_SECRET` in `Dockerfile` looks like a secret, and the image keeps its value
    ");
}

#[test]
fn files_that_never_arrive_and_scripts_that_do_not_run() {
    let fixture = acme();
    fixture.write(".env", "A=1\n");
    fixture.write("api/.env.local", "A=1\n");
    fixture.write("api/.env.example", "A=\n");
    fixture.write(".gitignore", ".env\n");
    fixture.write("api/start.sh", "#!/bin/sh\r\nexec node server.js\r\n");
    fixture.write("api/good.sh", "#!/bin/sh\nexec node server.js\n");
    fixture.write("api/tls.key", "-----BEGIN PRIVATE KEY-----\n");
    insta::assert_snapshot!(findings(&fixture).join("\n"), @r"
    warning private-key-withheld: `api/tls.key` holds a private key, and stays out of every build and image
    note environment-file-withheld: `.env`, `api/.env.local` stay out of every build and image: they may hold secrets
    error script-line-endings api/start.sh:1: `api/start.sh` has Windows line endings: Linux looks for `sh\r`
    ");
}

#[test]
fn a_lockfile_of_a_mac_and_one_that_is_out_of_step() {
    let fixture = acme();
    fixture.write(
        "package.json",
        r#"{ "name": "acme", "workspaces": ["packages/*", "api"], "dependencies": { "rollup": "4.0.0" } }"#,
    );
    insta::assert_snapshot!(findings(&fixture).join("\n"), @"
    error lockfile-out-of-sync package.json:1: `package-lock.json` does not match `package.json`
    error lockfile-entry-missing package.json:1: `package-lock.json` has no entry for `rollup`, which `.` needs
    ");
    let lock = fixture.read("package-lock.json");
    let mut lock: Value = serde_json::from_str(&lock).expect("JSON");
    lock["packages"][""]["dependencies"] = serde_json::json!({ "rollup": "4.0.0" });
    lock["packages"]["node_modules/rollup"] = serde_json::json!({
        "version": "4.0.0",
        "integrity": "sha512-AAAA",
        "optionalDependencies": { "@rollup/rollup-darwin-arm64": "4.0.0", "@rollup/rollup-linux-x64-gnu": "4.0.0" },
    });
    lock["packages"]["node_modules/@rollup/rollup-darwin-arm64"] = serde_json::json!({ "version": "4.0.0", "integrity": "sha512-AAAA", "cpu": ["arm64"], "os": ["darwin"], "optional": true });
    fixture.write("package-lock.json", &lock.to_string());
    insta::assert_snapshot!(findings(&fixture).join("\n").replace("error", "warning"), @"warning platform-package-missing package-lock.json:1: the lockfile has no entry for `@rollup/rollup-linux-x64-gnu`, which `node_modules/rollup` uses on Linux");
}
