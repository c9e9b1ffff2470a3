//! Stages that install packages of a registry.

use drydock_plan::{ContextContent, InstallPurpose, InstallStage, PackageManager, StageId, StageKind, WorkspacePath};
use indexmap::IndexMap;

use super::Lowering;
use crate::generated::relocate;
use crate::syntax::{Command, Copy, Instruction, Mount, MountId, Run, Script, Sharing, ShellValue};

/// Where pnpm keeps its store; said aloud because it would look for a place on the file system of `node_modules`.
const PNPM_STORE: &str = "/root/.local/share/pnpm/store";

/// The environment of the first base of a lineage in which `managers` install: what keeps them quiet, and bounds how
/// long they wait for a registry; `planned` comes last and wins.
///
/// npm's own bounds are three attempts of five minutes. These are three attempts of 20 seconds, 1 and then up to
/// 5 seconds apart: an unreachable registry fails after about a minute. The time runs until an answer begins and
/// while nothing arrives, not while a large archive does. At the level `http` npm tells what it fetched and which
/// attempts failed.
pub(super) fn environment(managers: &[PackageManager], planned: &IndexMap<String, String>) -> IndexMap<String, String> {
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
            // The archives are kept in the workspace, where Plug'n'Play reads them; the mounted cache mirrors them.
            PackageManager::YarnBerry => variables.extend([
                ("YARN_ENABLE_GLOBAL_CACHE", "false"),
                ("YARN_ENABLE_TELEMETRY", "false"),
                ("YARN_HTTP_RETRY", "2"),
                ("YARN_HTTP_TIMEOUT", "20000"),
            ]),
            PackageManager::Bun => {}
        }
    }
    let mut environment: IndexMap<String, String> =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    environment.extend(planned.iter().map(|(name, value)| (name.clone(), value.clone())));
    environment
}

impl Lowering<'_> {
    pub(super) fn install(&self, install: &InstallStage) -> Vec<Instruction> {
        let mut instructions = Vec::new();
        instructions.extend(self.system_packages(&install.from, &install.system_packages));
        instructions.push(Instruction::Copy(Copy {
            from: None,
            sources: vec![format!("{}/", relocate(&install.input, self.generated))],
            destination: "./".to_owned(),
        }));
        instructions.extend(self.copy_from_context(&install.files));
        instructions.push(Instruction::Run(Run { mounts: mounts(install), script: self.install_script(install) }));
        instructions.extend(install.after.iter().map(|words| super::run(Command::new(words.iter().cloned()))));
        instructions
    }

    fn install_script(&self, install: &InstallStage) -> Script {
        let environment = install
            .env
            .iter()
            .map(|(name, value)| (name.clone(), ShellValue::Text(value.clone())))
            .chain(install.npmrc_variables.iter().map(|name| (name.clone(), ShellValue::Secret(secret(name)))))
            .collect();
        let words = install_words(install.manager, install.purpose, self.hides_development(install));
        Command { environment, words: words.into_iter().map(str::to_owned).collect() }.into()
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

    /// Brings the package managers that images of Node do not hold.
    pub(super) fn install_managers(&self, id: &StageId, managers: &[PackageManager]) -> Option<Instruction> {
        let mut commands = Vec::new();
        let corepack = |manager: &PackageManager| {
            matches!(manager, PackageManager::Pnpm | PackageManager::YarnClassic | PackageManager::YarnBerry)
        };
        if managers.iter().any(corepack) {
            // Node brings Corepack until version 24.
            if self.node_major(id).is_some_and(|major| major > 24) {
                commands.push(Command::new(["npm", "install", "--global", "corepack"]));
            }
            commands.push(Command::new(["corepack", "enable"]));
        }
        if managers.contains(&PackageManager::Bun) {
            commands.push(Command::new(["npm", "install", "--global", &format!("bun@{}", self.bun_version())]));
        }
        (!commands.is_empty()).then(|| Instruction::Run(Run { mounts: Vec::new(), script: Script { commands } }))
    }

    /// The major version of Node that the tag of the lineage's image names.
    fn node_major(&self, id: &StageId) -> Option<u32> {
        let image = self.bases(id).find_map(|base| base.image.as_ref())?;
        let (_, tag) = image.as_str().rsplit('/').next()?.strip_prefix("node")?.split_once(':')?;
        tag.split(['.', '-', '@']).next()?.parse().ok()
    }

    /// The version of Bun that a masked root manifest names as its package manager, else the first major version.
    fn bun_version(&self) -> String {
        let named = |input: &WorkspacePath| {
            let manifest = input.join("package.json").ok()?;
            let file = self.plan.context.iter().find(|file| file.path == manifest)?;
            let ContextContent::Bytes(bytes) = &file.content else { return None };
            let manifest: serde_json::Value = serde_json::from_slice(bytes).ok()?;
            let version = manifest.get("packageManager")?.as_str()?.strip_prefix("bun@")?;
            Some(version.split('+').next().unwrap_or(version).to_owned())
        };
        let inputs = self.plan.stages.iter().filter_map(|stage| match &stage.kind {
            StageKind::Install(install) if install.manager == PackageManager::Bun => Some(&install.input),
            _ => None,
        });
        inputs.into_iter().find_map(named).unwrap_or_else(|| "1".to_owned())
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
