//! The files beside the Dockerfile.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;

use drydock_dockerfile::{BakeImage, bake_file, generated_directory, ignore_file, lower, written};
use drydock_plan::{ContextContent, ContextFile, TargetKind, TargetName};
use insta::assert_snapshot;

use support::{chat, generated, path, plan, strings, target};

#[test]
fn the_ignore_file_lets_in_the_planned_files_only() {
    assert_snapshot!(ignore_file(&chat(), &path("deploy")), @r#"
    # Written by `cargo drydock dockerfile`: the build sees what is named here and nothing else.
    *
    !api/package.json
    !api/server/index.js
    !client/package.json
    !client/src/main.ts
    !config/default.json
    !deploy/install/api-prod/package-lock.json
    !deploy/install/api-prod/package.json
    !deploy/install/api/package.json
    !deploy/install/client/package.json
    !deploy/static/client.conf
    !deploy/static/docs.conf
    !docs/index.html
    !package.json
    !packages/api/bin/cli.js
    !packages/api/package.json
    !packages/api/src/index.ts
    !packages/client/package.json
    !packages/client/src/theme/colors.cjs
    !packages/client/tailwind.preset.cjs
    !packages/data-provider/package.json
    !packages/data-provider/src/index.ts
    !tsconfig.base.json
    "#);
}

#[test]
fn the_bake_file_builds_every_image() {
    let pair = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let api = BakeImage {
        tags: strings(&["registry.example/api:1", "api:${x}"]),
        labels: pair("org.example.team", "ship ${x}"),
        annotations: pair("org.example.note", "first"),
        platforms: strings(&["linux/amd64", "linux/arm64"]),
        cache_from: strings(&["type=gha,scope=api"]),
        cache_to: strings(&["type=gha,mode=max,scope=api"]),
    };
    let images = BTreeMap::from([(TargetName::new("api"), api)]);
    assert_snapshot!(bake_file(&chat(), &generated_directory(), &images), @r#"
    {
      "variable": {
        "BUILD_COMMIT": {
          "default": null
        },
        "BUILD_DATE": {
          "default": null
        },
        "NPMRC": {
          "default": ".npmrc"
        },
        "VITE_COMMIT": {
          "default": null
        }
      },
      "group": {
        "default": {
          "targets": [
            "api",
            "client",
            "docs"
          ]
        }
      },
      "target": {
        "api": {
          "context": ".",
          "dockerfile": ".drydock/Dockerfile",
          "target": "api",
          "tags": [
            "registry.example/api:1",
            "api:$${x}"
          ],
          "annotations": [
            "org.example.note=first"
          ],
          "platforms": [
            "linux/amd64",
            "linux/arm64"
          ],
          "cache-from": [
            "type=gha,scope=api"
          ],
          "cache-to": [
            "type=gha,mode=max,scope=api"
          ],
          "labels": {
            "org.example.team": "ship $${x}"
          },
          "args": {
            "BUILD_COMMIT": "${BUILD_COMMIT}",
            "BUILD_DATE": "${BUILD_DATE}",
            "VITE_COMMIT": "${VITE_COMMIT}"
          },
          "secret": [
            "id=npmrc,src=${NPMRC}",
            "id=sentry-token,env=SENTRY_TOKEN"
          ]
        },
        "client": {
          "context": ".",
          "dockerfile": ".drydock/Dockerfile",
          "target": "client",
          "tags": [
            "client"
          ],
          "args": {
            "VITE_COMMIT": "${VITE_COMMIT}"
          },
          "secret": [
            "id=sentry-token,env=SENTRY_TOKEN"
          ]
        },
        "docs": {
          "context": ".",
          "dockerfile": ".drydock/Dockerfile",
          "target": "docs",
          "tags": [
            "docs"
          ]
        }
      }
    }
    "#);
}

#[test]
fn bake_names_are_in_its_alphabet_and_distinct() {
    let targets = ["a.b", "a_b", "default"].map(|name| target(name, TargetKind::Service, name, None));
    let text = bake_file(&plan(Vec::new(), targets.into(), Vec::new()), &generated_directory(), &BTreeMap::new());
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_snapshot!(file["group"]["default"]["targets"].to_string(), @r#"["a_b","a_b_","default_"]"#);
}

#[test]
fn what_is_written_is_what_is_generated() {
    let mut plan = chat();
    let stub = generated(".drydock/install/api/packages/api/bin/cli.js", "stub");
    plan.context.push(ContextFile { executable: true, ..stub });
    plan.context.push(ContextFile { content: ContextContent::Symlink("../x".to_owned()), ..generated("link", "") });
    let directory = path("deploy");
    let files = written(&plan, &directory);
    let names: Vec<String> = files
        .iter()
        .map(|(path, file)| format!("{path}{}", if file.executable { " (executable)" } else { "" }))
        .collect();
    assert_snapshot!(names.join("\n"), @r#"
    deploy/Dockerfile
    deploy/Dockerfile.dockerignore
    deploy/docker-bake.json
    deploy/install/api-prod/package-lock.json
    deploy/install/api-prod/package.json
    deploy/install/api/package.json
    deploy/install/api/packages/api/bin/cli.js (executable)
    deploy/install/client/package.json
    deploy/static/client.conf
    deploy/static/docs.conf
    "#);
    assert_eq!(&*files[&path("deploy/Dockerfile")].bytes, lower(&plan, &directory).to_string().as_bytes());
    assert_eq!(&*files[&path("deploy/static/docs.conf")].bytes, b"server {}");
}
