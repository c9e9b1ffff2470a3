//! What a Dockerfile cannot say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use drydock_diagnostics::Diagnose;
use drydock_dockerfile::validate;
use drydock_plan::{BuildPlan, InstallPurpose, Stage, StageKind};
use insta::assert_snapshot;

use support::{arguments, base, build, chat, install, map, path, plan, runtime, stage, strings};

fn refused(kind: StageKind) -> String {
    let plan: BuildPlan = plan(vec![Stage { comment: None, ..stage("api", kind) }], Vec::new(), Vec::new());
    let error = validate(&plan).unwrap_err();
    format!("{}: {error}\nhelp: {}", error.code(), error.help().unwrap())
}

#[test]
fn an_ordinary_plan_is_accepted() {
    assert_eq!(validate(&chat()), Ok(()));
}

#[test]
fn each_refusal_names_its_place() {
    let mut service = runtime("prod", "api", "");
    service.env = map(&[("KEY", "two\nlines")]);
    assert_snapshot!(refused(StageKind::Runtime(service)), @r#"
    dockerfile-line-break: the environment variable `KEY` of target `api` holds a line break or a NUL byte, which a Dockerfile cannot say
    help: write the value on one line, or read it from a file when the image starts
    "#);
    let mut service = runtime("prod", "api", "");
    service.args = arguments(&[("GIT COMMIT", None)]);
    assert_snapshot!(refused(StageKind::Runtime(service)), @r#"
    dockerfile-variable-name: `GIT COMMIT` in the build arguments of target `api` is not the name of a variable
    help: use letters, digits and `_`, not beginning with a digit
    "#);
    let mut own = build("deps", "@acme/api", "packages/api", &[]);
    own.secrets = strings(&["token,target=/etc/passwd"]);
    assert_snapshot!(refused(StageKind::Build(own)), @r#"
    dockerfile-secret-id: `token,target=/etc/passwd` in package `@acme/api` is not the id of a secret
    help: use letters, digits, `_`, `-` and `.`
    "#);
    assert_snapshot!(refused(StageKind::Build(build("deps", "odd", "packages/two\nlines", &[]))), @r#"
    dockerfile-folder-name: the folder "packages/two\nlines" has a line break in its name, which a Dockerfile cannot say
    help: rename the folder
    "#);
    let mut own = build("deps", "@acme/api", "packages/api", &[]);
    own.before = vec![(path("a\nb"), strings(&["true"]))];
    assert_snapshot!(refused(StageKind::Build(own)), @r#"
    dockerfile-folder-name: the folder "a\nb" has a line break in its name, which a Dockerfile cannot say
    help: rename the folder
    "#);
    assert_snapshot!(refused(StageKind::Base(base("node:22 AS x\nRUN y"))), @r#"
    dockerfile-image-reference: `node:22 AS x\nRUN y`, which stage `api` begins with, is not a reference to an image
    help: write the image as `name`, `name:tag` or `registry/name@sha256:…`
    "#);
    let mut root = base("node:22");
    root.env = map(&[("A=B", "")]);
    assert_snapshot!(refused(StageKind::Base(root)), @r#"
    dockerfile-variable-name: `A=B` in the environment of stage `api` is not the name of a variable
    help: use letters, digits and `_`, not beginning with a digit
    "#);
    let mut deps = install("base", InstallPurpose::Build, ".drydock/install/a", &[]);
    deps.npmrc_variables = strings(&["NPM-TOKEN"]);
    assert_snapshot!(refused(StageKind::Install(deps)), @r#"
    dockerfile-variable-name: `NPM-TOKEN` in `.npmrc` is not the name of a variable
    help: use letters, digits and `_`, not beginning with a digit
    "#);
}
