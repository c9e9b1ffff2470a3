//! Fingerprints: what is in them, what is not, and what is said of a difference. Each row changes one thing of a plan and
//! names all stages that are then not the same, each with why.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;

use drydock_dockerfile::{Cause, FileChange, Fingerprints, StageChange, Surroundings, base_images, compare};
use drydock_plan::{BuildPlan, ContextContent, ImageRef, StageId, StageKind, TargetName};
use support::{chat, id, path};

/// Every file of the tree holds its own path, unless `edited` says otherwise.
fn fingerprints(plan: &BuildPlan, edited: &[&str], surroundings: &Surroundings<'_>) -> Fingerprints {
    Fingerprints::new(plan, surroundings, |file| {
        let mut digest = [0; 32];
        let text = file.path.as_str();
        for (index, byte) in text.bytes().enumerate() {
            digest[index % 32] ^= byte.rotate_left(u32::try_from(index % 7).unwrap());
        }
        digest[0] ^= u8::from(edited.contains(&text));
        digest
    })
}

fn plain(plan: &BuildPlan) -> Fingerprints {
    fingerprints(plan, &[], &Surroundings::default())
}

fn causes(change: &StageChange) -> String {
    let texts: Vec<String> = change
        .causes
        .iter()
        .map(|cause| match cause {
            Cause::New => "new".to_owned(),
            Cause::Base { before, after } => format!("base {} → {after}", before.as_ref().unwrap()),
            Cause::File { path, change } => match change {
                FileChange::Added => format!("+{path}"),
                FileChange::Modified => format!("~{path}"),
                FileChange::Deleted => format!("-{path}"),
            },
            Cause::Argument { name } => format!("argument {name}"),
            Cause::Instruction { before, after } => format!("{before:?} → {after:?}"),
            Cause::Surroundings => "surroundings".to_owned(),
            Cause::Stage(id) => id.to_string(),
        })
        .collect();
    format!("{}: {}", change.id, texts.join(", "))
}

/// What differs between the plan and its edited self.
#[track_caller]
fn check(edit: impl FnOnce(&mut BuildPlan), edited: &[&str], expected: &[&str]) {
    let before = chat();
    let mut after = chat();
    edit(&mut after);
    let after = fingerprints(&after, edited, &Surroundings::default());
    let changes = compare(&plain(&before), &after);
    assert_eq!(changes.iter().map(causes).collect::<Vec<_>>(), expected);
    for change in &changes {
        assert!(!change.causes.is_empty());
    }
}

fn stage<'p>(plan: &'p mut BuildPlan, name: &str) -> &'p mut StageKind {
    &mut plan.stages.iter_mut().find(|stage| stage.id == id(name)).unwrap().kind
}

#[test]
fn nothing() {
    check(|_| {}, &[], &[]);
}

#[test]
fn a_source_of_a_library() {
    check(
        |_| {},
        &["packages/data-provider/src/index.ts"],
        &[
            "build-data-provider: ~packages/data-provider/src/index.ts",
            "build-api: build-data-provider",
            "build-ui: build-data-provider",
            "build-client: build-data-provider, build-ui",
            "api: build-data-provider, build-api, build-client",
            "client: build-client",
        ],
    );
}

#[test]
fn a_source_of_a_front_end() {
    check(
        |_| {},
        &["client/src/main.ts"],
        &["build-client: ~client/src/main.ts", "api: build-client", "client: build-client"],
    );
}

#[test]
fn a_source_of_a_service() {
    check(|_| {}, &["api/server/index.js"], &["api: ~api/server/index.js"]);
}

#[test]
fn a_file_that_becomes_executable() {
    check(
        |plan| plan.context.iter_mut().find(|file| file.path == path("docs/index.html")).unwrap().executable = true,
        &[],
        &["docs: ~docs/index.html"],
    );
}

#[test]
fn a_file_that_comes_and_one_that_goes() {
    check(
        |plan| {
            plan.context.retain(|file| file.path != path("docs/index.html"));
            plan.context.push(support::tree("docs/start.html"));
        },
        &[],
        &["docs: -docs/index.html, +docs/start.html"],
    );
}

/// `docs-2` is another folder than `docs`.
#[test]
fn a_file_that_no_stage_copies() {
    check(
        |plan| {
            for name in ["docs-2/index.html", "docs.html", "README.md", "packages/client/test.ts.txt2"] {
                plan.context.push(support::tree(name));
            }
            plan.context.retain(|file| !file.path.as_str().ends_with("txt2"));
        },
        &["docs-2/index.html"],
        &[],
    );
}

