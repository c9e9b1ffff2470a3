//! What a caller asks for: plain data, filled in by hand.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::content::ListedContext;

/// The name of a target: an image to build.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetName(Arc<str>);

impl TargetName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for TargetName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for TargetName {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One run: a Dockerfile, the files its steps may see, and the targets to build from it.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub struct BuildRequest {
    /// The text of the one Dockerfile that all targets are stages of.
    pub dockerfile: String,
    /// Exactly the files that BuildKit may see, in any order. Folders above an entry need not be listed.
    pub context: Vec<ContextEntry>,
    /// The context as it was listed before, for instance to make labels of what its files hold; it takes the place of
    /// [`context`](Self::context), which is not looked at. What is built is what was listed: a file that the daemon asks
    /// for and that holds something else by then ends the run.
    pub listed: Option<ListedContext>,
    /// The images to build.
    pub targets: Vec<TargetRequest>,
    /// How many targets are solved at the same time; 0 counts as 1.
    pub jobs: usize,
    /// Stages that need much, of memory for instance, with how many of the jobs each takes while it is built. Such a stage
    /// is solved by itself before the targets that need it, so that none run together that have more jobs than there
    /// are; without it, BuildKit runs all stages of a target at once that do not wait for each other.
    pub stage_weights: BTreeMap<String, u32>,
    /// Whether the other targets go on when one has failed.
    pub keep_going: bool,
    /// Which steps run even though nothing changed.
    pub no_cache: NoCache,
    /// How base images are looked up.
    pub pull: Pull,
    /// The network of `RUN` steps.
    pub network: Network,
    /// What `RUN --mount=type=secret` may read. One id has one value for all targets of the run.
    pub secrets: Vec<Secret>,
    /// The agents that `RUN --mount=type=ssh` may talk to.
    pub ssh: Vec<SshForward>,
    /// Names the context across runs: the daemon keeps the last transferred files under it and only asks for what
    /// changed. Keep it stable for one checkout of one workspace, and different between checkouts.
    pub shared_key: String,
    /// When images say they were made, in seconds since 1970, and the newest time that files of theirs have as far as it is
    /// the exporter that writes them: everywhere but in the store of a Docker daemon.
    pub source_date_epoch: Option<u64>,
    /// Names that `RUN` steps find in `/etc/hosts`, with their addresses.
    pub hosts: BTreeMap<String, String>,
    /// Also tells [`Event::Raw`](crate::Event::Raw).
    pub raw_status: bool,
    /// Leaves the run out of the daemon's build history, which makes it faster (BuildKit ≥ 0.11; ignored before).
    pub internal: bool,
    /// Sends every file again, whatever the daemon already has.
    pub full_transfer: bool,
    /// The folder for the cache of file digests; `None` reads every file on every run.
    pub digest_cache: Option<PathBuf>,
}

impl Default for BuildRequest {
    fn default() -> Self {
        Self {
            dockerfile: String::new(),
            context: Vec::new(),
            listed: None,
            targets: Vec::new(),
            jobs: 1,
            stage_weights: BTreeMap::new(),
            keep_going: false,
            no_cache: NoCache::Nothing,
            pull: Pull::Missing,
            network: Network::Default,
            secrets: Vec::new(),
            ssh: Vec::new(),
            shared_key: String::new(),
            source_date_epoch: None,
            hosts: BTreeMap::new(),
            raw_status: false,
            internal: false,
            full_transfer: false,
            digest_cache: None,
        }
    }
}

/// A file, folder or link of the context.
#[derive(Debug, Clone)]
pub struct ContextEntry {
    /// Where it stands in the context: relative, `/`-separated, without `.` and `..`.
    pub path: String,
    /// Unix permission bits with setuid, setgid and sticky, such as `0o644`. Not used for links.
    pub mode: u32,
    /// What it is.
    pub content: ContextContent,
}

/// What stands at a path of the context.
#[derive(Debug, Clone)]
pub enum ContextContent {
    /// A file of the tree at this absolute path, read when the daemon asks for it.
    File(PathBuf),
    /// A generated file that only exists in memory.
    Bytes(Arc<[u8]>),
    /// A symbolic link with this target.
    Symlink(String),
    /// A folder; only needed for an empty one.
    Directory,
}

/// One image to build.
#[derive(Debug, Clone)]
pub struct TargetRequest {
    /// What events and outcomes call it.
    pub name: TargetName,
    /// The Dockerfile stage.
    pub stage: String,
    /// The image references it gets, `name[:tag]`; none leaves the image untagged.
    pub tags: Vec<String>,
    /// Values of `ARG`s.
    pub build_args: BTreeMap<String, String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the image's manifest (containerd's store only).
    pub annotations: BTreeMap<String, String>,
    /// `os/arch[/variant]`; none is the daemon's own, several make an index (containerd's store only).
    pub platforms: Vec<String>,
    /// Caches that steps may come from.
    pub cache_from: Vec<CacheEntry>,
    /// Caches that steps go to.
    pub cache_to: Vec<CacheEntry>,
    /// Attestations by kind (`provenance`, `sbom`), with their parameters, such as `mode=max` (containerd's store only).
    pub attestations: BTreeMap<String, String>,
    /// How many of the run's jobs it takes while it is solved; 0 counts as 1.
    pub weight: u32,
    /// What becomes of the result.
    pub output: Output,
}

