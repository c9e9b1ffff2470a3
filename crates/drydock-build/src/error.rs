//! What can go wrong between us and the daemon. A step that fails is not here: it is an outcome
//! ([`StepFailure`](crate::StepFailure)), because other targets may still succeed.

use std::path::PathBuf;

use drydock_diagnostics::{Category, Diagnose};

/// A run could not be done, whatever its targets.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No daemon answers.
    #[error("no Docker daemon answers")]
    DaemonUnreachable {
        /// Each address that was tried, where it came from, and what happened.
        tried: Vec<Attempt>,
    },
    /// The daemon is older than what BuildKit features we need.
    #[error("Docker {version} is too old")]
    DaemonTooOld {
        /// The daemon's version.
        version: String,
        /// The version of its API.
        api: String,
    },
    /// Something answers Docker's API but has no BuildKit.
    #[error("{name} at `{address}` has no BuildKit")]
    NoBuildKit {
        /// What it calls itself.
        name: String,
        /// Where it is.
        address: String,
    },
    /// `DOCKER_HOST` or a context holds something that is no address.
    #[error("`{address}` is not an address of a Docker daemon")]
    InvalidAddress {
        /// The text.
        address: String,
        /// Where it came from.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The Docker context that is chosen does not exist.
    #[error("the Docker context `{name}` does not exist")]
    UnknownContext {
        /// Its name.
        name: String,
        /// Who chose it.
        origin: String,
        /// The file that would hold it.
        path: PathBuf,
    },
    /// A file of Docker's own configuration cannot be understood.
    #[error("`{path}` is not valid: {reason}")]
    InvalidDockerConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS to the daemon cannot be set up.
    #[error("TLS for `{address}` cannot be set up: {reason}")]
    Tls {
        /// The daemon's address.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The connection to the daemon, or the session on it, ended in the middle.
    #[error("the connection to the Docker daemon was lost while {activity}")]
    ConnectionLost {
        /// What we were doing.
        activity: &'static str,
        /// What the connection said.
        reason: String,
    },
    /// The daemon refused something that is not a build step.
    #[error("the Docker daemon could not {activity}: {message}")]
    Daemon {
        /// What we asked for, such as ``tag `a:1` ``.
        activity: String,
        /// What it said.
        message: String,
    },
    /// A registry refused a push.
    #[error("`{reference}` could not be pushed: {message}")]
    PushFailed {
        /// The image reference.
        reference: String,
        /// What the daemon or the registry said.
        message: String,
        /// The references that had already been pushed.
        pushed: Vec<String>,
    },
    /// The caller cancelled a push.
    #[error("the push was cancelled")]
    PushCancelled {
        /// The references that had already been pushed.
        pushed: Vec<String>,
    },
    /// A path of the context is not one.
    #[error("`{path}` cannot be a path in the build context: {reason}")]
    InvalidContextPath {
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file of the context cannot be read.
    #[error("a file of the build context cannot be read: {source}")]
    UnreadableContext {
        /// Names the file.
        source: std::io::Error,
    },
    /// A file changed between the moment it was first read and the moment it was sent.
    #[error("`{path}` changed while the build was reading it")]
    ContextChanged {
        /// Its path in the context.
        path: String,
    },
    /// The value of a secret cannot be had.
    #[error("the secret `{id}` cannot be read: {reason}")]
    UnreadableSecret {
        /// Its id.
        id: String,
        /// Why.
        reason: String,
    },
    /// There is no ssh agent to forward.
    #[error("the ssh agent `{id}` cannot be used: {reason}")]
    NoSshAgent {
        /// The id of the mount.
        id: String,
        /// Why.
        reason: String,
    },
    /// `buildkitd` alone has no image store to look into, tag or push from.
    #[error("the `buildkitd` at `{address}` has no image store")]
    NoImageStore {
        /// Where it is.
        address: String,
    },
    /// A target asks for what this daemon cannot do.
    #[error("target `{target}`: {message}")]
    Unsupported {
        /// The target.
        target: String,
        /// What it asks for.
        message: String,
        /// What would make it possible.
        help: String,
    },
}

/// One address that did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The address.
    pub address: String,
    /// Where it came from, such as ``the environment variable `DOCKER_HOST` ``.
    pub origin: String,
    /// What happened.
    pub reason: String,
}

impl Diagnose for BuildError {
    fn code(&self) -> &'static str {
        match self {
            Self::DaemonUnreachable { .. } => "docker-unreachable",
            Self::DaemonTooOld { .. } => "docker-too-old",
            Self::NoBuildKit { .. } => "docker-without-buildkit",
            Self::InvalidAddress { .. } => "docker-address-invalid",
            Self::UnknownContext { .. } => "docker-context-unknown",
            Self::InvalidDockerConfig { .. } => "docker-config-invalid",
            Self::Tls { .. } => "docker-tls",
            Self::ConnectionLost { .. } => "docker-connection-lost",
            Self::Daemon { .. } => "docker-refused",
            Self::PushFailed { .. } => "push-failed",
            Self::PushCancelled { .. } => "push-cancelled",
            Self::InvalidContextPath { .. } => "context-path-invalid",
            Self::UnreadableContext { .. } => "context-unreadable",
            Self::ContextChanged { .. } => "context-changed",
            Self::UnreadableSecret { .. } => "secret-unreadable",
            Self::NoSshAgent { .. } => "ssh-agent-missing",
            Self::NoImageStore { .. } => "buildkitd-without-images",
            Self::Unsupported { .. } => "docker-unsupported",
        }
    }

    fn category(&self) -> Category {
        match self {
            Self::DaemonUnreachable { .. }
            | Self::DaemonTooOld { .. }
            | Self::NoBuildKit { .. }
            | Self::InvalidAddress { .. }
            | Self::UnknownContext { .. }
            | Self::InvalidDockerConfig { .. }
            | Self::Tls { .. }
            | Self::ConnectionLost { .. }
            | Self::Daemon { .. }
            | Self::NoImageStore { .. }
            | Self::Unsupported { .. } => Category::Docker,
            Self::PushFailed { .. } | Self::PushCancelled { .. } | Self::ContextChanged { .. } => Category::Build,
            Self::InvalidContextPath { .. } | Self::UnreadableContext { .. } => Category::Workspace,
            Self::UnreadableSecret { .. } | Self::NoSshAgent { .. } => Category::Usage,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::DaemonUnreachable { tried } => unreachable_help(tried),
            Self::DaemonTooOld { .. } => "update to Docker 20.10 or later".to_owned(),
            Self::NoBuildKit { .. } => {
                "use a Docker daemon or `buildkitd`, or write the Dockerfile with `cargo drydock dockerfile --out-dir DIR` \
                 and build it with the tool at hand"
                    .to_owned()
            }
            Self::InvalidAddress { origin, .. } => {
                format!("set {origin} to `unix:///PATH`, `tcp://HOST:PORT` or `ssh://[USER@]HOST`")
            }
            Self::UnknownContext { origin, .. } => {
                format!("choose one of `docker context ls` in {origin}, or set `DOCKER_HOST`")
            }
            Self::InvalidDockerConfig { path, .. } => format!("correct `{}`, or remove it", path.display()),
            Self::Tls { .. } => {
                "set `DOCKER_CERT_PATH` to the folder that holds `ca.pem`, `cert.pem` and `key.pem`".to_owned()
            }
            Self::ConnectionLost { .. } => {
                "look into the daemon's log (`journalctl -u docker`), and run the build again: steps that ended are cached"
                    .to_owned()
            }
            Self::PushFailed { reference, message, .. } => push_help(reference, message),
            Self::ContextChanged { .. } => "run the build again when nothing writes to the file".to_owned(),
            Self::UnreadableSecret { .. } => {
                "check the file or the environment variable that `--secret` names".to_owned()
            }
            Self::NoImageStore { .. } => "build straight to a registry or to a file, or use a Docker daemon".to_owned(),
            Self::NoSshAgent { .. } => "start an agent with `eval $(ssh-agent)` and `ssh-add`, or name its socket".to_owned(),
            Self::Unsupported { help, .. } => help.clone(),
            Self::Daemon { message, .. } if message.contains("no space left") => {
                "free space where the daemon keeps its data: `docker system df`, `docker builder prune`".to_owned()
            }
            Self::Daemon { .. } => "look into the daemon's log (`journalctl -u docker`)".to_owned(),
            Self::PushCancelled { .. } => {
                "run the command again: layers that were pushed are not pushed again".to_owned()
            }
            Self::InvalidContextPath { .. } => {
                "give files that steps read names that are relative to the workspace, each once".to_owned()
            }
            Self::UnreadableContext { .. } => "check that the file is there and may be read, and run the build again".to_owned(),
        })
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::DaemonUnreachable { tried } => tried
                .iter()
                .map(|Attempt { address, origin, reason }| format!("tried `{address}` ({origin}): {reason}"))
                .collect(),
            Self::DaemonTooOld { api, .. } => vec![format!("its API is {api}; 1.41 (Docker 20.10) is needed")],
            Self::InvalidAddress { reason, .. } | Self::ConnectionLost { reason, .. } => vec![reason.clone()],
            Self::PushFailed { pushed, .. } | Self::PushCancelled { pushed } => {
                pushed.iter().map(|reference| format!("`{reference}` had already been pushed")).collect()
            }
            Self::UnknownContext { path, .. } => vec![format!("`{}` does not exist", path.display())],
            _ => Vec::new(),
        }
    }
}

