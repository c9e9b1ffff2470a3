//! Where the generated files of the context lie.

use drydock_plan::{BuildPlan, ContextContent, ContextFile, WorkspacePath};

/// The folder of the context that a plan puts generated files in.
const PLANNED: &str = ".drydock";

/// The folder that generated files lie in when nobody says another: `.drydock`.
pub fn generated_directory() -> WorkspacePath {
    WorkspacePath::new(PLANNED).expect("a plain name is a path inside the workspace")
}

/// Where `path` of the plan lies when generated files are kept in `generated`.
pub(crate) fn relocate(path: &WorkspacePath, generated: &WorkspacePath) -> WorkspacePath {
    match path.strip_prefix(&generated_directory()) {
        Some(rest) => generated.join(rest).expect("the rest of a path inside the workspace does not climb"),
        None => path.clone(),
    }
}

/// Every file of the context with its place when generated files are kept in `generated`.
pub(crate) fn context_files<'p>(
    plan: &'p BuildPlan,
    generated: &WorkspacePath,
) -> impl Iterator<Item = (WorkspacePath, &'p ContextFile)> {
    plan.context.iter().map(move |file| {
        let place = match file.content {
            ContextContent::Bytes(_) => relocate(&file.path, generated),
            ContextContent::Tree | ContextContent::Symlink(_) => file.path.clone(),
        };
        (place, file)
    })
}