impl TargetRequest {
    /// A target of a stage, without tags, for the daemon's image store.
    pub fn new(name: impl Into<TargetName>, stage: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            stage: stage.into(),
            tags: Vec::new(),
            build_args: BTreeMap::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            platforms: Vec::new(),
            cache_from: Vec::new(),
            cache_to: Vec::new(),
            attestations: BTreeMap::new(),
            weight: 1,
            output: Output::Image,
        }
    }
}

/// A build cache outside of the daemon, as `docker buildx` and bake write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheEntry {
    /// `registry`, `inline`, `gha`, `s3`, `azblob`.
    pub kind: String,
    /// What else is said of it: `ref`, `mode`, `scope`, ….
    pub attributes: BTreeMap<String, String>,
}

impl CacheEntry {
    /// Parses `type=registry,ref=example.com/cache`, or a bare image reference. `None` when a part has no `=`, or there
    /// is no `type`.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.is_empty() && !text.contains(['=', ',']) {
            let attributes = BTreeMap::from([("ref".to_owned(), text.to_owned())]);
            return Some(Self { kind: "registry".to_owned(), attributes });
        }
        let parts = text.split(',').map(|part| {
            let (key, value) = part.split_once('=')?;
            Some((key.trim().to_owned(), value.to_owned()))
        });
        let mut attributes: BTreeMap<String, String> = parts.collect::<Option<_>>()?;
        Some(Self { kind: attributes.remove("type")?, attributes })
    }
}

/// As [`CacheEntry::parse`] reads it.
impl fmt::Display for CacheEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "type={}", self.kind)?;
        self.attributes.iter().try_for_each(|(key, value)| write!(formatter, ",{key}={value}"))
    }
}

/// What becomes of a target's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// An image in the daemon's store.
    Image,
    /// An image in the registry that its tags name, without a stop in the daemon's store (containerd's store and
    /// `buildkitd` only). With several targets, prefer [`Builder::push`](crate::Builder::push) after all of them.
    Registry,
    /// The files of the image's file system, in a folder of this machine. What is in the folder stays.
    Folder(PathBuf),
    /// An archive on this machine.
    Archive {
        /// In which form.
        kind: ArchiveKind,
        /// The file, which is replaced once the archive is whole.
        path: PathBuf,
    },
    /// Nothing: the steps run and stay in the build cache.
    CacheOnly,
}

/// The form of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveKind {
    /// The files of the image's file system.
    Tar,
    /// An OCI image layout (containerd's store and `buildkitd` only).
    Oci,
    /// What `docker load` takes (containerd's store and `buildkitd` only).
    Docker,
}

/// Which steps run even though nothing changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoCache {
    /// None: the cache is used.
    Nothing,
    /// All.
    Everything,
    /// Those of these stages.
    Stages(Vec<String>),
}

/// How base images are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pull {
    /// The daemon's own image where it has one, the registry's otherwise.
    Missing,
    /// The registry's current one.
    Always,
}

/// The network of `RUN` steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// The daemon's default: a bridge of its own.
    Default,
    /// The daemon's host network.
    Host,
    /// None.
    None,
}

/// A value that a step may read through a secret mount. It never reaches a layer, an event or a message.
#[derive(Debug, Clone)]
pub struct Secret {
    /// The id that `RUN --mount=type=secret,id=…` names.
    pub id: String,
    /// Where the value comes from; read once, when the build begins.
    pub source: SecretSource,
}

/// Where the value of a secret comes from.
#[derive(Clone)]
pub enum SecretSource {
    /// The bytes of a file.
    File(PathBuf),
    /// An environment variable, of the environment that the builder was connected with.
    Env(String),
    /// These bytes.
    Bytes(Arc<[u8]>),
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => formatter.debug_tuple("File").field(path).finish(),
            Self::Env(name) => formatter.debug_tuple("Env").field(name).finish(),
            Self::Bytes(_) => formatter.write_str("Bytes(…)"),
        }
    }
}

/// An ssh agent that steps may use through `RUN --mount=type=ssh`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshForward {
    /// The id of the mount; `default` where the Dockerfile gives none.
    pub id: String,
    /// The agent's socket; `None` is the one in `SSH_AUTH_SOCK`.
    pub socket: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_are_parsed_as_buildx_writes_them() {
        let entry = |kind: &str, attributes: &[(&str, &str)]| {
            let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            Some(CacheEntry { kind: kind.to_owned(), attributes })
        };
        assert_eq!(CacheEntry::parse("a.b/c:d"), entry("registry", &[("ref", "a.b/c:d")]));
        assert_eq!(CacheEntry::parse("type=inline"), entry("inline", &[]));
        assert_eq!(
            CacheEntry::parse("type=registry,ref=a/b,mode=max"),
            entry("registry", &[("mode", "max"), ("ref", "a/b")])
        );
        assert_eq!(CacheEntry::parse("ref=a/b"), None);
        assert_eq!(CacheEntry::parse("type=inline,x"), None);
        assert_eq!(CacheEntry::parse(""), None);
    }
}
