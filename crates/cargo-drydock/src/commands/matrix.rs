//! A plan as a list of jobs for a CI system.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use drydock_dockerfile::{Fingerprints, generated_directory, lower};
use drydock_plan::BuildPlan;
use serde::Serialize;

use super::kind;

/// One job.
#[derive(Clone, Serialize)]
pub(super) struct Row {
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    /// What it is expected to take, one step after the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
}

#[derive(Serialize)]
struct Matrix<'a> {
    include: &'a [Row],
}

/// A job for each target.
pub(super) fn rows(plan: &BuildPlan, fingerprints: &Fingerprints) -> Vec<Row> {
    let rows = plan.targets.iter().map(|target| Row {
        target: target.name.to_string(),
        package: Some(target.package.to_string()),
        kind: Some(kind(target.kind)),
        fingerprint: fingerprints.target(&target.name).map(|all| all.to_string()),
        seconds: None,
    });
    rows.collect()
}

/// At most `groups` jobs of about equal work, by what stages took before. A job's target is then the list of its targets,
/// with spaces between, as they are written on a command line; what only one target has is left out.
pub(super) fn grouped(plan: &BuildPlan, rows: &[Row], groups: usize, times: &BTreeMap<String, Duration>) -> Vec<Row> {
    let dockerfile = lower(plan, &generated_directory()).to_string();
    let stages: Vec<&str> = plan.targets.iter().map(|target| target.stage.as_str()).collect();
    let groups = drydock_build::group(&dockerfile, times, &stages, groups);
    let jobs = groups.members.iter().zip(&groups.takes).map(|(members, takes)| {
        let names: Vec<&str> = members.iter().map(|index| rows[*index].target.as_str()).collect();
        let seconds = Some(takes.as_secs());
        match members.as_slice() {
            [one] => Row { seconds, ..rows[*one].clone() },
            _ => Row { target: names.join(" "), package: None, kind: None, fingerprint: None, seconds },
        }
    });
    jobs.collect()
}

/// What `fromJSON` makes into `strategy.matrix`: one line, as a step's output must be. Without a target the list is
/// empty, which GitHub refuses: let the job ask `if: matrix != '{"include":[]}'` first.
pub(super) fn github(rows: &[Row]) -> String {
    serde_json::to_string(&Matrix { include: rows }).expect("rows hold only text") + "\n"
}

/// A child pipeline: a job for each target that extends `.drydock`, which the pipeline that includes it defines. GitLab
/// takes no pipeline without a job, so that there is one that says so.
pub(super) fn gitlab(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        // JSON is YAML, and quotes whatever a name may hold.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let variables = [
            ("TARGET", Some(&row.target)),
            ("PACKAGE", row.package.as_ref()),
            ("FINGERPRINT", row.fingerprint.as_ref()),
        ];
        write!(text, "{}:\n  extends: .drydock\n  variables:\n", quoted(&format!("build {}", row.target)))
            .expect("writing to a string does not fail");
        for (name, value) in variables.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            writeln!(text, "    DRYDOCK_{name}: {}", quoted(value)).expect("writing to a string does not fail");
        }
    }
    if rows.is_empty() {
        text.push_str("\"nothing to build\":\n  script: [\"true\"]\n");
    }
    text
}
