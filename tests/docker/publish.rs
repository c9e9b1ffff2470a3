//! What becomes of images: names, labels, registries, files, metadata. And what must become of nothing: secrets.

use std::process::Command;

use drydock_test::Fixture;
use serde_json::{Value, json};

use crate::docker::{Images, docker};
use crate::drydock::{Build, Said, drydock, nonce, run};
use crate::failure::{WORKS, two_services};
use crate::registry::Registry;
use crate::relay::Relay;

/// Makes the fixture a git repository with one commit on the branch `feature/x`, and gives the commit's name.
fn commit(fixture: &Fixture) -> String {
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=feature/x"];
        let output = Command::new("git").args(identity).args(arguments).current_dir(fixture.root()).output();
        let output = output.expect("`git` is on PATH");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["remote", "add", "origin", "https://me:token@example.com/acme/shop.git"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "one"]);
    git(&["rev-parse", "HEAD"])
}

/// The tags `host/path/TARGET:tag` of both services, to be removed in the end.
fn images(templates: &[&str]) -> Images {
    let tags = templates.iter().flat_map(|template| {
        ["left", "right"].map(|target| (format!("{template} {target}"), template.replace("{target}", target)))
    });
    Images::new(tags.collect())
}

fn metadata(fixture: &Fixture) -> Value {
    serde_json::from_str(&fixture.read("meta.json")).expect("JSON")
}

pub(crate) fn has_containerd_store() -> bool {
    docker(&["info", "--format", "{{.DriverStatus}}"]).contains("io.containerd.snapshotter.v1")
}

#[test]
fn images_are_named_by_templates_labelled_and_pushed_with_all_that_names_them_written_down() {
    let registry = Registry::start(None);
    let fixture = two_services(&nonce(), WORKS);
    let sha = commit(&fixture);
    let host = &registry.host;
    let toml = format!(
        "{}registry = \"{host}/acme\"\ntags = [\"{{target}}:{{version}}\"]\nlabels = {{ team = \"{{target}}-people\" }}\n",
        fixture.read("drydock.toml")
    );
    fixture.write("drydock.toml", &toml);
    let short = &sha[..7];
    let _images = images(&[
        &format!("{host}/acme/{{target}}:1.0.0"),
        &format!("{host}/acme/{{target}}:feature-x-{short}"),
        &format!("{host}/other/{{target}}:{sha}"),
    ]);

    let arguments = ["build", "--push", "--metadata-file", "meta.json", "--oci-labels", "--label", "a={git.branch}"];
    let said = run(&fixture, &arguments, 0);
    assert_eq!(registry.tags(), ["acme/left:1.0.0", "acme/right:1.0.0"]);
    assert!(said.stderr.contains(&format!("Pushed {host}/acme/left:1.0.0")), "{}", said.stderr);
    let meta = metadata(&fixture);
    for target in ["left", "right"] {
        assert_eq!(meta[target]["containerimage.digest"], registry.digest(&format!("acme/{target}"), "1.0.0"));
        assert_eq!(meta[target]["image.name"], format!("{host}/acme/{target}:1.0.0"));
    }
    let labels = docker(&["inspect", "--format", "{{json .Config.Labels}}", &format!("{host}/acme/left:1.0.0")]);
    let labels: Value = serde_json::from_str(&labels).expect("JSON");
    assert_eq!(labels["team"], "left-people");
    assert_eq!(labels["a"], "feature/x");
    assert_eq!(labels["org.opencontainers.image.source"], "https://example.com/acme/shop");
    // The configuration was changed after the commit.
    assert_eq!(labels["org.opencontainers.image.revision"], format!("{sha}-dirty"));
    assert_eq!(labels["org.opencontainers.image.version"], "1.0.0");
    assert_eq!(labels["org.opencontainers.image.created"], Value::Null);

    // The command line wins over the configuration, and what names a registry stays as it is.
    let other = format!("{host}/other/{{target}}:{{git.sha}}");
    let said = run(&fixture, &["build", "--push", "-t", "{target}:{git.branch}-{git.short}", "-t", &other], 0);
    let expected = ["left", "right"].map(|target| format!("acme/{target}:feature-x-{short}"));
    assert!(expected.iter().all(|tag| registry.tags().contains(tag)), "{:?}", registry.tags());
    assert!(registry.tags().contains(&format!("other/left:{sha}")), "{:?}", registry.tags());
    assert!(said.stderr.contains("warning[tag-of-dirty-tree]"), "{}", said.stderr);
}

