//! Checks, and images that wait for them.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::collections::BTreeSet;

use drydock_plan::{BuildPlan, Settings, TargetName, TargetSettings, plan_checks};
use drydock_workspace::{PackageGraph, Workspace};
use support::{example, planned, stages};

fn checks(workspace: &Workspace, settings: &Settings, packages: &[&str], names: &[&str]) -> BuildPlan {
    let graph = PackageGraph::new(workspace, &Vec::new()).unwrap();
    let all = workspace.packages.iter().map(|package| package.name.clone());
    let packages: BTreeSet<_> = all.filter(|name| packages.is_empty() || packages.contains(&name.as_str())).collect();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    plan_checks(workspace, &graph, settings, &packages, &names).unwrap()
}

fn waiting() -> Settings {
    let target = TargetSettings { checks: Some(vec!["test".into()]), ..TargetSettings::default() };
    Settings { targets: [(TargetName::new("api-server"), target)].into(), ..Settings::default() }
}

#[test]
fn an_image_waits_for_the_checks_of_all_that_it_is_made_from() {
    let plan = planned(&example("chat"), &waiting(), &["api-server"]).unwrap();
    insta::assert_snapshot!(stages(&plan));
}

#[test]
fn what_nobody_asks_for_is_not_there() {
    let without = planned(&example("chat"), &Settings::default(), &["api-server", "client"]).unwrap();
    let with = planned(&example("chat"), &waiting(), &["api-server", "client"]).unwrap();
    let differ: Vec<&str> = with
        .stages
        .iter()
        .filter(|stage| without.stage(&stage.id).is_none_or(|other| format!("{other:?}") != format!("{stage:?}")))
        .map(|stage| stage.id.as_str())
        .collect();
    // Of all that is built and installed nothing is another.
    assert_eq!(differ, ["test-api", "gate-api-server", "api-server"]);
    assert!(without.stages.iter().all(|stage| !stage.id.as_str().contains("test")));
}

#[test]
fn checks_alone_need_no_image() {
    let plan = checks(&example("chat"), &Settings::default(), &[], &["test", "lint", "typecheck"]);
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    insta::assert_snapshot!(names.join(" "));
    assert!(plan.stages.iter().all(|stage| !stage.id.as_str().starts_with("runtime")));
}

#[test]
fn a_stage_is_the_same_for_an_image_and_for_its_own_sake() {
    let image = planned(&example("chat"), &waiting(), &["api-server"]).unwrap();
    let alone = checks(&example("chat"), &waiting(), &["@chat/api"], &["test"]);
    for stage in &alone.stages {
        assert_eq!(format!("{:?}", image.stage(&stage.id).unwrap()), format!("{stage:?}"));
    }
}

#[test]
fn a_misspelt_check_is_an_error() {
    let settings = Settings { checks: vec!["tset".into()], ..Settings::default() };
    let error = planned(&example("chat"), &settings, &[]).unwrap_err();
    assert_eq!(error.to_string(), "no package has a script `tset`");
    assert_eq!(drydock_diagnostics::Diagnose::help(&error).unwrap(), "did you mean `test`?");
}