#[test]
fn the_input_of_an_install() {
    check(
        |plan| {
            let lock = path(".drydock/install/api-prod/package-lock.json");
            let file = plan.context.iter_mut().find(|file| file.path == lock).unwrap();
            file.content = ContextContent::Bytes(b"{ }".as_slice().into());
        },
        &[],
        &["prod-api: ~.drydock/install/api-prod/package-lock.json", "api: prod-api"],
    );
}

#[test]
fn the_command_of_an_image() {
    check(
        |plan| {
            let StageKind::Runtime(api) = stage(plan, "api") else { unreachable!() };
            api.command = support::strings(&["node", "server.js"]);
        },
        &[],
        &[r#"api: Some("CMD [\"node\", \"server/index.js\"]") → Some("CMD [\"node\", \"server.js\"]")"#],
    );
}

#[test]
fn the_base_of_all() {
    check(
        |plan| {
            let StageKind::Base(base) = stage(plan, "base") else { unreachable!() };
            base.image = Some(ImageRef::new("node:24-bookworm-slim"));
        },
        &[],
        &[
            "base: base node:22-bookworm-slim → node:24-bookworm-slim",
            "deps-client: base",
            "deps-api: base",
            "build-data-provider: deps-api",
            "build-api: deps-api, build-data-provider",
            "build-ui: deps-client, build-data-provider",
            "build-client: deps-client, build-data-provider, build-ui",
            "base-api: base",
            "prod-api: base-api",
            "api: prod-api, build-data-provider, build-api, build-client",
            "client: build-client",
        ],
    );
}

/// What a stage is called is no input of anything.
#[test]
fn the_name_of_a_stage() {
    let mut plan = chat();
    for planned in &mut plan.stages {
        if planned.id == id("build-ui") {
            planned.id = id("build-buttons");
        }
        if let StageKind::Build(build) = &mut planned.kind {
            for input in build.inputs.iter_mut().filter(|input| input.stage == id("build-ui")) {
                input.stage = id("build-buttons");
            }
        }
    }
    assert_eq!(compare(&plain(&chat()), &plain(&plan)), []);
}

#[test]
fn what_is_not_in_the_plan() {
    let plan = chat();
    let arguments = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let changed = |surroundings: &Surroundings<'_>| {
        let changes = compare(&plain(&plan), &fingerprints(&plan, &[], surroundings));
        changes.iter().map(causes).collect::<Vec<_>>()
    };
    let given = arguments(&[("BUILD_COMMIT", "c4e4ae3"), ("HTTP_PROXY", "http://proxy"), ("OTHER", "x")]);
    assert_eq!(
        changed(&Surroundings { arguments: Some(&given), ..Surroundings::default() }),
        ["api: argument BUILD_COMMIT"]
    );
    let given = arguments(&[("VITE_COMMIT", "c4e4ae3")]);
    assert_eq!(
        changed(&Surroundings { arguments: Some(&given), ..Surroundings::default() }),
        ["build-client: argument VITE_COMMIT", "api: build-client", "client: build-client"]
    );
    let nginx = ImageRef::new("nginxinc/nginx-unprivileged:stable-bookworm");
    let uv = ImageRef::new("ghcr.io/astral-sh/uv:0.6.13");
    assert_eq!(base_images(&plan), [uv, nginx.clone(), ImageRef::new("node:22-bookworm-slim")]);
    let bases = BTreeMap::from([(nginx.clone(), "sha256:1".to_owned())]);
    assert_eq!(
        changed(&Surroundings { bases: Some(&bases), ..Surroundings::default() }),
        [format!("client: base {nginx} → {nginx}"), format!("docs: base {nginx} → {nginx}")]
    );
    let platform = changed(&Surroundings { platform: Some("linux/arm64"), ..Surroundings::default() });
    assert_eq!(platform.len(), plan.stages.len());
    assert_eq!(platform[0], "base: surroundings");
    let epoch = arguments(&[("SOURCE_DATE_EPOCH", "0")]);
    let epoch = changed(&Surroundings { arguments: Some(&epoch), ..Surroundings::default() });
    assert_eq!(epoch.len(), plan.stages.len());
}