#[test]
fn equal_sources_have_equal_fingerprints() {
    let fixture = two_services(&nonce(), WORKS);
    let tag = |fixture: &Fixture| {
        let bake: Value =
            serde_json::from_str(&run(fixture, &["bake", "--tag", "{target}:{fingerprint}"], 0).stdout).expect("JSON");
        ["left", "right"].map(|target| bake["target"][target]["tags"][0].as_str().expect("a tag").to_owned())
    };
    let before = tag(&fixture);
    assert_eq!(tag(&fixture), before);
    fixture.write("left-library/index.js", "module.exports = 'other';\n");
    let [left, right] = tag(&fixture);
    assert_ne!(left, before[0]);
    assert_eq!(right, before[1]);
}

#[test]
fn nothing_is_pushed_when_a_target_fails_unless_each_may_go() {
    let registry = Registry::start(None);
    let fixture = two_services(&nonce(), "exit 7");
    let tag = format!("{}/x/{{target}}:1", registry.host);
    let _images = images(&[&tag]);
    let arguments = ["build", "--push", "--keep-going", "--tag", &tag, "--metadata-file", "meta.json"];
    let said = run(&fixture, &arguments, 1);
    assert!(said.stderr.contains("warning[push-withheld]: nothing was pushed"), "{}", said.stderr);
    assert_eq!(registry.tags(), [""; 0]);
    assert_eq!(metadata(&fixture), json!({}));

    run(&fixture, &[&arguments[..], &["--no-atomic"]].concat(), 1);
    assert_eq!(registry.tags(), ["x/right:1"]);
    let meta = metadata(&fixture);
    assert_eq!(meta["left"], Value::Null);
    assert_eq!(meta["right"]["containerimage.digest"], registry.digest("x/right", "1"));
}

#[test]
fn a_registry_that_refuses_is_told_with_the_way_in() {
    let registry = Registry::start(Some(("me", "password")));
    let fixture = two_services(&nonce(), WORKS);
    let tag = format!("{}/x/{{target}}:1", registry.host);
    let _images = images(&[&tag]);
    let said = run(&fixture, &["build", "left", "--push", "--tag", &tag, "--metadata-file", "meta.json"], 1);
    assert!(said.stderr.contains("error[push-failed]"), "{}", said.stderr);
    assert!(said.stderr.contains(&format!("log in with `docker login {}`", registry.host)), "{}", said.stderr);
    assert_eq!(metadata(&fixture), json!({}));

    // me:password
    let auth = json!({ "auths": { &registry.host: { "auth": "bWU6cGFzc3dvcmQ=" } } });
    fixture.write("docker/config.json", &auth.to_string());
    let arguments = ["build", "left", "--push", "--tag", &tag, "--format", "json"];
    let output = drydock(&fixture, &arguments).env("DOCKER_CONFIG", fixture.root().join("docker")).output();
    let said = Said::of(&output.expect("it runs"), &arguments, 0);
    assert_eq!(registry.tags(), ["x/left:1"]);
    let lines: Vec<Value> = said.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let line = |reason: &str| lines.iter().find(|line| line["reason"] == reason).expect("is told");
    assert_eq!(line("pushed")["digest"], registry.digest("x/left", "1"));
    assert_eq!(line("target-finished")["digest"], registry.digest("x/left", "1"));
}

#[test]
fn results_go_to_files() {
    let fixture = two_services(&nonce(), WORKS);
    let said = run(&fixture, &["build", "--output", "type=local,dest=out/{target}"], 0);
    assert!(said.stderr.contains("left out/left"), "{}", said.stderr);
    assert_eq!(fixture.read("out/right/app/right-library/dist/index.js"), "module.exports = 'right';\n");

    let arguments = ["build", "left", "--output", "type=oci,dest=left.tar", "--tag", "example.com/left:1"];
    if has_containerd_store() {
        run(&fixture, &arguments, 0);
        let listing = Command::new("tar").arg("-tf").arg(fixture.root().join("left.tar")).output().expect("`tar`");
        assert!(String::from_utf8_lossy(&listing.stdout).contains("index.json"));
    } else {
        let said = run(&fixture, &arguments, 4);
        assert!(said.stderr.contains("cannot make an archive of an image"), "{}", said.stderr);
    }

    let said = run(&fixture, &["build", "--output", "type=cacheonly"], 0);
    assert!(said.stderr.contains("in the build cache"), "{}", said.stderr);
}

