//! What a plan can hold that a Dockerfile cannot say.

use drydock_diagnostics::{Category, Diagnose};
use drydock_plan::WorkspacePath;

/// Why a plan cannot be written as a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DockerfileError {
    /// A value holds a line break or a NUL byte where a Dockerfile has no escape for it.
    #[error("{place} holds a line break or a NUL byte, which a Dockerfile cannot say")]
    LineBreak {
        /// What holds it: ``the environment variable `KEY` of target `api` ``.
        place: String,
    },
    /// A folder that becomes a working directory has a line break in its name.
    #[error("the folder {directory:?} has a line break in its name, which a Dockerfile cannot say")]
    Folder {
        /// The folder.
        directory: WorkspacePath,
    },
    /// The name of an environment variable or build argument has characters that a Dockerfile does not take.
    #[error("`{}` in {place} is not the name of a variable", name.escape_debug())]
    Name {
        /// As configured.
        name: String,
        /// Where: ``the build arguments of target `api` ``.
        place: String,
    },
    /// The id of a secret has characters that a Dockerfile does not take.
    #[error("`{}` in {place} is not the id of a secret", id.escape_debug())]
    Secret {
        /// As configured.
        id: String,
        /// Where: ``package `api` ``.
        place: String,
    },
    /// A stage begins with what is no reference to an image.
    #[error("`{}`, which stage `{stage}` begins with, is not a reference to an image", image.escape_debug())]
    Image {
        /// As configured.
        image: String,
        /// The stage that begins with it.
        stage: String,
    },
}

impl Diagnose for DockerfileError {
    fn code(&self) -> &'static str {
        match self {
            Self::LineBreak { .. } => "dockerfile-line-break",
            Self::Folder { .. } => "dockerfile-folder-name",
            Self::Name { .. } => "dockerfile-variable-name",
            Self::Secret { .. } => "dockerfile-secret-id",
            Self::Image { .. } => "dockerfile-image-reference",
        }
    }

    fn category(&self) -> Category {
        match self {
            Self::Folder { .. } => Category::Workspace,
            Self::LineBreak { .. } | Self::Name { .. } | Self::Secret { .. } | Self::Image { .. } => Category::Usage,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::LineBreak { .. } => {
                "write the value on one line, or read it from a file when the image starts".into()
            }
            Self::Folder { .. } => "rename the folder".into(),
            Self::Name { .. } => "use letters, digits and `_`, not beginning with a digit".into(),
            Self::Secret { .. } => "use letters, digits, `_`, `-` and `.`".into(),
            Self::Image { .. } => "write the image as `name`, `name:tag` or `registry/name@sha256:…`".into(),
        })
    }
}
