//! How services start, stop and tell their health, and what they have beside their own files.

use std::time::{Duration, Instant};

use drydock_test::Fixture;
use serde_json::json;

use crate::docker::{Container, config, docker, shell};
use crate::drydock::{Build, nonce, run};

/// Answers on 3000 and tells on its log when it is asked to end.
pub(crate) const WITH_HANDLER: &str = "\
    const server = require('node:http').createServer((request, response) => response.end(process.env.GREETING ?? 'hi'));\n\
    process.once('SIGTERM', () => { console.log('ending'); server.close(() => process.exit(0)); });\n\
    server.listen(3000);\n";

const WITHOUT_HANDLER: &str = "require('node:http').createServer((_, response) => response.end('hi')).listen(3000);\n";

/// A workspace of services, each with its start script and its file `index.js`.
pub(crate) fn services(services: &[(&str, &str, &str)], settings: &str) -> Fixture {
    let fixture = Fixture::empty();
    let names: Vec<&str> = services.iter().map(|(name, ..)| *name).collect();
    fixture.write("package.json", &json!({ "name": "fleet", "private": true, "workspaces": names }).to_string());
    let mut packages = serde_json::Map::new();
    packages.insert(String::new(), json!({ "name": "fleet", "workspaces": names }));
    for (name, start, code) in services {
        let manifest = json!({ "name": name, "version": "1.0.0", "scripts": { "start": start } });
        fixture.write(&format!("{name}/package.json"), &manifest.to_string());
        fixture.write(&format!("{name}/index.js"), code);
        packages.insert((*name).to_owned(), json!({ "version": "1.0.0" }));
        packages.insert(format!("node_modules/{name}"), json!({ "resolved": name, "link": true }));
    }
    let lock = json!({ "name": "fleet", "lockfileVersion": 3, "requires": true, "packages": packages });
    fixture.write("package-lock.json", &lock.to_string());
    if !settings.is_empty() {
        fixture.write("drydock.toml", settings);
    }
    fixture
}

#[test]
fn a_service_stops_at_once_with_and_without_a_handler_and_through_npm() {
    let fixture = services(
        &[
            ("graceful", "node index.js", WITH_HANDLER),
            ("plain", "node index.js", WITHOUT_HANDLER),
            ("shell", "echo $GREETING && GREETING=$NPM_GREETING node index.js", WITH_HANDLER),
            ("bare", "node index.js", WITHOUT_HANDLER),
        ],
        "[target.bare]\ninit = false\n",
    );
    let build = Build::of(&fixture, &[]);

    let mut graceful = Container::start(build.image("graceful"), 3000);
    graceful.ready("/");
    assert_eq!(first_process(&graceful), "1000 tini -- node index.js");
    assert_eq!(graceful.stops_at_once("/"), 0);
    assert!(graceful.log().contains("ending"), "the handler did not run");

    let mut plain = Container::start(build.image("plain"), 3000);
    plain.ready("/");
    // As the shell counts an end by SIGTERM.
    assert_eq!(plain.stops_at_once("/"), 143);

    let mut shell = Container::start(build.image("shell"), 3000);
    shell.ready("/");
    assert_eq!(config(build.image("shell"))["Cmd"], json!(["npm", "start", "--workspace=shell"]));
    assert_eq!(shell.stops_at_once("/"), 0);
    assert!(shell.log().contains("ending"), "npm or the shell kept the signal to itself: {}", shell.log());

    // Why the others have an init: Linux keeps a signal without a handler from a first process, until it is killed.
    let bare = Container::start(build.image("bare"), 3000);
    bare.ready("/");
    let begun = Instant::now();
    docker(&["stop", "--time", "2", bare.name()]);
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(bare.exit_code(), 137);

    let config = config(build.image("plain"));
    assert_eq!(config["User"], "node");
    assert_eq!(config["Entrypoint"], json!(["tini", "--"]));
    assert_eq!(config["Cmd"], json!(["node", "index.js"]));
    assert_eq!(config["ExposedPorts"], json!({ "3000/tcp": {} }));
    // What is said of installing it would be another layer each time.
    let traces = "find /var/lib/apt/lists /var/cache/apt /var/log/apt /var/log/dpkg.log -type f 2> /dev/null; true";
    assert_eq!(crate::docker::shell(build.image("plain"), traces), "");
}

#[test]
fn health_is_asked_for_by_node_or_by_a_command() {
    let code = "\
        let well = true;\n\
        require('node:http').createServer((request, response) => {\n\
          if (request.url === '/break') well = false;\n\
          response.statusCode = request.url === '/health' && !well ? 503 : 200;\n\
          response.end();\n\
        }).listen(Number(process.env.PORT ?? 3000));\n";
    let fixture = services(
        &[("api", "node index.js", code), ("worker", "node index.js", "setInterval(() => {}, 1000);\n")],
        "[target.api]\n\
         healthcheck = { path = \"/health\", interval = 1, timeout = \"3s\", start-period = 0, retries = 1 }\n\
         [target.worker]\n\
         healthcheck = { command = [\"node\", \"-e\", \"process.exit(0)\"], interval = 1, start-period = \"1m\" }\n",
    );
    let build = Build::of(&fixture, &[]);
    let api = Container::start(build.image("api"), 3000);
    api.ready("/");
    assert_eq!(api.health("healthy"), "healthy");
    api.get("/break");
    assert_eq!(api.health("unhealthy"), "unhealthy");
    let worker = Container::start(build.image("worker"), 3000);
    assert_eq!(worker.health("healthy"), "healthy");
    let check = &config(build.image("api"))["Healthcheck"];
    assert_eq!(
        (&check["Interval"], &check["Timeout"], &check["Retries"]),
        (&json!(1_000_000_000), &json!(3_000_000_000_u64), &json!(1))
    );
    // Neither is in the image, and neither is needed.
    assert_eq!(shell(build.image("api"), "command -v curl wget; true"), "");
}

