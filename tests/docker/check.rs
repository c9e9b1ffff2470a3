//! Checks in the daemon, and images that wait for them.

use drydock_test::Fixture;
use serde_json::{Value, json};

use crate::docker::docker;
use crate::drydock::{Build, nonce, run};

/// A library with a test and a service on it, which also has a linter's script.
fn workspace(settings: &str) -> Fixture {
    let fixture = Fixture::empty();
    let members = [
        ("lib", json!({ "build": "node build.js", "test": "node test.js" }), json!({})),
        (
            "api",
            json!({ "start": "node index.js", "test": "node test.js", "lint": "node lint.js" }),
            json!({ "lib": "1.0.0" }),
        ),
        ("other", json!({ "start": "node index.js" }), json!({})),
    ];
    let mut packages = serde_json::Map::new();
    packages.insert(String::new(), json!({ "name": "gates", "workspaces": ["*"] }));
    for (name, scripts, dependencies) in members {
        let manifest = json!({
            "name": name, "version": "1.0.0", "main": "dist/index.js", "files": ["dist"],
            "scripts": scripts, "dependencies": dependencies,
        });
        fixture.write(&format!("{name}/package.json"), &manifest.to_string());
        packages.insert(name.to_owned(), json!({ "version": "1.0.0", "dependencies": dependencies }));
        packages.insert(format!("node_modules/{name}"), json!({ "resolved": name, "link": true }));
    }
    fixture.write("package.json", r#"{ "name": "gates", "private": true, "workspaces": ["*"] }"#);
    let lock = json!({ "name": "gates", "lockfileVersion": 3, "requires": true, "packages": packages });
    fixture.write("package-lock.json", &lock.to_string());
    // New to the daemon each time, its installs too: of two builds of one stage at once, BuildKit gives one the output
    // of the other and calls it cached.
    fixture.write(".npmrc", &format!("; {}\n", nonce()));
    fixture.write(
        "lib/build.js",
        &format!(
            "require('node:fs').mkdirSync('dist', {{ recursive: true }});\n\
             require('node:fs').writeFileSync('dist/index.js', 'module.exports = 42; // {}');\n",
            nonce()
        ),
    );
    fixture.write("lib/test.js", "require('node:assert').equal(require('./dist/index.js'), 42);\n");
    fixture.write(
        "api/index.js",
        "require('node:http').createServer((_, r) => r.end(String(require('lib')))).listen(3000);\n",
    );
    fixture.write(
        "api/test.js",
        "require('node:assert').equal(require('lib'), 42);\nconsole.log('asserted', process.env.CI);\n",
    );
    fixture.write("api/lint.js", "console.log('tidy');\n");
    fixture.write("other/index.js", "require('node:http').createServer((_, r) => r.end('hi')).listen(3000);\n");
    fixture.write("drydock.toml", settings);
    fixture
}

const WAITS: &str = "[target.api]\nchecks = [\"test\"]\n";

#[test]
fn a_failing_test_stops_the_image_and_no_other_and_says_where() {
    let fixture = workspace(WAITS);
    fixture.edit("lib/test.js", "42", "43");
    let tag = format!("drydock-test/{{target}}:{}", nonce());
    let said = run(&fixture, &["build", "--keep-going", "--progress", "quiet", "--tag", &tag], 1);
    let other = crate::docker::Images::new([("other".to_owned(), tag.replace("{target}", "other"))].into());
    assert!(said.stderr.contains("the check `lib test` failed: `npm run test` exited with code 1"), "{}", said.stderr);
    assert!(said.stderr.contains("run `cd lib && npm run test` to see it without Docker"), "{}", said.stderr);
    assert!(said.stderr.contains("needed by target `api`"), "{}", said.stderr);
    assert!(said.stderr.contains("43"), "what the test said is not shown: {}", said.stderr);
    // The one was not made, the other was.
    assert_eq!(docker(&["image", "ls", "--quiet", &tag.replace("{target}", "api")]), "");
    assert_ne!(docker(&["image", "ls", "--quiet", other.of("other")]), "");

    // The same from the files that plain Docker reads.
    run(&fixture, &["dockerfile", "--out-dir", ".drydock", "-q"], 0);
    let output = std::process::Command::new("docker")
        .args(["build", "--target", "api", "--file", ".drydock/Dockerfile", "."])
        .current_dir(fixture.root())
        .output()
        .expect("`docker` is on PATH");
    assert!(!output.status.success());
}

#[test]
fn an_image_that_waited_is_the_same_as_one_that_did_not() {
    let fixture = workspace(WAITS);
    let waited = Build::of(&fixture, &["api"]);
    let ran = waited.stages_run();
    assert!(ran.contains("test-api") && ran.contains("test-lib"), "{ran:?}");
    assert!(!ran.contains("lint-api"), "nobody asked for it: {ran:?}");
    fixture.write("drydock.toml", "");
    let alone = Build::of(&fixture, &["api"]);
    assert!(!run(&fixture, &["dockerfile"], 0).stdout.contains("test-"), "stages of checks nobody asked for");
    let layers = |build: &Build| -> Vec<String> {
        let text = docker(&["image", "inspect", "--format", "{{json .RootFS.Layers}}", build.image("api")]);
        serde_json::from_str(&text).expect("JSON")
    };
    let (waited_layers, layers) = (layers(&waited), layers(&alone));
    let more: Vec<&String> = waited_layers.iter().filter(|layer| !layers.contains(layer)).collect();
    // The digest of a layer without any file.
    let empty = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
    assert!(more.iter().all(|layer| *layer == empty), "{more:?}");
    let files = "find / -xdev -path /proc -prune -o -type f -print -o -type d -print | LC_ALL=C sort | sha256sum";
    let of = |build: &Build| crate::docker::shell(build.image("api"), files);
    assert_eq!(of(&waited), of(&alone));
}

#[test]
fn checks_run_side_by_side_and_an_edit_runs_those_it_concerns() {
    let fixture = workspace("");
    for arguments in [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "-m", "all"]] {
        let mut git = std::process::Command::new("git");
        git.arg("-C").arg(fixture.root()).args(["-c", "user.name=t", "-c", "user.email=t@example.org"]);
        assert!(git.args(arguments).output().expect("git is on PATH").status.success());
    }
    let said = run(&fixture, &["check", "--format", "json"], 0);
    let finished = |text: &str| -> Vec<(String, String)> {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let ended = lines.filter(|line| line["reason"] == "target-finished");
        let word = |value: &Value| value.as_str().expect("text").to_owned();
        let mut ended: Vec<_> = ended.map(|line| (word(&line["target"]), word(&line["result"]))).collect();
        ended.sort();
        ended
    };
    let built = |names: &[&str]| -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), "built".to_owned())).collect()
    };
    assert_eq!(finished(&said.stdout), built(&["lint-api", "test-api", "test-lib"]));
    assert!(said.stdout.contains("asserted true"), "CI is not set: {}", said.stdout);

    let nothing = run(&fixture, &["check", "--affected", "--since", "HEAD"], 0);
    assert!(nothing.stderr.contains("no check is affected"), "{}", nothing.stderr);
    fixture.edit("api/lint.js", "tidy", "neat");
    let said = run(&fixture, &["check", "--affected", "--since", "HEAD", "--format", "json"], 0);
    assert_eq!(finished(&said.stdout), built(&["lint-api", "test-api"]));
    let said = run(&fixture, &["check", "lib", "--only", "test", "--format", "json"], 0);
    assert_eq!(finished(&said.stdout), built(&["test-lib"]));

    // One that fails does not stop the others.
    fixture.edit("api/lint.js", "console.log('neat');", "process.exit(3);");
    let said = run(&fixture, &["check", "--progress", "quiet"], 1);
    assert!(said.stderr.contains("the check `api lint` failed: `npm run lint` exited with code 3"), "{}", said.stderr);
    let unknown = run(&fixture, &["check", "--only", "tset"], 2);
    assert!(unknown.stderr.contains("did you mean `test`?"), "{}", unknown.stderr);
}

