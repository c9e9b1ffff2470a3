//! The kinds of target of `examples/kinds`: built at once, started, asked, stopped.

use std::time::{Duration, Instant};

use drydock_test::Fixture;
use serde_json::{Value, json};

use crate::docker::{Container, Images, config, docker, shell};
use crate::drydock::{Build, nonce, run};
use crate::registry::Registry;

/// More than Next needs to make a page again that is older than a second, and to write it.
pub(crate) const KEPT_WITHIN: Duration = Duration::from_secs(30);

/// Six hours after high water, as JSON and in words: nobody but the library that all share knows it.
fn tide() -> Value {
    json!({ "hour": 6, "level": 21, "word": "low water" })
}

const WORDS: &str = "low water, 21 cm";

#[test]
fn each_kind_is_built_started_asked_and_stopped() {
    let fixture = Fixture::example("kinds");
    let toml = fixture.read("drydock.toml");
    // Docker's default is to ask twice a minute.
    fixture.write("drydock.toml", &toml.replace("\"/health\"", "{ path = \"/health\", interval = 1 }"));
    let build = Build::of(&fixture, &[]);

    for (target, command, port) in [
        ("express", json!(["node", "dist/server.js"]), 3002),
        ("fastify", json!(["node", "dist/server.js"]), 3001),
        ("nest", json!(["node", "dist/main.js"]), 3003),
        ("next", json!(["node", "server.js"]), 3000),
        ("nuxt", json!(["node", ".output/server/index.mjs"]), 3000),
        ("react-router", json!(["react-router-serve", "./build/server/index.js"]), 3000),
    ] {
        let image = build.image(target);
        let config = config(image);
        assert_eq!(config["Cmd"], command, "{target}");
        assert_eq!(config["Entrypoint"], json!(["tini", "--"]), "{target}");
        assert_eq!(config["User"], "node", "{target}");
        let mut container = Container::start(image, port);
        let answer = container.ready("/tides/6");
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        if target == "express" {
            assert_eq!(answer.body.trim(), WORDS);
        } else {
            assert_eq!(serde_json::from_str::<Value>(&answer.body).expect("JSON"), tide(), "{target}");
        }
        match target {
            "next" => next(&container),
            "nuxt" => nuxt(&container),
            "react-router" => react_router(&container),
            "express" | "nest" => assert_eq!(container.health("healthy"), "healthy", "{}", container.log()),
            _ => {}
        }
        assert_eq!(container.shell("id -un").trim(), "node", "{target}");
        assert_eq!(container.shell("stat -c %u /proc/1").trim(), "1000", "{target}");
        container.stops_at_once("/tides/6");
    }
    astro(build.image("astro"));
    cli(build.image("cli"));
    // What only builds need is in none of them; of an optional peer of React Router's, npm itself leaves TypeScript there.
    for target in ["cli", "express", "fastify", "nest", "next", "nuxt", "react-router"] {
        let tools = "find /app -type d \\( -path '*/node_modules/typescript' -o -path '*/node_modules/vite' \
                     -o -path '*/node_modules/@nestjs/cli' -o -path '*/node_modules/prettier' \
                     -o -path '*/node_modules/@next/swc-*' \\) -prune";
        let allowed = if target == "react-router" { "/app/node_modules/typescript\n" } else { "" };
        assert_eq!(shell(build.image(target), tools), allowed, "{target}");
    }
}

/// Pages, what is hashed beside them, and what lies in `public`.
fn next(container: &Container) {
    let page = container.get("/");
    assert!(page.body.contains("falling"), "{page:?}");
    let script = named(&page.body, "/_next/static/", ".js");
    let script = container.get(&script);
    assert_eq!(script.status, 200);
    assert!(script.header("cache-control").contains("immutable"), "{:?}", script.headers);
    assert_eq!(container.get("/anchor.svg").status, 200);
    // It may write where it keeps what it has computed.
    container.shell("touch /app/next/.next/cache/x /tmp/begun");
    let (first, begun) = (container.get("/now").body, Instant::now());
    let kept = "find /app/next/.next/server -type f -newer /tmp/begun";
    while container.get("/now").body == first || container.shell(kept).is_empty() {
        assert!(begun.elapsed() < KEPT_WITHIN, "a page that was made again is not kept: {}", container.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(!container.log().contains("EACCES"), "{}", container.log());
}

fn nuxt(container: &Container) {
    let page = container.get("/");
    assert!(page.body.contains("falling"), "{page:?}");
    assert_eq!(container.get(&named(&page.body, "/_nuxt/", ".js")).status, 200);
    assert_eq!(container.get("/anchor.svg").status, 200);
    // Nitro has packed what it needs; nothing was installed.
    assert_eq!(container.shell("ls /app /app/nuxt"), "/app:\nnuxt\n\n/app/nuxt:\n");
}

fn react_router(container: &Container) {
    let page = container.get("/");
    assert!(page.body.contains("falling"), "{page:?}");
    assert_eq!(container.get(&named(&page.body, "/assets/", ".js")).status, 200);
}

fn astro(image: &str) {
    let mut container = Container::start(image, 8080);
    assert!(container.ready("/").body.contains("falling"));
    assert!(container.get("/tides/6/").body.contains(WORDS));
    // A site of pages: what is not there is not the first page.
    assert_eq!(container.get("/tides/nowhere").status, 404);
    container.stops_at_once("/");
}

fn cli(image: &str) {
    assert_eq!(
        docker(&["run", "--rm", "--network", "none", image, "0", "6"]),
        "0 h  380 cm  high water\n6 h  21 cm  low water\n"
    );
    assert_eq!(config(image)["Entrypoint"], json!(["tini", "--", "node", "/app/cli/dist/main.js"]));
}

/// The first path in a page that begins and ends like this.
fn named(page: &str, begin: &str, end: &str) -> String {
    let mut paths = page.split(['"', '\'']).filter(|part| part.starts_with(begin) && part.ends_with(end));
    paths.next().unwrap_or_else(|| panic!("no {begin}…{end} in {page}")).to_owned()
}

/// The tags of a backend for a private registry, from its own version.
#[test]
fn a_backend_goes_to_a_private_registry_under_its_version() {
    let registry = Registry::start(None);
    let fixture = Fixture::example("kinds");
    let path = format!("harbour-{}", nonce());
    let toml = format!(
        "[workspace]\nregistry = \"{}/{path}\"\ntags = [\"{{target}}:{{version}}\", \"{{target}}:latest\"]\n{}",
        registry.host,
        fixture.read("drydock.toml")
    );
    fixture.write("drydock.toml", &toml);
    let tag = |tag: &str| (tag.to_owned(), format!("{}/{path}/nest:{tag}", registry.host));
    let _images = Images::new([tag("1.2.0"), tag("latest")].into());
    run(&fixture, &["build", "nest", "--push"], 0);
    assert_eq!(registry.tags(), [format!("{path}/nest:1.2.0"), format!("{path}/nest:latest")]);
    let digest = registry.digest(&format!("{path}/nest"), "1.2.0");
    assert_eq!(registry.digest(&format!("{path}/nest"), "latest"), digest);
}