#[test]
fn an_image_has_the_allocator_options_and_files_that_it_is_given() {
    let tools = Fixture::empty();
    let word = nonce();
    tools.write("Dockerfile", "FROM debian:bookworm-slim\nCOPY word /opt/tools/word\n");
    tools.write("word", &word);
    let image = format!("drydock-test-tools:{word}");
    docker(&["build", "--quiet", "--tag", &image, tools.root().as_str()]);
    let _removed = crate::docker::Images::new([("tools".to_owned(), image.clone())].into());
    let code = "require('node:http').createServer((_, response) => response.end(JSON.stringify({\n\
        maps: require('node:fs').readFileSync('/proc/self/maps', 'utf8').includes('libjemalloc.so.2'),\n\
        heap: require('node:v8').getHeapStatistics().heap_size_limit,\n\
        word: require('node:fs').readFileSync('/usr/share/tools/word', 'utf8'),\n\
      }))).listen(3000);\n";
    let fixture = services(
        &[("api", "node index.js", code)],
        &format!(
            "[target.api]\njemalloc = true\nnode-options = \"--max-old-space-size=300\"\n\
             copy-from = [{{ image = \"{image}\", from = \"/opt/tools/\", to = \"/usr/share/tools/\" }}]\n"
        ),
    );
    let build = Build::of(&fixture, &[]);
    let mut container = Container::start(build.image("api"), 3000);
    let answer: serde_json::Value = serde_json::from_str(&container.ready("/").body).expect("JSON");
    assert_eq!(answer["maps"], true);
    assert!(answer["heap"].as_u64().is_some_and(|heap| heap < 1 << 30), "{answer}");
    assert_eq!(answer["word"], word);
    container.stops_at_once("/");

    // They come before what changes often: an edit of the service runs none of their steps again.
    fixture.edit("api/index.js", "word:", "again: 1, word:");
    let again = Build::of(&fixture, &[]);
    assert!(again.stages_run().is_empty(), "{:?}", again.stages_run());
}

#[test]
fn alpine_has_its_own_package_manager() {
    let fixture = services(
        &[("api", "node index.js", WITHOUT_HANDLER)],
        "[workspace]\nimage = \"node:22-alpine\"\n[target.api]\njemalloc = true\n",
    );
    let dockerfile = run(&fixture, &["dockerfile"], 0).stdout;
    assert!(dockerfile.contains("apk add --update-cache --cache-dir=/var/cache/apk jemalloc tini"), "{dockerfile}");
    assert!(dockerfile.contains("ENTRYPOINT [\"tini\", \"--\"]"), "{dockerfile}");
}

/// `UID COMMAND` of the first process in a container.
fn first_process(container: &Container) -> String {
    container.shell(r"echo $(stat -c %u /proc/1) $(tr '\0' ' ' < /proc/1/cmdline)").trim().to_owned()
}

#[test]
fn a_command_takes_the_arguments_and_the_input_of_its_container() {
    let fixture = Fixture::empty();
    fixture.write("package.json", r#"{ "name": "tools", "private": true, "workspaces": ["greet"] }"#);
    fixture.write(
        "greet/package.json",
        r#"{ "name": "@tools/greet", "version": "1.0.0", "type": "module", "bin": { "greet": "cli.js" } }"#,
    );
    fixture.write(
        "greet/cli.js",
        "#!/usr/bin/env node\nlet input = '';\nfor await (const part of process.stdin) input += part;\n\
         console.log(JSON.stringify({ arguments: process.argv.slice(2), input, folder: process.cwd() }));\nprocess.exit(7);\n",
    );
    let lock = json!({ "name": "tools", "lockfileVersion": 3, "requires": true, "packages": {
        "": { "name": "tools", "workspaces": ["greet"] },
        "greet": { "name": "@tools/greet", "version": "1.0.0", "bin": { "greet": "cli.js" } },
        "node_modules/@tools/greet": { "resolved": "greet", "link": true },
    } });
    fixture.write("package-lock.json", &lock.to_string());
    let build = Build::of(&fixture, &[]);
    let image = build.image("greet");
    let mut child = std::process::Command::new("docker")
        .args(["run", "--rm", "--interactive", "--workdir", "/tmp", image, "--name", "a b"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("`docker` is on PATH");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), b"over stdin").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(7));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(said, json!({ "arguments": ["--name", "a b"], "input": "over stdin", "folder": "/tmp" }));
    let config = config(image);
    assert_eq!(config["Entrypoint"], json!(["tini", "--", "node", "/app/greet/cli.js"]));
    assert_eq!((&config["Cmd"], &config["User"]), (&json!(null), &json!("node")));
}
