//! Stages that install packages of a registry.

use drydock_plan::{ContextContent, InstallPurpose, InstallStage, PackageManager, StageId, StageKind, WorkspacePath};
use indexmap::IndexMap;

use super::{Lowering, without_traces};
use crate::generated::relocate;
use crate::syntax::{Command, Copy, Instruction, Mount, MountId, Run, Script, Sharing, ShellValue};

/// Where pnpm keeps its store; said aloud because it would look for a place on the file system of `node_modules`.
const PNPM_STORE: &str = "/root/.local/share/pnpm/store";

/// The build arguments of the first base of a lineage in which `managers` install: what keeps them quiet, and bounds how
/// long they wait for a registry. Every command of the stages that begin with it has them in its environment, and no
/// image has.
///
/// npm's own bounds are three attempts of five minutes. These are three attempts of 20 seconds, 1 and then up to
/// 5 seconds apart: an unreachable registry fails after about a minute. The time runs until an answer begins and
/// while nothing arrives, not while a large archive does. At the level `http` npm tells what it fetched and which
/// attempts failed.
pub(super) fn settings(managers: &[PackageManager]) -> IndexMap<String, Option<String>> {
    let mut variables: Vec<(&str, &str)> = Vec::new();
    for manager in managers {
        match manager {
            PackageManager::Npm => variables.extend([
                ("npm_config_audit", "false"),
                ("npm_config_fund", "false"),
                ("npm_config_update_notifier", "false"),
                ("npm_config_loglevel", "http"),
                ("npm_config_fetch_retries", "2"),
                ("npm_config_fetch_retry_mintimeout", "1000"),
                ("npm_config_fetch_retry_maxtimeout", "5000"),
                ("npm_config_fetch_timeout", "20000"),
            ]),
            PackageManager::Pnpm => variables.extend([
                ("npm_config_update_notifier", "false"),
                ("npm_config_fetch_retries", "2"),
                ("npm_config_fetch_retry_mintimeout", "1000"),
                ("npm_config_fetch_retry_maxtimeout", "5000"),
                ("npm_config_fetch_timeout", "20000"),
            ]),
            PackageManager::YarnClassic => variables.push(("YARN_NETWORK_TIMEOUT", "20000")),
            // The right version is in the image, not at the configured path. The archives are kept in the workspace, where
            // Plug'n'Play reads them; the mounted cache mirrors them.
            PackageManager::YarnBerry => variables.extend([
                ("YARN_IGNORE_PATH", "1"),
                ("YARN_ENABLE_GLOBAL_CACHE", "false"),
                ("YARN_ENABLE_TELEMETRY", "false"),
                ("YARN_HTTP_RETRY", "2"),
                ("YARN_HTTP_TIMEOUT", "20000"),
            ]),
            PackageManager::Bun => {}
        }
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), Some(value.to_owned()))).collect()
}

