//! `targets`: the images that can be built, and what led to each.

use std::fmt::Write as _;

use drydock_plan::{Decision, FoundTarget, TargetKind, Targets};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::load::load;
use super::{json_text, kind};
use crate::args::{FormatArgs, GlobalArgs};
use crate::failure::Failure;
use crate::report::units;
use crate::shell::{FAINT, Shell, Verbosity};

pub(super) fn run(args: FormatArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let _ = args;
    let loaded = load(global, shell)?;
    let found = drydock_plan::targets(&loaded.workspace, &loaded.graph, &loaded.config.settings)?;
    if shell.is_json() {
        return shell.print(&json(&found));
    }
    if found.targets.is_empty() {
        shell.status("Found", "no targets");
    }
    shell.print(&human(&found, shell.verbosity() == Verbosity::Verbose))
}

/// A line for each target; with the reasons below it, and the packages that are none, when `verbose`.
fn human(found: &Targets, verbose: bool) -> String {
    let names = found.targets.keys().map(|name| name.as_str().width()).max().unwrap_or_default();
    let packages = found.targets.values().map(|target| target.package.as_str().width()).max().unwrap_or_default();
    let mut text = String::new();
    for (name, target) in &found.targets {
        let facts = facts(target);
        let dev = target.dev.as_ref().map(|dev| {
            let port = dev.port.map(|port| format!(" on port {port}")).unwrap_or_default();
            format!("{}{FAINT}, when it is named: {}{port}{FAINT:#}", dev.name, dev.launch.command.join(" "))
        });
        let line = format!(
            "{}  {:<7}  {}  {FAINT}{facts}{FAINT:#}",
            units::pad(name.as_str(), names),
            kind(target.kind),
            units::pad(target.package.as_str(), packages),
        );
        push(&mut text, line.trim_end());
        for dev in dev.iter().filter(|_| verbose) {
            push(&mut text, &format!("  developed in {dev}"));
        }
        for decision in target.decisions.iter().filter(|_| verbose) {
            let Decision { subject, choice, because } = decision;
            let subject = subject.strip_prefix(&format!("target {name}")).unwrap_or(subject);
            let subject = subject.trim_start_matches(": ");
            let subject = if subject.is_empty() { String::new() } else { format!("{subject}: ") };
            push(&mut text, &format!("  {subject}{choice}{FAINT}, because {because}{FAINT:#}"));
        }
    }
    if verbose && !found.others.is_empty() {
        push(&mut text, "");
        push(&mut text, "Not a target:");
        for (package, why) in &found.others {
            push(&mut text, &format!("  {package}{FAINT}: {why}{FAINT:#}"));
        }
    }
    text
}

/// What is worth a glance: the port and the command, or the folder that is served.
fn facts(target: &FoundTarget) -> String {
    let port = target.port.map(|port| format!("port {port}"));
    let what = match target.kind {
        TargetKind::Service | TargetKind::Cli => target.launch.as_ref().map(|launch| launch.command.join(" ")),
        TargetKind::Dev | TargetKind::Check => None,
        TargetKind::Static => target.site.as_ref().map(|site| format!("serves {}", site.directory)),
    };
    let assets = (!target.assets.is_empty()).then(|| {
        let names: Vec<&str> = target.assets.iter().map(drydock_plan::PackageName::as_str).collect();
        format!("with {}", names.join(", "))
    });
    [what, port, assets].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A line; names and paths in it cannot begin another.
fn push(text: &mut String, line: &str) {
    writeln!(text, "{}", line.replace(['\n', '\r'], " ")).expect("writing to a string does not fail");
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    targets: Vec<TargetDocument<'a>>,
    others: Vec<OtherDocument<'a>>,
}

#[derive(Serialize)]
struct TargetDocument<'a> {
    name: &'a str,
    kind: &'static str,
    package: &'a str,
    configured: bool,
    port: Option<u16>,
    command: Option<&'a [String]>,
    workdir: Option<&'a str>,
    served: Option<&'a str>,
    assets: Vec<&'a str>,
    dev: Option<DevDocument<'a>>,
    decisions: Vec<DecisionDocument<'a>>,
}

/// How a target is developed.
#[derive(Serialize)]
struct DevDocument<'a> {
    name: &'a str,
    port: Option<u16>,
    command: &'a [String],
    workdir: &'a str,
}

#[derive(Serialize)]
struct OtherDocument<'a> {
    package: &'a str,
    why: &'a str,
}

/// What was chosen, and why.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct DecisionDocument<'a> {
    subject: &'a str,
    choice: &'a str,
    because: &'a str,
}

impl<'a> From<&'a Decision> for DecisionDocument<'a> {
    fn from(decision: &'a Decision) -> Self {
        Self { subject: &decision.subject, choice: &decision.choice, because: &decision.because }
    }
}

fn json(found: &Targets) -> String {
    let targets = found.targets.iter().map(|(name, target)| TargetDocument {
        name: name.as_str(),
        kind: kind(target.kind),
        package: target.package.as_str(),
        configured: target.configured,
        port: target.port,
        command: target.launch.as_ref().map(|launch| launch.command.as_slice()),
        workdir: target.launch.as_ref().map(|launch| launch.workdir.display()),
        served: target.site.as_ref().map(|site| site.directory.display()),
        assets: target.assets.iter().map(drydock_plan::PackageName::as_str).collect(),
        dev: target.dev.as_ref().map(|dev| DevDocument {
            name: dev.name.as_str(),
            port: dev.port,
            command: &dev.launch.command,
            workdir: dev.launch.workdir.display(),
        }),
        decisions: target.decisions.iter().map(DecisionDocument::from).collect(),
    });
    let others = found.others.iter().map(|(package, why)| OtherDocument { package: package.as_str(), why });
    json_text(&Document { version: 1, targets: targets.collect(), others: others.collect() })
}
