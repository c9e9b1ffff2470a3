//! Packages of the image's own package manager.

use std::collections::BTreeSet;

use drydock_plan::StageId;

use super::Lowering;
use crate::syntax::{Command, Instruction, Mount, MountId, Run, Script, Sharing};

/// What apt and dpkg write beside the packages.
const TRACES: [&str; 4] =
    ["/var/log/apt", "/var/log/dpkg.log", "/var/log/alternatives.log", "/var/cache/ldconfig/aux-cache"];

impl Lowering<'_> {
    /// Adds packages to a stage of the lineage of `id`. What was downloaded stays in cache mounts, so the layer holds
    /// the packages only.
    pub(super) fn system_packages(&self, id: &StageId, packages: &[String]) -> Option<Instruction> {
        if packages.is_empty() {
            return None;
        }
        let cache = |id: &str, target| Mount::Cache {
            id: MountId::new(id).expect("letters and dashes are an id"),
            target,
            sharing: Sharing::Locked,
        };
        let alpine = self.is_alpine(id);
        let packages: BTreeSet<&str> = packages.iter().map(|name| package(name, alpine)).collect();
        let with_packages = |words: &[&str]| Command::new(words.iter().copied().chain(packages.iter().copied()));
        let run = if alpine {
            Run {
                mounts: vec![cache("drydock-apk", "/var/cache/apk")],
                script: with_packages(&["apk", "add", "--update-cache", "--cache-dir=/var/cache/apk"]).into(),
            }
        } else {
            Run {
                mounts: vec![cache("drydock-apt", "/var/cache/apt"), cache("drydock-apt-lists", "/var/lib/apt/lists")],
                script: Script {
                    commands: vec![
                        // Images of Debian and Ubuntu delete what apt downloads.
                        Command::new(["rm", "-f", "/etc/apt/apt.conf.d/docker-clean"]),
                        Command::new(["apt-get", "update"]),
                        with_packages(&["apt-get", "install", "--yes", "--no-install-recommends"]),
                        // What tells when it was done would make the layer another each time.
                        Command::new([&["rm", "-rf"][..], &TRACES].concat()),
                    ],
                },
            }
        };
        Some(Instruction::Run(run))
    }

    /// Whether the image that the lineage of `id` begins with is one of Alpine, as its reference says.
    fn is_alpine(&self, id: &StageId) -> bool {
        let image = self.bases(id).find_map(|base| base.image.as_ref());
        image.is_some_and(|image| image.as_str().rsplit('/').next().unwrap_or_default().contains("alpine"))
    }
}

/// What a package is called by the image's package manager.
fn package(name: &str, alpine: bool) -> &str {
    // Named after its binary interface in Debian.
    if name == "jemalloc" && !alpine { "libjemalloc2" } else { name }
}