/// A given image takes the place of the planned one where the Dockerfile lets it.
#[test]
fn an_argument_that_names_the_image() {
    let plan = chat();
    let given = BTreeMap::from([("NGINX_UNPRIVILEGED_IMAGE".to_owned(), "nginx:1".to_owned())]);
    let after = fingerprints(&plan, &[], &Surroundings { arguments: Some(&given), ..Surroundings::default() });
    let changes = compare(&plain(&plan), &after);
    assert_eq!(
        changes.iter().map(causes).collect::<Vec<_>>(),
        ["client: argument NGINX_UNPRIVILEGED_IMAGE", "docs: argument NGINX_UNPRIVILEGED_IMAGE"]
    );
}

#[test]
fn the_first_step_that_runs_anew_is_told() {
    let edited = ["client/src/main.ts"];
    let changes = compare(&plain(&chat()), &fingerprints(&chat(), &edited, &Surroundings::default()));
    let found: Vec<String> =
        changes.iter().map(|change| format!("{} {} {}", change.id, change.first_step, change.instruction)).collect();
    insta::assert_snapshot!(found.join("\n"), @"
    build-client 6 COPY client client
    api 9 COPY --from=build-client /app/client/dist client/dist
    client 2 COPY --from=build-client /app/client/dist /srv/www
    ");
}

#[test]
fn a_new_stage() {
    let mut before = chat();
    before.stages.retain(|stage| stage.id != id("docs"));
    before.targets.retain(|target| target.name != TargetName::new("docs"));
    let changes = compare(&plain(&before), &plain(&chat()));
    // One image fewer is used twice now: that it is named by an argument changes nothing.
    assert_eq!(changes.iter().map(causes).collect::<Vec<_>>(), ["docs: new"]);
}

#[test]
fn the_stages_of_a_target() {
    let prints = plain(&chat());
    let names = |name: &str| -> Vec<String> {
        prints.closure(&StageId::new(name)).into_iter().map(|stage| stage.id.to_string()).collect()
    };
    assert_eq!(names("docs"), ["docs"]);
    assert_eq!(
        names("client"),
        ["base", "deps-client", "deps-api", "build-data-provider", "build-ui", "build-client", "client"]
    );
    let client = prints.target(&TargetName::new("client")).unwrap();
    assert_eq!(client, prints.stage(&StageId::new("client")).unwrap().fingerprint);
    assert_eq!(client.to_string().len(), 64);
    assert!(client.to_string().starts_with(&client.short()));
}

/// What was kept of a target compares with the target as it is, and holds no value of an argument.
#[test]
fn a_record_compares_as_the_fingerprints_it_is_of() {
    let plan = chat();
    let target = TargetName::new("api");
    let arguments = BTreeMap::from([("BUILD_COMMIT".to_owned(), "a-value".to_owned())]);
    let surroundings = Surroundings { arguments: Some(&arguments), ..Surroundings::default() };
    let before = fingerprints(&plan, &[], &surroundings);
    let record = before.record(&target).unwrap();
    assert!(!record.contains("a-value"));
    let kept = Fingerprints::of_record(&record).unwrap();
    assert_eq!(kept.record(&target).as_ref().map(String::len), Some(record.len()));
    for stage in kept.stages() {
        assert_eq!(before.stage(&stage.id).unwrap().fingerprint, stage.fingerprint);
    }
    assert_eq!(kept.target(&target), before.target(&target));

    let edited = fingerprints(&plan, &["packages/data-provider/src/index.ts"], &surroundings);
    let told = |before: &Fingerprints, after: &Fingerprints| {
        let changes = compare(before, after);
        let closure = after.closure(&id("api")).into_iter().map(|stage| stage.id.clone()).collect::<Vec<_>>();
        changes.iter().filter(|change| closure.contains(&change.id)).map(causes).collect::<Vec<_>>()
    };
    let after = Fingerprints::of_record(&edited.record(&target).unwrap()).unwrap();
    assert_eq!(told(&kept, &after), told(&before, &edited));
    assert_eq!(told(&kept, &after)[0], "build-data-provider: ~packages/data-provider/src/index.ts");

    assert!(before.record(&TargetName::new("nobody")).is_none());
    for broken in ["", "{}", &record[1..], &record.replace("\"version\":1", "\"version\":0")] {
        assert!(Fingerprints::of_record(broken).is_none());
    }
}