#[test]
fn attestations_annotations_and_platforms_are_where_the_store_holds_them() {
    let registry = Registry::start(None);
    let fixture = two_services(&nonce(), WORKS);
    let tag = format!("{}/x/{{target}}:1", registry.host);
    let _images = images(&[&tag]);
    let push = ["build", "left", "--push", "--tag", &tag];
    let wishes: [&[&str]; 3] =
        [&["--provenance=mode=max"], &["--annotation", "a={target}"], &["--platform", "linux/amd64,linux/arm64"]];
    if !has_containerd_store() {
        for (wish, what) in wishes.iter().zip(["`provenance` attestations", "annotations", "several platforms"]) {
            let said = run(&fixture, &[&push[..], wish].concat(), 4);
            assert!(said.stderr.contains(what), "{}", said.stderr);
            assert!(said.stderr.contains("turn on containerd's image store"), "{}", said.stderr);
        }
        assert_eq!(registry.tags(), [""; 0]);
        return;
    }
    run(&fixture, &[&push[..], wishes[0], wishes[1]].concat(), 0);
    let index: Value = serde_json::from_str(&registry.manifest("x/left", "1")).expect("JSON");
    let of_kind = |kind: &str| {
        let manifests = index["manifests"].as_array().expect("an index");
        manifests.iter().filter(|manifest| manifest["annotations"]["vnd.docker.reference.type"] == kind).count()
    };
    assert_eq!(of_kind("attestation-manifest"), 1, "{index}");
    let manifest = index["manifests"][0]["digest"].as_str().expect("a digest");
    let manifest: Value = serde_json::from_str(&registry.manifest("x/left", manifest)).expect("JSON");
    assert_eq!(manifest["annotations"]["a"], "left", "{manifest}");
}

#[test]
fn caches_have_a_scope_for_each_target() {
    let registry = Registry::start(None);
    let fixture = two_services(&nonce(), WORKS);
    let cache = format!("type=registry,ref={}/cache:{{target}},mode=max", registry.host);
    let arguments = ["build", "--cache-to", &cache, "--output", "type=cacheonly"];
    if has_containerd_store() {
        run(&fixture, &arguments, 0);
        assert_eq!(registry.tags(), ["cache:left", "cache:right"]);
        let said = run(&fixture, &["build", "--cache-from", &cache, "--output", "type=cacheonly"], 0);
        for target in ["left", "right"] {
            let line = format!("importing cache manifest from {}/cache:{target}", registry.host);
            assert!(said.stderr.contains(&line), "{}", said.stderr);
        }
    } else {
        let said = run(&fixture, &arguments, 4);
        assert!(said.stderr.contains("cannot write a cache of type `registry`"), "{}", said.stderr);
    }

    let tag = format!("{}/inline/{{target}}:1", registry.host);
    let _images = images(&[&tag]);
    run(&fixture, &["build", "--push", "--tag", &tag, "--cache-to", "type=inline"], 0);
    let said = run(&fixture, &["build", "--cache-from", &tag, "--output", "type=cacheonly"], 0);
    let line = format!("importing cache manifest from {}/inline/right:1", registry.host);
    assert!(said.stderr.contains(&line), "{}", said.stderr);
}

#[test]
fn a_secret_is_seen_where_it_is_declared_and_nowhere_else() {
    let word = nonce();
    let fixture = two_services(&word, "cat /run/secrets/signing-key | rev && mkdir -p dist && cp index.js dist");
    let toml =
        format!("{}[package.\"@acme/left-library\"]\nsecrets = [\"signing-key\"]\n", fixture.read("drydock.toml"));
    fixture.write("drydock.toml", &toml);
    let said = run(&fixture, &["build", "left"], 2);
    assert!(said.stderr.contains("error[secret-missing]: the secret `signing-key`"), "{}", said.stderr);
    assert!(said.stderr.contains("`SIGNING_KEY`"), "{}", said.stderr);

    let secret = format!("sesame-{word}");
    fixture.write("key", &secret);
    let build = Build::with(&fixture, &[], &["--secret", "id=signing-key,src=key"], 0);
    let reversed: String = secret.chars().rev().collect();
    let seen = build.lines("log").filter(|line| line["text"] == reversed.as_str());
    assert_eq!(seen.map(|line| line["stage"].as_str()).collect::<Vec<_>>(), [Some("build-left-library")]);
    let dockerfile = run(&fixture, &["dockerfile"], 0).stdout;
    assert_eq!(dockerfile.matches("id=signing-key").count(), 1, "{dockerfile}");
    assert_in_no_layer(build.image("left"), &secret);
}

