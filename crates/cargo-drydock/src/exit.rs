//! Exit codes, which are part of the interface.

use std::process::{ExitCode, Termination};

use drydock_diagnostics::Category;

/// How a run ended. Return it from `main`, or ask for its [`code`](Self::code).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[must_use = "the exit code is the answer to whoever started the process"]
pub enum Exit {
    /// 0: what was asked for is done.
    Success,
    /// 1: a build step or a push failed, or `dockerfile --check` found stale files.
    Failed,
    /// 2: the command line or the configuration is wrong.
    Usage,
    /// 3: the workspace, a manifest or the lockfile is invalid.
    Workspace,
    /// 4: the Docker daemon is unreachable, too old, or refuses.
    Docker,
    /// 101: a bug in drydock; the message says where to report it.
    Bug,
    /// 130: interrupted with Ctrl-C.
    Interrupted,
}

impl Exit {
    /// All of them, for documentation and tests.
    pub const ALL: [Self; 7] =
        [Self::Success, Self::Failed, Self::Usage, Self::Workspace, Self::Docker, Self::Bug, Self::Interrupted];

    /// The number that the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Workspace => 3,
            Self::Docker => 4,
            Self::Bug => 101,
            Self::Interrupted => 130,
        }
    }
}

impl From<Category> for Exit {
    fn from(category: Category) -> Self {
        match category {
            Category::Build => Self::Failed,
            Category::Usage => Self::Usage,
            Category::Workspace => Self::Workspace,
            Category::Docker => Self::Docker,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_keep_the_codes_that_diagnostics_document() {
        for category in [Category::Build, Category::Usage, Category::Workspace, Category::Docker] {
            assert_eq!(Exit::from(category).code(), category.exit_code());
        }
    }
}
