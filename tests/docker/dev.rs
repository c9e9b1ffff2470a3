//! Images in which targets are developed: what is edited is served, by a user without rights.

use std::time::{Duration, Instant};

use drydock_test::Fixture;

use crate::docker::{Container, config, shell};
use crate::drydock::Build;

/// More than a watcher needs to see an edit and to start anew.
const SEEN_WITHIN: Duration = Duration::from_secs(20);

/// Waits until `GET path` has `word` in its answer.
fn wait_for(container: &Container, path: &str, word: &str) {
    let begun = Instant::now();
    while !container.ready(path).body.contains(word) {
        assert!(begun.elapsed() < SEEN_WITHIN, "{word} is not in {path}: {}", container.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_service_starts_again_when_its_sources_change() {
    let fixture = Fixture::example("chat");
    let build = Build::of(&fixture, &["api-dev"]);
    let image = build.image("api-dev");
    let mut container = Container::start(image, 3080);
    assert!(container.ready("/health").body.contains("ok"));
    assert_eq!(container.shell("id -un").trim(), "node");
    container.shell("sed -i 's/no such endpoint/nothing to see here/' server/index.js");
    wait_for(&container, "/api/nowhere", "nothing to see here");
    container.stops_at_once("/health");

    // What is installed is there whole, and what it imports of the workspace is built.
    let held = "test -e ../packages/api/dist/index.js && test -e ../packages/api/src && echo whole";
    assert_eq!(shell(image, held).trim(), "whole");
    assert_eq!(config(image)["User"], "node");
    // The image that is shipped is another one, and is not built with it.
    assert_eq!(build.lines("target-finished").count(), 1);
}

#[test]
fn a_site_is_served_from_what_is_mounted_over_it_with_the_packages_of_the_image() {
    let fixture = Fixture::example("rag");
    let build = Build::of(&fixture, &["frontend-dev"]);
    let sources = format!("{}:/app/src/frontend", fixture.root().join("src/frontend"));
    let options = ["--volume", &sources, "--volume", "/app/src/frontend/node_modules"];
    let container = Container::start_with(build.image("frontend-dev"), 8000, &options);
    assert!(container.ready("/").body.contains("@vite/client"), "{}", container.log());
    fixture.edit("src/frontend/index.html", "</head>", "<meta name=\"edited\"></head>");
    wait_for(&container, "/", "edited");
    // Vite keeps what it prepares below `node_modules`, which this user does not own but for the folder itself.
    assert_eq!(container.shell("stat -c %U node_modules").trim(), "node");
}