/// The token of the root's `.npmrc` opens a registry to `npm ci`, and stays outside of the image.
#[test]
fn a_token_in_npmrc_reaches_the_install_as_a_secret() {
    let token = format!("npm_{}", nonce());
    let npm = crate::npm::Npm::start(&token);
    let fixture = two_services(&nonce(), WORKS);
    fixture.write(".npmrc", &format!("@private:registry=http://{0}/\n//{0}/:_authToken={token}\n", npm.host));
    fixture.edit("left/package.json", "\"dependencies\":{", "\"dependencies\":{\"@private/one\":\"1.0.0\",");
    let mut lock: Value = serde_json::from_str(&fixture.read("package-lock.json")).expect("JSON");
    lock["packages"]["left"]["dependencies"]["@private/one"] = "1.0.0".into();
    lock["packages"]["node_modules/@private/one"] =
        json!({ "version": "1.0.0", "resolved": npm.tarball(), "integrity": npm.integrity });
    fixture.write("package-lock.json", &lock.to_string());

    let build = Build::with(&fixture, &["left"], &["--network", "host"], 0);
    assert!(npm.served() > 0);
    assert_eq!(npm.refused(), 0);
    let printed = crate::docker::shell(build.image("left"), "node -p \"require('@private/one')\"");
    assert_eq!(printed.trim(), "open");
    assert_in_no_layer(build.image("left"), &token);
    let history = docker(&["history", "--no-trunc", build.image("left")]);
    assert!(!history.contains(&token), "{history}");
    for document in [&["dockerfile"][..], &["plan", "--format", "json"], &["bake"]] {
        assert!(!run(&fixture, document, 0).stdout.contains(&token), "{document:?}");
    }
}

/// Looks for a text in all that `docker save` writes of an image: configuration, history, layers.
fn assert_in_no_layer(image: &str, text: &str) {
    let folder = Fixture::empty();
    let archive = folder.root().join("image.tar");
    docker(&["save", "--output", archive.as_str(), image]);
    let unpacked = Command::new("tar").args(["-xf", "image.tar"]).current_dir(folder.root()).status();
    assert!(unpacked.expect("`tar` is on PATH").success());
    // Layers are archives too, compressed or not.
    let script = format!(
        "find . -type f ! -name image.tar | while read -r file; do gzip -dcf \"$file\" | grep -c -a -- '{text}' | grep -v '^0$'; done; true"
    );
    let found = Command::new("sh").args(["-c", &script]).current_dir(folder.root()).output().expect("`sh` is on PATH");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "{}", String::from_utf8_lossy(&found.stderr));
}

#[test]
fn what_buildkit_says_is_passed_on_as_it_says_it() {
    let fixture = two_services(&nonce(), WORKS);
    let tag = format!("drydock-test/{{target}}:{}", nonce());
    let _images = images(&[&tag]);
    let said = run(&fixture, &["build", "--progress", "rawjson", "--tag", &tag], 0);
    let lines: Vec<Value> =
        said.stderr.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let vertexes = lines.iter().filter_map(|line| line["vertexes"].as_array()).flatten();
    assert!(vertexes.filter(|vertex| vertex["name"] == "[build-left-library 3/3] RUN npm run build").count() > 0);
}

#[test]
fn blocked_targets_are_named_with_what_blocked_them() {
    let fixture = two_services(&nonce(), "exit 7");
    // Both need the library that fails.
    fixture.edit("right/package.json", "\"dependencies\":{", "\"dependencies\":{\"@acme/left-library\":\"^1.0.0\",");
    let mut lock: Value = serde_json::from_str(&fixture.read("package-lock.json")).expect("JSON");
    lock["packages"]["right"]["dependencies"]["@acme/left-library"] = "^1.0.0".into();
    fixture.write("package-lock.json", &lock.to_string());
    let said = run(&fixture, &["build", "--keep-going"], 1);
    let blocked: Vec<&str> = said.stderr.lines().filter(|line| line.trim_start().starts_with("Blocked ")).collect();
    assert_eq!(blocked.len(), 1, "{}", said.stderr);
    assert!(blocked[0].contains("by @acme/left-library"), "{}", blocked[0]);
    assert_eq!(said.stderr.matches("error[step-failed]").count(), 1, "{}", said.stderr);
    assert!(said.stderr.contains("needed by targets `"), "{}", said.stderr);
}

#[test]
fn the_longest_chain_is_told() {
    let fixture = two_services(&nonce(), "sleep 2 && mkdir -p dist && cp index.js dist");
    let build = Build::of(&fixture, &["left"]);
    let chain = build.summary()["critical_path"].as_array().expect("a list");
    let stages: Vec<_> = chain.iter().filter_map(|link| link["stage"].as_str()).collect();
    let at = |stage: &str| stages.iter().position(|name| *name == stage).unwrap_or_else(|| panic!("{stages:?}"));
    assert!(at("install-left") < at("build-left-library"), "{stages:?}");
    let library = chain.iter().find(|link| link["stage"] == "build-left-library").expect("is among them");
    assert!(library["seconds"].as_f64() > Some(2.0), "{library}");
}

