//! Images in which targets are developed.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use drydock_plan::{DevSettings, Settings, StageKind, TargetKind, TargetName, TargetSettings};
use support::{example, planned, stages};

#[test]
fn a_service_that_is_not_built_gets_an_install_of_its_own() {
    let plan = planned(&example("chat"), &Settings::default(), &["api-server-dev"]).unwrap();
    insta::assert_snapshot!(stages(&plan));
    assert_eq!(plan.targets.len(), 1);
    assert_eq!(plan.targets[0].kind, TargetKind::Dev);
}

#[test]
fn a_site_is_served_by_its_bundler() {
    let plan = planned(&example("rag"), &Settings::default(), &["frontend-dev"]).unwrap();
    insta::assert_snapshot!(stages(&plan));
}

#[test]
fn a_script_that_needs_a_shell_is_left_to_npm() {
    let plan = planned(&example("rag"), &Settings::default(), &["backend-dev", "frontend"]).unwrap();
    let stage = plan.stages.last().unwrap();
    let StageKind::Dev(dev) = &stage.kind else { panic!("{stage:?}") };
    assert_eq!(dev.command.join(" "), "npm run dev --workspace=backend");
    assert_eq!((dev.port, dev.workdir.as_str()), (Some(3000), ""));
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["frontend", "backend-dev"]);
}

#[test]
fn the_settings_say_how_or_that_there_is_none() {
    let with = |dev: DevSettings| Settings {
        targets: [(TargetName::new("backend"), TargetSettings { dev: Some(dev), ..TargetSettings::default() })].into(),
        ..Settings::default()
    };
    let own = DevSettings { command: Some(vec!["tsx".into(), "watch".into()]), port: Some(9000), skip: false };
    let plan = planned(&example("rag"), &with(own), &["backend-dev"]).unwrap();
    let StageKind::Dev(dev) = &plan.stages.last().unwrap().kind else { panic!("no dev stage") };
    assert_eq!(dev.command, ["tsx", "watch"]);
    assert_eq!((dev.port, dev.env["PORT"].as_str()), (Some(9000), "9000"));
    let none = planned(&example("rag"), &with(DevSettings { skip: true, ..DevSettings::default() }), &["backend-dev"]);
    assert_eq!(none.unwrap_err().to_string(), "there is no target `backend-dev`");
}

/// What production images are made of does not depend on whether somebody develops.
#[test]
fn other_stages_are_what_they_were() {
    let alone = planned(&example("chat"), &Settings::default(), &["api-server"]).unwrap();
    let beside =
        planned(&example("chat"), &Settings::default(), &["api-server", "api-server-dev", "client-dev"]).unwrap();
    for stage in &alone.stages {
        let same = beside.stage(&stage.id).expect("it is there");
        assert_eq!(format!("{same:?}"), format!("{stage:?}"));
    }
}
