//! Which Docker a daemon of our own is made of: packages unpacked, never installed.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::apt::{self, Mirror, Suite};
use crate::host::{self, Distribution, Family};
use crate::state::StateDir;

/// Whose packages a daemon of our own is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Source {
    /// Debian unstable
    Sid,
    /// Debian 13
    Trixie,
    /// The machine's own distribution
    Host,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Sid => "sid",
            Self::Trixie => "trixie",
            Self::Host => "host",
        }
    }
}

/// One unpacked Docker: programs under `root`, data under `data`.
pub(super) struct Unpacked {
    pub(super) root: PathBuf,
    pub(super) data: PathBuf,
}

impl Source {
    /// The packages that hold a daemon and a client; the first set that the source has is taken.
    ///
    /// Debian split the client and buildx off in trixie, and `tini-static` in sid. Ubuntu keeps
    /// the client in `docker.io`.
    fn package_sets(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Sid => &[&["docker.io", "containerd", "docker-cli", "docker-buildx", "tini-static"]],
            Self::Trixie => &[&["docker.io", "containerd", "docker-cli", "docker-buildx", "tini"]],
            Self::Host => &[
                &["docker.io", "containerd", "docker-cli", "docker-buildx", "tini"],
                &["docker.io", "containerd", "docker-buildx", "tini"],
                &["docker.io", "containerd", "tini"],
            ],
        }
    }
}

/// A Docker that is already unpacked, or the first of the sources that can be.
pub(super) fn unpacked(state: &StateDir, from: Option<Source>) -> Result<Unpacked> {
    let distribution = Distribution::detect()?;
    let sources = match (from, distribution.family) {
        (Some(source), _) => vec![source],
        (None, Family::Debian) => vec![Source::Sid, Source::Trixie, Source::Host],
        // Debian's builds are not made for Ubuntu's libraries, and Ubuntu's Docker is recent.
        (None, Family::Ubuntu) => vec![Source::Host],
    };
    let place = |source: Source| Unpacked {
        root: state.join("docker").join(source.name()),
        // A daemon may not read what a newer one wrote.
        data: state.join("data").join(source.name()),
    };
    for source in &sources {
        let docker = place(*source);
        if works(&docker) {
            return Ok(docker);
        }
    }
    let mut failures = String::new();
    for source in sources {
        let docker = place(source);
        eprintln!("  unpacking Docker from {} on {}", source.name(), distribution.pretty_name);
        match unpack(state, source, &docker) {
            Ok(versions) => {
                eprintln!("  unpacked {}", versions.join(" "));
                return Ok(docker);
            }
            Err(error) => {
                eprintln!("  not from {}: {error:#}", source.name());
                failures.push_str(&format!("\n{}: {error:#}", source.name()));
            }
        }
    }
    bail!("no source gave a Docker that runs here{failures}")
}

fn unpack(state: &StateDir, source: Source, docker: &Unpacked) -> Result<Vec<String>> {
    let parent = docker.root.parent().expect("the root is below the state folder");
    fs_err::create_dir_all(parent)?;
    let scratch = state.join("apt").join(source.name());
    let mirror = Mirror::of_machine();
    let suite = match (source, &mirror) {
        (Source::Host, _) => Suite::Host,
        (_, Ok(mirror)) => Suite::Debian(mirror, source.name()),
        (_, Err(error)) => bail!("{error:#}"),
    };
    let mut result = Err(anyhow::anyhow!("no package set"));
    for set in source.package_sets() {
        result = apt::unpack(suite, set, &scratch, &docker.root);
        if result.is_ok() {
            break;
        }
    }
    let versions = result?;
    if source == Source::Host && !works(docker) {
        // The one library of Debian 12's daemon that small installations lack.
        host::install(&["libdevmapper1.02.1"])?;
    }
    if !works(docker) {
        bail!("the unpacked `dockerd` does not run on this machine's libraries");
    }
    Ok(versions)
}

/// Whether the daemon and its container runtime manager load here.
fn works(docker: &Unpacked) -> bool {
    ["usr/sbin/dockerd", "usr/bin/containerd", "usr/bin/docker"]
        .iter()
        .all(|program| host::run_quiet(Command::new(docker.root.join(program)).arg("--version")).is_ok())
}
