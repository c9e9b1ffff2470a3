//! `files`: what an image is made from.

use drydock_plan::{BuildPlan, ContextContent};
use serde::Serialize;

use super::json_text;
use super::load::load;
use crate::args::{FilesArgs, GlobalArgs};
use crate::failure::Failure;
use crate::shell::Shell;

pub(super) fn run(args: &FilesArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let loaded = load(global, shell)?;
    let plan = loaded.plan(std::slice::from_ref(&args.target), shell)?;
    if shell.is_json() {
        return shell.print(&json(&plan));
    }
    let mut text = String::new();
    for file in &plan.context {
        text += file.path.as_str();
        text.push('\n');
    }
    shell.print(&text)
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    targets: Vec<&'a str>,
    files: Vec<FileDocument<'a>>,
}

#[derive(Serialize)]
struct FileDocument<'a> {
    path: &'a str,
    /// Where it comes from: `tree`, `generated`, `symlink`.
    from: &'static str,
    executable: bool,
}

fn json(plan: &BuildPlan) -> String {
    let files = plan.context.iter().map(|file| FileDocument {
        path: file.path.as_str(),
        from: match file.content {
            ContextContent::Tree => "tree",
            ContextContent::Bytes(_) => "generated",
            ContextContent::Symlink(_) => "symlink",
        },
        executable: file.executable,
    });
    let targets = plan.targets.iter().map(|target| target.name.as_str()).collect();
    json_text(&Document { version: 1, targets, files: files.collect() })
}
