//! Services in an image that has Node, the libraries it needs, and nothing else.

use std::time::{Duration, Instant};

use drydock_test::Fixture;
use serde_json::{Value, json};

use crate::docker::{Container, Images, config, docker};
use crate::drydock::{Build, nonce, run};
use crate::kinds::KEPT_WITHIN;
use crate::service::{WITH_HANDLER, services};

/// Tells who it is and what it may do.
const TELLS: &str = "\
    const fs = require('node:fs');\n\
    const tries = action => { try { action(); return true; } catch (error) { return error.code; } };\n\
    require('node:http').createServer((request, response) => response.end(JSON.stringify({\n\
      user: process.getuid(), pid: process.pid, program: process.argv0, files: fs.readdirSync('.').sort(),\n\
      shell: fs.existsSync('/bin/sh'), child: require('node:child_process').execFileSync('node', ['-p', '6*7'], { encoding: 'utf8' }),\n\
      inData: tries(() => fs.writeFileSync('/app/data/x', '')), inApp: tries(() => fs.writeFileSync('/app/x', '')),\n\
    }))).listen(3000);\n";

/// What distroless images of Node are shaped like, made of what the slim one holds.
fn stand_in() -> (Images, String) {
    let folder = Fixture::empty();
    folder.write(
        "Dockerfile",
        "FROM node:22-bookworm-slim AS node\n\
         RUN mkdir -p /out/nodejs/bin /out/etc && cp /usr/local/bin/node /out/nodejs/bin/ \\\n\
         && ldd /usr/local/bin/node | grep -o '/[^ )]*' | sort -u | xargs cp --parents --dereference --target-directory=/out \\\n\
         && echo 'nonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin' > /out/etc/passwd\n\
         FROM scratch\n\
         COPY --from=node /out/ /\n\
         ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         ENTRYPOINT [\"/nodejs/bin/node\"]\n",
    );
    let image = format!("drydock-test/distroless:{}", nonce());
    docker(&["build", "--quiet", "--tag", &image, folder.root().as_str()]);
    (Images::new([(image.clone(), image.clone())].into()), image)
}

#[test]
fn services_and_commands_run_where_there_is_no_shell() {
    let (_image, image) = stand_in();
    let fixture = services(
        &[("graceful", "node index.js", WITH_HANDLER), ("tells", "node index.js", TELLS), ("tool", "", "")],
        &format!(
            "[workspace]\nnode = \"22\"\n[target.graceful]\nimage = \"{image}\"\nhealthcheck = \"/\"\n\
             [target.tells]\nimage = \"{image}\"\nwritable = [\"data\"]\n[target.tool]\nimage = \"{image}\"\nkind = \"cli\"\n\
             command = [\"node\", \"index.js\"]\n"
        ),
    );
    fixture.write("tool/index.js", "console.log(process.argv.slice(2).join('+'), process.cwd());\n");
    let build = Build::of(&fixture, &[]);

    let mut graceful = Container::start_with(build.image("graceful"), 3000, &["--health-interval", "1s"]);
    graceful.ready("/");
    assert_eq!(graceful.health("healthy"), "healthy", "{}", graceful.log());
    assert_eq!(graceful.stops_at_once("/"), 0, "{}", graceful.log());
    let settings = config(build.image("graceful"));
    assert_eq!(settings["Entrypoint"], json!(["tini", "--", "/nodejs/bin/node"]));
    assert_eq!((&settings["Cmd"], &settings["User"]), (&json!(["index.js"]), &json!("65532:65532")));

    let tells = Container::start(build.image("tells"), 3000);
    let told: Value = serde_json::from_str(&tells.ready("/").body).expect("JSON");
    let expected = json!({
        "user": 65532, "pid": told["pid"], "program": "/nodejs/bin/node", "files": ["index.js", "package.json"],
        "shell": false, "child": "42\n", "inData": true, "inApp": "EACCES",
    });
    assert_eq!(told, expected);
    assert_ne!(told["pid"], 1, "an init is the first process");

    let said = docker(&["run", "--rm", "--workdir", "/etc", build.image("tool"), "a", "b c"]);
    assert_eq!(said, "a+b c /etc\n");
}

/// Nothing is installed for them: what they need is in what their build wrote.
#[test]
fn servers_that_their_build_packs_run_where_there_is_no_shell() {
    let (_image, image) = stand_in();
    let fixture = Fixture::example("kinds");
    fixture.write("drydock.toml", &format!("[target.next]\nimage = \"{image}\"\n[target.nuxt]\nimage = \"{image}\"\n"));
    let build = Build::of(&fixture, &["next", "nuxt"]);
    for (target, command) in [("next", json!(["server.js"])), ("nuxt", json!([".output/server/index.mjs"]))] {
        let mut container = Container::start(build.image(target), 3000);
        let tide: Value = serde_json::from_str(&container.ready("/tides/6").body).expect("JSON");
        assert_eq!(tide["word"], "low water", "{target}");
        assert!(container.get("/").body.contains("falling"), "{target}");
        let settings = config(build.image(target));
        assert_eq!(settings["Entrypoint"], json!(["tini", "--", "/nodejs/bin/node"]), "{target}");
        assert_eq!((&settings["Cmd"], &settings["User"]), (&command, &json!("65532:65532")), "{target}");
        if target == "next" {
            // It keeps what it makes again.
            let (first, begun) = (container.get("/now").body, Instant::now());
            let keeps = || docker(&["diff", container.name()]).contains(" /app/next/.next/server/");
            while container.get("/now").body == first || !keeps() {
                assert!(begun.elapsed() < KEPT_WITHIN, "a page is not kept: {}", container.log());
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        container.stops_at_once("/");
    }
}

#[test]
fn one_word_chooses_what_images_are_made_on() {
    let fixture =
        services(&[("api", "node index.js", WITH_HANDLER)], "[workspace]\nnode = \"22.4\"\nbase = \"alpine\"\n");
    let froms = |fixture: &Fixture| -> Vec<String> {
        let dockerfile = run(fixture, &["dockerfile"], 0).stdout;
        dockerfile
            .lines()
            .filter(|line| line.starts_with("FROM ") || line.starts_with("ENTRYPOINT"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(froms(&fixture)[0], "FROM node:22.4-alpine AS base");
    fixture.edit("drydock.toml", "alpine", "distroless");
    let all = froms(&fixture);
    assert_eq!(all[0], "FROM node:22.4-bookworm-slim AS base");
    assert!(all.contains(&"FROM gcr.io/distroless/nodejs22-debian12 AS runtime-base-api".to_owned()), "{all:?}");
}
