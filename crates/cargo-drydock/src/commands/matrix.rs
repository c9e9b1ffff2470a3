//! A plan as a list of jobs for a CI system.

use std::fmt::Write as _;

use drydock_dockerfile::Fingerprints;
use drydock_plan::BuildPlan;
use serde::Serialize;

use super::kind;

/// One job.
#[derive(Serialize)]
pub(super) struct Row {
    target: String,
    package: String,
    kind: &'static str,
    fingerprint: String,
}

#[derive(Serialize)]
struct Matrix<'a> {
    include: &'a [Row],
}

/// A job for each target.
pub(super) fn rows(plan: &BuildPlan, fingerprints: &Fingerprints) -> Vec<Row> {
    let rows = plan.targets.iter().map(|target| Row {
        target: target.name.to_string(),
        package: target.package.to_string(),
        kind: kind(target.kind),
        fingerprint: fingerprints.target(&target.name).map(|all| all.to_string()).unwrap_or_default(),
    });
    rows.collect()
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
        write!(
            text,
            "{}:\n  extends: .drydock\n  variables:\n    DRYDOCK_TARGET: {}\n    DRYDOCK_PACKAGE: {}\n    \
             DRYDOCK_FINGERPRINT: {}\n",
            quoted(&format!("build {}", row.target)),
            quoted(&row.target),
            quoted(&row.package),
            quoted(&row.fingerprint)
        )
        .expect("writing to a string does not fail");
    }
    if rows.is_empty() {
        text.push_str("\"nothing to build\":\n  script: [\"true\"]\n");
    }
    text
}
