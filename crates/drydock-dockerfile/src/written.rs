//! Everything that plain Docker needs, as files.

use std::collections::BTreeMap;
use std::sync::Arc;

use drydock_plan::{BuildPlan, ContextContent, WorkspacePath};

use crate::bake::bake_file;
use crate::generated::{context_files, generated_directory};
use crate::ignore::ignore_file;
use crate::lower::lower;

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its content.
    pub bytes: Arc<[u8]>,
    /// Whether its executable bits are set.
    pub executable: bool,
}

/// The files with which `docker build --file <directory>/Dockerfile --target <target> .` and
/// `docker buildx bake --file <directory>/docker-bake.json`, run from the root of the workspace, build the images of
/// the plan: the Dockerfile, its ignore file, the bake file, and the generated files of the context.
///
/// The bake file calls images like their targets: what it says does not change from commit to commit, so that these
/// files can be committed and checked.
///
/// # Panics
/// If the plan holds what [`validate`](crate::validate()) refuses.
pub fn written(plan: &BuildPlan, directory: &WorkspacePath) -> BTreeMap<WorkspacePath, WrittenFile> {
    let texts = [
        ("Dockerfile", lower(plan, directory).to_string()),
        ("Dockerfile.dockerignore", ignore_file(plan, directory)),
        ("docker-bake.json", bake_file(plan, directory, &BTreeMap::new())),
    ];
    let texts = texts.into_iter().map(|(name, text)| {
        let path = directory.join(name).expect("a plain name does not climb");
        (path, WrittenFile { bytes: text.into_bytes().into(), executable: false })
    });
    let generated = context_files(plan, directory).filter_map(|(path, file)| match &file.content {
        ContextContent::Bytes(bytes) => {
            debug_assert!(
                file.path.is_within(&generated_directory()),
                "{:?} would overwrite a file of the tree",
                file.path
            );
            Some((path, WrittenFile { bytes: Arc::clone(bytes), executable: file.executable }))
        }
        ContextContent::Tree | ContextContent::Symlink(_) => None,
    });
    generated.chain(texts).collect()
}
