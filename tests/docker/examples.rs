//! The examples: built from a fresh copy, started, asked over HTTP, stopped, and looked into.

use std::collections::BTreeSet;
use std::process::Command;

use drydock_test::Fixture;
use serde_json::{Value, json};

use crate::docker::{Container, config, shell};
use crate::drydock::Build;

#[test]
fn chat_is_built_started_and_holds_what_it_should() {
    let fixture = Fixture::example("chat");
    // What a developer's tree holds beside the sources.
    for folder in ["", "api/", "client/", "packages/data-provider/"] {
        fixture.write(&format!("{folder}.env"), "SECRET=not-for-images-7f3a\n");
    }
    fixture.write("packages/data-provider/dist/stale.js", "export {};\n");
    fixture.write("client/dist/assets/stale.js", "export {};\n");
    fixture.write("node_modules/leftover/package.json", r#"{ "name": "leftover" }"#);
    let build = Build::of(&fixture, &["api"]);
    let image = build.image("api");

    let mut container = Container::start(image, 3080);
    assert_eq!(json_of(&container.ready("/health").body), json!({ "status": "ok" }));
    assert_eq!(json_of(&container.get("/api/config").body), json!({ "version": "0.4.0", "environment": "production" }));
    let said = container.post("/api/messages", "application/json", r#"{"text":"hello there"}"#);
    assert_eq!(said.status, 201, "{said:?}");
    assert!(said.body.contains("2 words"), "{said:?}");
    assert_eq!(container.post("/api/messages", "application/json", r#"{"text":""}"#).status, 422);
    assert_eq!(container.get("/api/nowhere").status, 404);
    let page = container.get("/");
    assert!(page.body.contains("id=\"log\""), "{page:?}");
    assert_eq!(container.get("/any/route/of/the/front/end").body, page.body);
    let css = container.get(&asset(&page.body, ".css"));
    assert_eq!(css.status, 200);
    // Only the sources of another package use this class, and only that package's theme has its radius.
    assert!(css.body.contains(".rounded-bubble"), "{}", css.body);
    assert_eq!(container.get(&asset(&page.body, ".js")).status, 200);

    assert_eq!(processes(&container), ["1000 tini -- node server/index.js"]);
    container.stops_at_once("/");

    let config = config(image);
    assert_eq!(config["User"], "node");
    assert_eq!(config["WorkingDir"], "/app/api");
    assert_eq!(config["ExposedPorts"], json!({ "3080/tcp": {} }));
    assert_eq!(config["Cmd"], json!(["node", "server/index.js"]));
    assert!(environment(&config).contains("NODE_ENV=production"), "{config}");
    assert!(environment(&config).contains("PORT=3080"), "{config}");

    holds_exactly_the_production_closure(&fixture, image, "@chat/api-server");
    insta::assert_snapshot!(files(image, "/app"), @r"
    api/package.json
    api/server/index.js
    client/dist/anchor.svg
    client/dist/assets/index-HASH.css
    client/dist/assets/index-HASH.js
    client/dist/index.html
    package-lock.json
    package.json
    packages/api/dist/index.d.ts
    packages/api/dist/index.js
    packages/api/package.json
    packages/data-provider/dist/index.d.ts
    packages/data-provider/dist/index.js
    packages/data-provider/package.json
    packages/data-schemas/dist/index.d.ts
    packages/data-schemas/dist/index.js
    packages/data-schemas/package.json
    ");
    nothing_secret_is_in(image);
}

#[test]
fn rag_is_built_started_and_holds_what_it_should() {
    let fixture = Fixture::example("rag");
    for folder in ["", "src/backend/", "src/backend/data/", "src/frontend/"] {
        fixture.write(&format!("{folder}.env"), "SECRET=not-for-images-7f3a\n");
    }
    let build = Build::of(&fixture, &[]);
    backend(&fixture, build.image("backend"));
    ingestion(&fixture, build.image("ingestion"));
    frontend(build.image("frontend"));
    assert_eq!(config(build.image("frontend"))["ExposedPorts"], json!({ "8080/tcp": {} }));
}

/// What a browser sees does not depend on the web server.
#[test]
fn caddy_serves_a_site_as_nginx_does() {
    let fixture = Fixture::example("rag");
    fixture.write("drydock.toml", "[target.frontend]\nserver = \"caddy\"\n");
    let build = Build::of(&fixture, &["frontend"]);
    frontend(build.image("frontend"));
    assert_eq!(config(build.image("frontend"))["User"], "1000:1000");
}

fn backend(fixture: &Fixture, image: &str) {
    let mut container = Container::start(image, 3000);
    assert_eq!(json_of(&container.ready("/").body), json!({ "message": "server up", "passages": 4 }));
    let answer = container.post("/chat", "application/json", r#"{"question":"Until when is a booking held?"}"#);
    assert_eq!(
        json_of(&answer.body),
        json!({
            "answer": "Berths can be booked thirty days ahead. A booking is held until noon of the day of arrival.",
            "sources": ["support.md"],
        })
    );
    assert_eq!(container.post("/chat", "application/json", "{}").status, 400);
    container.stops_at_once("/");

    let config = config(image);
    assert_eq!(config["User"], "node");
    assert_eq!(config["ExposedPorts"], json!({ "3000/tcp": {} }));
    assert_eq!(config["Cmd"], json!(["fastify", "start", "-l", "info", "dist/app.js"]));
    assert!(environment(&config).contains("NODE_ENV=production"), "{config}");
    holds_exactly_the_production_closure(fixture, image, "backend");
    insta::assert_snapshot!(files(image, "/app"), @r"
    package-lock.json
    package.json
    src/backend/data/support.md
    src/backend/data/terms.md
    src/backend/dist/answer.js
    src/backend/dist/app.js
    src/backend/dist/passages.js
    src/backend/package.json
    ");
    nothing_secret_is_in(image);
}

fn ingestion(fixture: &Fixture, image: &str) {
    let mut container = Container::start(image, 3001);
    assert_eq!(json_of(&container.ready("/").body), json!({ "message": "server up" }));
    let document = fixture.read("src/backend/data/support.md");
    let answer = json_of(&container.post("/documents", "text/markdown", &document).body);
    assert_eq!(answer["passages"].as_array().map(Vec::len), Some(2), "{answer}");
    container.stops_at_once("/");

    assert_eq!(config(image)["ExposedPorts"], json!({ "3001/tcp": {} }));
    holds_exactly_the_production_closure(fixture, image, "ingestion");
    insta::assert_snapshot!(files(image, "/app"), @r"
    package-lock.json
    package.json
    src/ingestion/dist/app.js
    src/ingestion/package.json
    ");
}

fn frontend(image: &str) {
    let mut container = Container::start(image, 8080);
    let page = container.ready("/");
    assert!(page.body.contains("<ask-form"), "{page:?}");
    assert_eq!(page.header("cache-control"), "no-cache");
    let deep = container.get("/a/link/into/the/site");
    assert_eq!((deep.status, &deep.body), (200, &page.body));
    let script = container.get(&asset(&page.body, ".js"));
    assert_eq!(script.status, 200);
    assert!(script.header("content-type").contains("javascript"), "{:?}", script.headers);
    assert_eq!(script.header("cache-control"), "public, max-age=31536000, immutable");
    assert!(script.body.contains("http://localhost:3000"), "the backend's address is not in the script");
    // Nginx's own pages are not the site's.
    assert_eq!(container.get("/50x.html").body, page.body);
    // An asset of an older version is gone; the page in its place would be run as a script.
    assert_eq!(container.get("/assets/index-Gone1234.js").status, 404);
    let icon = container.get("/question.svg");
    assert_eq!((icon.status, icon.header("cache-control")), (200, "no-cache"));
    container.stops_at_once("/");

    let user = shell(image, "id -u");
    assert_ne!(user.trim(), "0");
    // Both servers hand out the same files.
    insta::allow_duplicates! {
        insta::assert_snapshot!(files(image, "/srv/www"), @r"
        assets/index-HASH.js
        index.html
        question.svg
        ");
    }
    nothing_secret_is_in(image);
}

/// The address is written into the files, so it must be there when they are built.
#[test]
fn a_build_argument_reaches_the_front_end() {
    let fixture = Fixture::example("rag");
    fixture.write("drydock.toml", "[package.frontend]\nargs = { BACKEND_API_URI = \"https://first.example\" }\n");
    let holds = |build: &Build, address: &str| {
        let script = format!("grep -rl {address} /srv/www/assets || true");
        !shell(build.image("frontend"), &script).is_empty()
    };
    let build = Build::of(&fixture, &["frontend"]);
    assert!(holds(&build, "https://first.example"));
    let build = Build::with(&fixture, &["frontend"], &["--build-arg", "BACKEND_API_URI=https://second.example"], 0);
    assert!(holds(&build, "https://second.example") && !holds(&build, "https://first.example"));
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

/// The path of the first asset with an extension that a page names.
fn asset(page: &str, extension: &str) -> String {
    let paths = page.split('"').filter(|part| part.starts_with("/assets/") && part.ends_with(extension));
    paths.map(str::to_owned).next().unwrap_or_else(|| panic!("no {extension} in {page}"))
}

/// `UID COMMAND` of the first process in a container. The images have no `ps`.
fn processes(container: &Container) -> Vec<String> {
    let script = r"echo $(stat -c %u /proc/1) $(tr '\0' ' ' < /proc/1/cmdline)";
    container.shell(script).lines().map(|line| line.trim().to_owned()).collect()
}

fn environment(config: &Value) -> BTreeSet<&str> {
    config["Env"].as_array().expect("a list").iter().filter_map(Value::as_str).collect()
}

/// The folders of `node_modules` in an image are those that npm itself counts to the production closure of a package
/// by the whole lockfile, neither more nor less.
fn holds_exactly_the_production_closure(fixture: &Fixture, image: &str, package: &str) {
    let output = Command::new("npm")
        .args(["ls", "--all", "--parseable", "--package-lock-only", "--omit=dev", "--workspace", package])
        .current_dir(fixture.root())
        .output()
        .expect("`npm` is on PATH");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let root = format!("{}/", fixture.root());
    let expected: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix(&root)).collect();
    assert!(expected.len() > 3, "npm ls: {}", String::from_utf8_lossy(&output.stderr));
    // A package is `node_modules/NAME` or `node_modules/@SCOPE/NAME`: a folder, or a link to a member.
    let script = r"cd /app && find . \( -type d -o -type l \) \
        \( -path '*/node_modules/*' -a ! -name '.*' -a ! -name '@*' \) \
        | sed 's|^\./||' | grep -E '(^|/)node_modules/(@[^/]+/)?[^/@]+$'";
    let listing = shell(image, script);
    let found: BTreeSet<&str> = listing.lines().collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    let more: Vec<_> = found.difference(&expected).collect();
    assert!(missing.is_empty() && more.is_empty(), "{package}: missing {missing:?}, too much {more:?}");
    for tool in ["typescript", "vite", "prettier"] {
        assert!(!listing.contains(&format!("node_modules/{tool}\n")), "{tool} is in the image of {package}");
    }
}

/// What an image holds of the workspace under a folder: everything but third-party packages.
fn files(image: &str, folder: &str) -> String {
    let masked = r"sed -E 's,^\./,,; s,-[A-Za-z0-9_-]{8}\.(js|css)$,-HASH.\1,' | LC_ALL=C sort";
    shell(image, &format!("cd {folder} && find . -name node_modules -prune -o -type f -print | {masked}"))
}

/// Files named `.env`, and the words in them, are nowhere.
fn nothing_secret_is_in(image: &str) {
    let found = shell(
        image,
        "find / -xdev -name '.env*' -type f 2> /dev/null; grep -rl not-for-images-7f3a /app /srv 2> /dev/null; true",
    );
    assert_eq!(found.trim(), "");
}