/// Where the daemon is, as `--builder` takes it.
pub(crate) fn daemon() -> String {
    let named = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
    let context = || docker(&["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]).trim().to_owned();
    named.unwrap_or_else(context)
}

#[test]
fn targets_are_spread_over_several_builders() {
    let registry = Registry::start(None);
    let fixture = two_services(&nonce(), WORKS);
    let tag = format!("{}/x/{{target}}:1", registry.host);
    let _images = images(&[&tag]);
    // The same one by two names.
    let (one, relay) = (daemon(), Relay::start(&fixture, b""));
    let arguments = ["build", "--builder", &one, "--builder", &relay, "--push", "--tag", &tag, "--format", "json"];
    let output = drydock(&fixture, &arguments).env("DOCKER_HOST", "unix:///nonexistent").output().expect("it runs");
    let said = Said::of(&output, &arguments, 0);
    let lines = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let finished: Vec<Value> = lines.filter(|line| line["reason"] == "target-finished").collect();
    let mut builders: Vec<&str> = finished.iter().filter_map(|line| line["builder"].as_str()).collect();
    builders.sort_unstable();
    let mut expected = [one.as_str(), relay.as_str()];
    expected.sort_unstable();
    assert_eq!(builders, expected);
    assert_eq!(registry.tags(), ["x/left:1", "x/right:1"]);
}

/// Docker's own BuildKit stands in for one: behind a relay that asks for it on each connection, nothing of Docker's API
/// can be seen.
#[test]
fn a_buildkitd_has_no_store_for_images() {
    let fixture = two_services(&nonce(), WORKS);
    let ask = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let relay = Relay::start(&fixture, ask);
    let said = run(&fixture, &["build", "left", "--builder", &relay], 0);
    assert!(said.stderr.contains("warning[output-nowhere]: the images stay in the build cache of"), "{}", said.stderr);
    run(&fixture, &["build", "left", "--builder", &relay, "--output", "out"], 0);
    assert_eq!(fixture.read("out/app/left-library/dist/index.js"), "module.exports = 'left';\n");

    if !has_containerd_store() {
        return;
    }
    let registry = Registry::start(None);
    let tag = format!("{}/x/{{target}}:1", registry.host);
    let _images = images(&[&tag]);
    let arguments = ["build", "--builder", &relay, "--push", "--load", "--tag", &tag, "--metadata-file", "meta.json"];
    run(&fixture, &arguments, 0);
    assert_eq!(registry.tags(), ["x/left:1", "x/right:1"]);
    assert_eq!(metadata(&fixture)["left"]["containerimage.digest"], registry.digest("x/left", "1"));
    assert_eq!(docker(&["images", "--quiet", &tag.replace("{target}", "left")]).lines().count(), 1);
}

/// Neither when different targets need them, nor when one needs both.
#[test]
fn heavy_builds_do_not_run_beside_each_other() {
    let script = "echo begun && sleep 1 && mkdir -p dist && cp index.js dist && echo ended";
    let fixture = two_services(&nonce(), script);
    fixture.edit("right-library/package.json", WORKS, script);
    fixture.edit("right/package.json", "\"dependencies\":{", "\"dependencies\":{\"@acme/left-library\":\"^1.0.0\",");
    let mut lock: Value = serde_json::from_str(&fixture.read("package-lock.json")).expect("JSON");
    lock["packages"]["right"]["dependencies"]["@acme/left-library"] = "^1.0.0".into();
    fixture.write("package-lock.json", &lock.to_string());
    let weights = ["left", "right"].map(|side| format!("[package.\"@acme/{side}-library\"]\nweight = 2\n"));
    fixture.write("drydock.toml", &format!("{}{}", fixture.read("drydock.toml"), weights.concat()));
    let build = Build::with(&fixture, &[], &["--jobs", "2"], 0);
    let said = |stage: &str, text: &str| {
        let places = build.places("log", |line| line["stage"] == stage && line["text"] == text);
        *places.first().unwrap_or_else(|| panic!("{stage} does not say `{text}`"))
    };
    let span = |stage: &str| (said(stage, "begun"), said(stage, "ended"));
    let (left, right) = (span("build-left-library"), span("build-right-library"));
    assert!(left.1 < right.0 || right.1 < left.0, "{left:?} {right:?}");
}
