//! `init`: writes a commented `drydock.toml` of what was inferred.

use std::fmt::Write as _;
use std::io;

use camino::Utf8PathBuf;
use drydock_diagnostics::{Category, Diagnose};
use drydock_plan::{BuildPlan, FoundTarget, ImageRef, StageKind, TargetKind, TargetName, Targets};

use super::load::load;
use super::whole::replace;
use crate::args::{GlobalArgs, InitArgs};
use crate::config::FILE_NAME;
use crate::failure::Failure;
use crate::shell::Shell;

/// What keeps the configuration from being written.
#[derive(Debug, thiserror::Error)]
enum InitError {
    /// The workspace is configured already.
    #[error("the workspace is configured already, in `{file}`")]
    Configured { file: Utf8PathBuf },
    /// The disk refuses.
    #[error("could not write the configuration")]
    Disk(#[source] io::Error),
}

impl Diagnose for InitError {
    fn code(&self) -> &'static str {
        match self {
            Self::Configured { .. } => "init-configured",
            Self::Disk(_) => "unwritable",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Configured { .. } => "`drydock init --print` prints what would be written".to_owned(),
            Self::Disk(_) => "check that the folder may be written to".to_owned(),
        })
    }
}

pub(super) fn run(args: InitArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let loaded = load(global, shell)?;
    if let Some(file) = loaded.config.file.as_ref().filter(|_| !args.print) {
        return Err(InitError::Configured { file: file.clone() }.into());
    }
    let found = drydock_plan::targets(&loaded.workspace, &loaded.graph, &loaded.config.settings)?;
    // Without targets there is no plan, and the file is all the more needed.
    let plan = if found.targets.is_empty() { None } else { Some(loaded.plan(&[], shell)?) };
    let text = configuration(&found, plan.as_ref());
    if args.print {
        return shell.print(&text);
    }
    let file = loaded.root.join(FILE_NAME);
    replace(file.as_std_path(), &text).map_err(InitError::Disk)?;
    shell.status("Created", format!("{FILE_NAME} with {}", targets_count(&found)));
    Ok(())
}

fn targets_count(found: &Targets) -> String {
    crate::report::units::count(found.targets.len() as u64, "target")
}

const HEAD: &str = "\
# What drydock builds from this workspace. Everything is optional: what stands here as a comment was inferred, and goes
# on being inferred. Take the `#` away to fix a value, or write another. `drydock targets -v` tells what led to each.
";

/// The text of the file.
fn configuration(found: &Targets, plan: Option<&BuildPlan>) -> String {
    let mut text = HEAD.to_owned();
    line(&mut text, "\n[workspace]");
    if let Some(image) = plan.and_then(base_image) {
        let because = plan
            .and_then(|plan| plan.decisions.iter().find(|decision| decision.subject == "node"))
            .map(|decision| decision.because.as_str())
            .unwrap_or_default();
        comment(&mut text, &format!("image = {}", quoted(image.as_str())), because);
    }
    for (name, target) in &found.targets {
        target_table(&mut text, name, target);
    }
    if let Some(plan) = plan {
        package_tables(&mut text, plan);
    }
    if !found.others.is_empty() {
        line(
            &mut text,
            "\n# Packages that are no target of their own. `[target.NAME]` with `package = …` makes one of them:",
        );
        for (package, why) in &found.others {
            line(&mut text, &format!("# - {package}: {}", one_line(why)));
        }
    }
    text
}

fn target_table(text: &mut String, name: &TargetName, target: &FoundTarget) {
    line(text, &format!("\n[target.{}]", key(name.as_str())));
    line(text, &format!("package = {}", quoted(target.package.as_str())));
    let because = |choice: &str| {
        let found = target.decisions.iter().find(|decision| decision.choice == choice);
        found.map(|decision| decision.because.clone()).unwrap_or_default()
    };
    let kind = super::kind(target.kind);
    comment(text, &format!("kind = {}", quoted(kind)), &because(kind));
    if target.kind.runs()
        && let Some(launch) = &target.launch
    {
        let words: Vec<String> = launch.command.iter().map(|word| quoted(word)).collect();
        comment(text, &format!("command = [{}]", words.join(", ")), &launch.because);
        comment(text, &format!("workdir = {}", quoted(launch.workdir.display())), "");
    }
    if let Some(port) = target.port {
        comment(text, &format!("port = {port}"), &because(&port.to_string()));
    }
    if target.kind == TargetKind::Service {
        let assets: Vec<String> = target.assets.iter().map(|asset| quoted(asset.as_str())).collect();
        let meaning = "packages whose built files it serves, though nothing depends on them";
        comment(text, &format!("assets = [{}]", assets.join(", ")), meaning);
        comment(text, "files = []", "further files or folders of the root that the image holds");
        comment(text, "writable = []", "folders that its user may write to");
        comment(text, "healthcheck = \"/health\"", "a path that answers when it is well; none is inferred");
    }
}

/// What each build reads and writes.
fn package_tables(text: &mut String, plan: &BuildPlan) {
    for stage in &plan.stages {
        let StageKind::Build(build) = &stage.kind else { continue };
        line(text, &format!("\n[package.{}]", key(build.package.as_str())));
        if let Some(script) = build.command.last().filter(|_| build.command.len() == 3) {
            comment(text, &format!("build = {}", quoted(script)), "the script that builds it");
        }
        let outputs: Vec<String> = build
            .outputs
            .iter()
            .map(|path| quoted(path.strip_prefix(&build.directory).filter(|rest| !rest.is_empty()).unwrap_or(".")))
            .collect();
        comment(text, &format!("outputs = [{}]", outputs.join(", ")), "what its build writes");
        // The manifests of packages it depends on come along by themselves.
        let files: Vec<String> = build
            .root_files
            .iter()
            .filter(|path| path.file_name() != "package.json" || path.parent().is_some_and(|parent| parent.is_root()))
            .map(|path| quoted(path.as_str()))
            .collect();
        if !files.is_empty() {
            comment(text, &format!("root-files = [{}]", files.join(", ")), "files outside that its build reads");
        }
    }
}

fn base_image(plan: &BuildPlan) -> Option<ImageRef> {
    plan.stages.iter().find_map(|stage| match &stage.kind {
        StageKind::Base(base) => base.image.as_ref().map(ImageRef::without_digest),
        _ => None,
    })
}

/// A setting that stands as a comment, with the reason behind it.
fn comment(text: &mut String, setting: &str, because: &str) {
    let because = one_line(because);
    if because.is_empty() {
        line(text, &format!("# {setting}"));
    } else {
        line(text, &format!("# {setting:<40} # {because}"));
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A TOML key.
fn key(text: &str) -> String {
    let bare = !text.is_empty() && text.chars().all(|other| other.is_ascii_alphanumeric() || "_-".contains(other));
    if bare { text.to_owned() } else { quoted(text) }
}