impl Lowering<'_> {
    pub(super) fn install(&self, install: &InstallStage) -> Vec<Instruction> {
        let mut instructions = Vec::new();
        instructions.extend(self.system_packages(&install.from, &install.system_packages));
        instructions.push(Instruction::Copy(Copy {
            from: None,
            owner: None,
            sources: vec![format!("{}/", relocate(&install.input, self.generated))],
            destination: "./".to_owned(),
        }));
        instructions.extend(self.copy_from_context(&install.files));
        if install.verified {
            // Scripts are for the install itself.
            let script = self.install_script(install, &["--dry-run", "--ignore-scripts"]);
            instructions.push(Instruction::Run(Run { mounts: mounts(install), script }));
        }
        instructions.push(Instruction::Run(Run { mounts: mounts(install), script: self.install_script(install, &[]) }));
        instructions.extend(install.after.iter().map(|words| super::run(Command::new(words.iter().cloned()))));
        instructions
    }

    fn install_script(&self, install: &InstallStage, options: &[&str]) -> Script {
        let environment = install
            .env
            .iter()
            .map(|(name, value)| (name.clone(), ShellValue::Text(value.clone())))
            .chain(install.npmrc_variables.iter().map(|name| (name.clone(), ShellValue::Secret(secret(name)))))
            .collect();
        let words = install_words(install.manager, install.purpose, self.hides_development(install));
        let words = words.into_iter().chain(options.iter().copied());
        let command = Command { environment, words: words.map(str::to_owned).collect() };
        match install.purpose {
            InstallPurpose::Build => command.into(),
            InstallPurpose::Production => without_traces(command).into(),
        }
    }

    /// Whether `NODE_ENV=production` would leave development dependencies out of an install that needs them.
    fn hides_development(&self, install: &InstallStage) -> bool {
        let inherited = || self.bases(&install.from).find_map(|base| base.env.get("NODE_ENV"));
        install.purpose == InstallPurpose::Build
            && install.env.get("NODE_ENV").or_else(inherited).is_some_and(|value| value == "production")
    }

    /// The package managers of the installs that begin with the base stage `id`, directly or not.
    pub(super) fn managers(&self, id: &StageId) -> Vec<PackageManager> {
        let mut managers = Vec::new();
        for stage in &self.plan.stages {
            let StageKind::Install(install) = &stage.kind else { continue };
            let begins_here = self.ancestors(&install.from).any(|ancestor| ancestor.id == *id);
            if begins_here && !managers.contains(&install.manager) {
                managers.push(install.manager);
            }
        }
        managers
    }

    /// Brings the package managers that images of Node do not hold, each in the version that the workspace names. From
    /// the registry of npm: Corepack would fetch them anew in every install, some of them from elsewhere.
    pub(super) fn install_managers(&self, managers: &[PackageManager]) -> Option<Instruction> {
        let mut packages = Vec::new();
        let mut force = false;
        for &manager in managers {
            let (package, name, fallback) = match manager {
                PackageManager::Npm => continue,
                PackageManager::Pnpm => ("pnpm", "pnpm", self.pnpm_major()),
                PackageManager::YarnClassic => ("yarn", "yarn", "1"),
                PackageManager::YarnBerry => ("@yarnpkg/cli-dist", "yarn", "4"),
                PackageManager::Bun => ("bun", "bun", "1"),
            };
            let version = self.manager_version(manager, name).unwrap_or(fallback.to_owned());
            packages.push(format!("{package}@{version}"));
            // Node's own images hold a Yarn 1, whose command has to give way.
            force |= name == "yarn";
        }
        let options = ["npm", "install", "--global"].into_iter().chain(force.then_some("--force"));
        let words = options.map(str::to_owned).chain(packages.iter().cloned());
        let mut commands = vec![without_traces(Command::new(words))];
        if managers.contains(&PackageManager::Bun) {
            // Its installer copies one of them to its place; the others are for other processors.
            commands.push(Command::new(["rm", "-rf", "/usr/local/lib/node_modules/bun/node_modules"]));
        }
        (!packages.is_empty()).then_some(Instruction::Run(Run { mounts: Vec::new(), script: Script { commands } }))
    }

    /// The version that `packageManager` of a masked root manifest names: `9.15.9` of `pnpm@9.15.9+sha512.…`.
    fn manager_version(&self, manager: PackageManager, name: &str) -> Option<String> {
        self.inputs(manager).find_map(|input| {
            let manifest: serde_json::Value =
                serde_json::from_slice(self.generated_bytes(input, "package.json")?).ok()?;
            let named = manifest.get("packageManager")?.as_str()?.strip_prefix(name)?.strip_prefix('@')?;
            let version = named.split('+').next().unwrap_or(named);
            version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
        })
    }

    /// The first pnpm that writes lockfiles as the workspace's one is.
    fn pnpm_major(&self) -> &'static str {
        let format = self.inputs(PackageManager::Pnpm).find_map(|input| {
            let lockfile = std::str::from_utf8(self.generated_bytes(input, "pnpm-lock.yaml")?).ok()?;
            let line = lockfile.lines().find_map(|line| line.strip_prefix("lockfileVersion:"))?;
            Some(line.trim().trim_matches(['\'', '"']))
        });
        match format {
            Some(format) if format.starts_with("6.") => "8",
            Some(format) if format.starts_with("5.") => "7",
            _ => "9",
        }
    }

    /// The inputs of a package manager's installs.
    fn inputs(&self, manager: PackageManager) -> impl Iterator<Item = &WorkspacePath> {
        self.plan.stages.iter().filter_map(move |stage| match &stage.kind {
            StageKind::Install(install) if install.manager == manager => Some(&install.input),
            _ => None,
        })
    }

    fn generated_bytes(&self, folder: &WorkspacePath, name: &str) -> Option<&[u8]> {
        let path = folder.join(name).ok()?;
        let file = self.plan.context.iter().find(|file| file.path == path)?;
        match &file.content {
            ContextContent::Bytes(bytes) => Some(bytes),
            ContextContent::Tree | ContextContent::Symlink(_) => None,
        }
    }
}