/// The lean service of the example: it has the linter and the tests as a gate, and none of them inside.
#[test]
fn a_release_waits_for_the_linter_and_the_tests_of_the_example() {
    let fixture = Fixture::example("kinds");
    let image = format!("drydock-test/express:{}", nonce());
    let _images = crate::docker::Images::new([("express".to_owned(), image.clone())].into());
    let build = |code| run(&fixture, &["build", "express", "--progress", "quiet", "--tag", &image], code).stderr;
    let there = || docker(&["image", "ls", "--quiet", &image]);
    let source = fixture.read("express/src/app.ts");
    fixture.write("express/src/app.ts", &source.replacen(";\n", "  ;\n", 1));
    let said = build(1);
    assert!(said.contains("the check `@kinds/express lint` failed: `npm run lint` exited with code 1"), "{said}");
    assert_eq!(there(), "");
    fixture.write("express/src/app.ts", &source);
    fixture.edit("packages/tides/src/index.ts", "Math.round(200", "Math.round(210");
    let said = build(1);
    assert!(said.contains("the check `@kinds/express test` failed: `npm run test` exited with code 1"), "{said}");
    assert_eq!(there(), "");
    fixture.edit("packages/tides/src/index.ts", "Math.round(210", "Math.round(200");
    build(0);
    assert_ne!(there(), "");
    assert_eq!(crate::docker::config(&image)["Entrypoint"], json!(["tini", "--"]));
    let tools = "find /app -type d \\( -name prettier -o -name typescript -o -name test -path '/app/express/*' \\)";
    assert_eq!(crate::docker::shell(&image, tools), "");
}
