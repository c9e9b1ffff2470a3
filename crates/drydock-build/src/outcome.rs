//! What became of the targets.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::event::{ContextSummary, Transfer};
use crate::request::TargetName;
use crate::vertex::{StepName, VertexDigest};

/// What became of a run.
#[derive(Debug, Clone)]
pub struct BuildOutcome {
    /// One for each target, in the order of the request.
    pub targets: Vec<TargetOutcome>,
    /// What the context held.
    pub context: ContextSummary,
    /// How much of it was sent.
    pub transfer: Transfer,
}

impl BuildOutcome {
    /// Whether every target was built.
    pub fn is_success(&self) -> bool {
        self.targets.iter().all(|outcome| matches!(outcome.result, TargetResult::Built(_)))
    }
}

/// What became of one target.
#[derive(Debug, Clone)]
pub struct TargetOutcome {
    /// Which target.
    pub target: TargetName,
    /// From the start of its solve to its end; zero when it never started.
    pub duration: Duration,
    /// How it ended.
    pub result: TargetResult,
}

/// How a target ended.
#[derive(Debug, Clone)]
pub enum TargetResult {
    /// The image is there.
    Built(BuiltTarget),
    /// The target itself failed.
    Failed(Box<StepFailure>),
    /// A step that it shares with another target failed, and that target tells of it.
    Blocked {
        /// The target that tells of the failure.
        by: TargetName,
        /// The stage that failed, where it was one.
        stage: Option<String>,
    },
    /// It was stopped, or never begun, because the run was cancelled or another target failed.
    Cancelled,
}

/// A target that was built.
#[derive(Debug, Clone)]
pub struct BuiltTarget {
    /// The image's id in the daemon's store: what `docker images` shows.
    pub image_id: Option<String>,
    /// The digest of the image's manifest or index; on the daemon's old store the same as the id.
    pub digest: Option<String>,
    /// Dockerfile steps whose result came from the cache.
    pub cached_steps: u32,
    /// Dockerfile steps that ran.
    pub run_steps: u32,
    /// All that the exporter answered, in BuildKit's words (`containerimage.digest`, …).
    pub metadata: BTreeMap<String, String>,
}

/// Why a target failed, as far as BuildKit tells.
#[derive(Debug, Clone)]
pub struct StepFailure {
    /// BuildKit's message.
    pub message: String,
    /// The vertex that failed.
    pub vertex: Option<VertexDigest>,
    /// Its name, where it is a step of a stage.
    pub step: Option<StepName>,
    /// The command as the daemon ran it (`/bin/sh -c npm run build`).
    pub command: Option<String>,
    /// The exit code of the command.
    pub exit_code: Option<i32>,
    /// The lines of the Dockerfile, 1-based.
    pub dockerfile_lines: Vec<RangeInclusive<u32>>,
    /// The last lines that the step wrote, at most [`LOG_TAIL_LINES`].
    pub log_tail: Vec<String>,
}

impl StepFailure {
    /// What to do about it, where that can be told from what the daemon says; most steps explain themselves.
    pub fn help(&self) -> Option<String> {
        let says = |words: &[&str]| words.iter().any(|words| self.message.contains(words));
        let wrote = |words: &str| self.log_tail.iter().any(|line| line.contains(words));
        if says(&["no space left on device"]) || wrote("no space left on device") || wrote("ENOSPC") {
            return Some(
                "free space where the daemon keeps its data: `docker system df`, `docker builder prune`".to_owned(),
            );
        }
        if self.exit_code == Some(137) || wrote("JavaScript heap out of memory") {
            return Some(
                "the command ran out of memory: build fewer targets at once (`--jobs 1`), or give Docker more"
                    .to_owned(),
            );
        }
        let image = self.image()?;
        let registry = crate::docker_config::registry_of(image);
        Some(if says(&["denied", "nauthorized", "authorization failed", "no basic auth", "403 Forbidden"]) {
            format!("log in with `docker login {registry}`, and check the name `{image}`")
        } else if says(&["not found", "manifest unknown"]) {
            format!("check the name `{image}`")
        } else {
            format!("check that the daemon reaches `{registry}`: `docker pull {image}`")
        })
    }

    /// The image that could not be had, in ``docker.io/library/x:1: failed to resolve source metadata for …: …``.
    fn image(&self) -> Option<&str> {
        let markers = ["failed to resolve source metadata for ", "failed to load metadata for "];
        let after = markers.iter().find_map(|marker| self.message.split_once(marker).map(|(_, rest)| rest));
        let name = match after {
            Some(rest) => rest.split(": ").next()?,
            // Before 0.11: `docker.io/library/x:1: not found`.
            None => self.message.split(": ").next().filter(|name| !name.contains(' ') && name.contains('/'))?,
        };
        Some(name.strip_prefix("docker.io/library/").unwrap_or(name))
    }
}

/// How many lines of a step are kept to be shown when it fails.
pub const LOG_TAIL_LINES: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn help(message: &str, exit_code: Option<i32>, line: &str) -> Option<String> {
        let failure = StepFailure {
            message: message.to_owned(),
            vertex: None,
            step: None,
            command: None,
            exit_code,
            dockerfile_lines: Vec::new(),
            log_tail: vec![line.to_owned()],
        };
        failure.help()
    }

    #[test]
    fn what_the_daemon_says_is_turned_into_advice() {
        let missing = "docker.io/library/nope:1: failed to resolve source metadata for docker.io/library/nope:1: docker.io/library/nope:1: not found";
        assert_eq!(help(missing, None, "").unwrap(), "check the name `nope:1`");
        let denied =
            "ghcr.io/me/x:1: failed to resolve source metadata for ghcr.io/me/x:1: failed to authorize: 403 Forbidden";
        assert_eq!(
            help(denied, None, "").unwrap(),
            "log in with `docker login ghcr.io`, and check the name `ghcr.io/me/x:1`"
        );
        let offline = "node:22: failed to resolve source metadata for docker.io/library/node:22: dial tcp: lookup registry-1.docker.io: no such host";
        assert_eq!(
            help(offline, None, "").unwrap(),
            "check that the daemon reaches `docker.io`: `docker pull node:22`"
        );
        let old = "docker.io/library/nope:1: not found";
        assert_eq!(help(old, None, "").unwrap(), "check the name `nope:1`");
        assert!(
            help("process \"x\" did not complete successfully: exit code: 1", Some(1), "ENOSPC: no space")
                .unwrap()
                .contains("prune")
        );
        assert!(
            help("process \"x\" did not complete successfully: exit code: 137", Some(137), "Killed")
                .unwrap()
                .contains("memory")
        );
        assert_eq!(help("process \"/bin/sh -c x\" did not complete successfully: exit code: 1", Some(1), "oops"), None);
    }
}