fn mounts(install: &InstallStage) -> Vec<Mount> {
    let (id, target, sharing) = match install.manager {
        PackageManager::Npm => ("drydock-npm", "/root/.npm", Sharing::Shared),
        PackageManager::Pnpm => ("drydock-pnpm", PNPM_STORE, Sharing::Shared),
        PackageManager::YarnClassic => ("drydock-yarn", "/usr/local/share/.cache/yarn", Sharing::Locked),
        PackageManager::YarnBerry => ("drydock-yarn-berry", "/root/.yarn/berry/cache", Sharing::Locked),
        PackageManager::Bun => ("drydock-bun", "/root/.bun/install/cache", Sharing::Shared),
    };
    let mut mounts = vec![Mount::Cache { id: secret(id), target, sharing }];
    if install.npmrc_secret {
        mounts.push(Mount::Secret { id: secret("npmrc"), target: Some("/root/.npmrc") });
    }
    if install.ssh {
        mounts.push(Mount::Ssh);
    }
    mounts.extend(install.npmrc_variables.iter().map(|name| Mount::Secret { id: secret(name), target: None }));
    mounts
}

/// The frozen install of each package manager. `include_development` overrides an environment that leaves out what
/// builds need.
fn install_words(manager: PackageManager, purpose: InstallPurpose, include_development: bool) -> Vec<&'static str> {
    let (mut words, production, development): (Vec<&str>, &str, Option<&str>) = match manager {
        PackageManager::Npm => (vec!["npm", "ci"], "--omit=dev", Some("--include=dev")),
        PackageManager::Pnpm => (
            vec!["pnpm", "install", "--frozen-lockfile", "--store-dir=/root/.local/share/pnpm/store"],
            "--prod",
            Some("--prod=false"),
        ),
        PackageManager::YarnClassic => (
            vec!["yarn", "install", "--frozen-lockfile", "--non-interactive"],
            "--production",
            Some("--production=false"),
        ),
        PackageManager::YarnBerry if purpose == InstallPurpose::Production => {
            return vec!["yarn", "workspaces", "focus", "--all", "--production"];
        }
        PackageManager::YarnBerry => (vec!["yarn", "install", "--immutable"], "", None),
        PackageManager::Bun => (vec!["bun", "install", "--frozen-lockfile"], "--production", None),
    };
    match purpose {
        // The whole lockfile may stand in for a pruned one, so what production leaves out is always said.
        InstallPurpose::Production => words.push(production),
        InstallPurpose::Build if include_development => words.extend(development),
        InstallPurpose::Build => {}
    }
    words
}

fn secret(id: &str) -> MountId {
    MountId::new(id).expect("a variable's name is an id, and ours are")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_of_pnpm_is_the_mounted_one() {
        let words = install_words(PackageManager::Pnpm, InstallPurpose::Build, false);
        assert!(words.contains(&format!("--store-dir={PNPM_STORE}").as_str()));
    }
}