fn unreachable_help(tried: &[Attempt]) -> String {
    if tried.iter().any(|attempt| attempt.reason.contains("ermission denied")) {
        return "join the group that owns the socket (`sudo usermod -aG docker $USER`, then log in again)".to_owned();
    }
    if tried.iter().any(|attempt| attempt.address.starts_with("ssh://")) {
        return "check that `ssh HOST docker version` works without a question".to_owned();
    }
    if cfg!(target_os = "linux") {
        "start the daemon (`sudo systemctl start docker`), or set `DOCKER_HOST` to where it listens".to_owned()
    } else {
        "start Docker Desktop, or set `DOCKER_HOST` to where a daemon listens".to_owned()
    }
}

fn push_help(reference: &str, message: &str) -> String {
    let registry = crate::docker_config::registry_of(reference);
    let refused = ["denied", "nauthorized", "authentication required", "no basic auth"];
    if refused.iter().any(|word| message.contains(word)) {
        format!("log in with `docker login {registry}`, as someone who may push there")
    } else {
        format!(
            "check that the daemon reaches `{registry}`, and run the command again: layers that were pushed are not pushed again"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn one_of_each() -> Vec<BuildError> {
        let text = || "x".to_owned();
        let attempt = Attempt { address: text(), origin: text(), reason: text() };
        vec![
            BuildError::DaemonUnreachable { tried: vec![attempt] },
            BuildError::DaemonTooOld { version: text(), api: text() },
            BuildError::NoBuildKit { name: text(), address: text() },
            BuildError::InvalidAddress { address: text(), origin: text(), reason: text() },
            BuildError::UnknownContext { name: text(), origin: text(), path: text().into() },
            BuildError::InvalidDockerConfig { path: text().into(), reason: text() },
            BuildError::Tls { address: text(), reason: text() },
            BuildError::ConnectionLost { activity: "building", reason: text() },
            BuildError::Daemon { activity: text(), message: text() },
            BuildError::PushFailed { reference: text(), message: text(), pushed: vec![text()] },
            BuildError::PushCancelled { pushed: vec![text()] },
            BuildError::InvalidContextPath { path: text(), reason: "x" },
            BuildError::UnreadableContext { source: std::io::Error::other("x") },
            BuildError::ContextChanged { path: text() },
            BuildError::UnreadableSecret { id: text(), reason: text() },
            BuildError::NoSshAgent { id: text(), reason: text() },
            BuildError::NoImageStore { address: text() },
            BuildError::Unsupported { target: text(), message: text(), help: text() },
        ]
    }

    #[test]
    fn every_error_has_a_code_of_its_own_and_a_way_out() {
        let mut codes = BTreeSet::new();
        for error in one_of_each() {
            let code = error.code();
            assert!(code.chars().all(|character| character.is_ascii_lowercase() || character == '-'), "{code}");
            assert!(codes.insert(code), "{code} twice");
            assert!(error.help().is_some_and(|help| !help.ends_with('.')), "{code}");
            assert!(!error.to_string().ends_with('.'), "{code}");
        }
    }

    #[test]
    fn what_may_not_be_opened_needs_a_group() {
        let tried = |address: &str, reason: &str| BuildError::DaemonUnreachable {
            tried: vec![Attempt { address: address.to_owned(), origin: "x".to_owned(), reason: reason.to_owned() }],
        };
        let help = |error: BuildError| error.help().unwrap();
        assert!(help(tried("unix:///a", "Permission denied (os error 13)")).contains("usermod"));
        assert!(help(tried("ssh://a", "the connection was closed")).contains("ssh HOST docker version"));
        assert!(help(tried("unix:///a", "No such file or directory")).starts_with("start "));
    }
}
