//! Docker's Compose plugin: the one that is there, else Debian's, unpacked beside a daemon of our own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::apt::{self, Mirror, Suite};
use crate::engine::Engine;
use crate::host::{self, Distribution, Family};
use crate::state::StateDir;

/// Makes sure that Compose can be run. Where the client of `engine` has no plugin of it, gives a folder with a
/// `docker-compose` that uses this client, to be put on `PATH`.
pub(crate) fn ensure(state: &StateDir, engine: &Engine) -> Result<Option<PathBuf>> {
    if has_plugin(engine) {
        return Ok(None);
    }
    let _lock = state.lock("compose")?;
    let plugins = plugins(state)?;
    if engine.ours {
        super::write_client_configuration(state)?;
        if !has_plugin(engine) {
            bail!("the client does not take the plugin in {}", plugins.display());
        }
        return Ok(None);
    }
    // Somebody else's configuration stays as it is: one of our own names the plugins that theirs finds, and ours.
    let client = state.join("compose-client");
    fs_err::create_dir_all(&client)?;
    let text = host::run_quiet(engine.docker().args(["info", "--format", "{{json .ClientInfo.Plugins}}"]))?;
    let known: Value = serde_json::from_str(&text).context("`docker info` tells no plugins")?;
    let known = known.as_array().into_iter().flatten().filter_map(|plugin| plugin["Path"].as_str());
    let mut folders: BTreeSet<PathBuf> =
        known.filter_map(|path| Path::new(path).parent()).map(Path::to_owned).collect();
    folders.insert(plugins);
    let text = serde_json::to_string_pretty(&json!({ "cliPluginsExtraDirs": folders }))?;
    fs_err::write(client.join("config.json"), text)?;
    let bin = state.join("compose-bin");
    fs_err::create_dir_all(&bin)?;
    let script = format!(
        "#!/bin/sh\n# Written by `cargo xtask daemon up`.\nexport DOCKER_CONFIG='{}'\nexec docker compose \"$@\"\n",
        client.display()
    );
    host::write_executable(&bin.join("docker-compose"), &script)?;
    Ok(Some(bin))
}

/// Whether the client finds the plugin by itself.
fn has_plugin(engine: &Engine) -> bool {
    host::run_quiet(engine.docker().args(["compose", "version"])).is_ok()
}

/// Where the plugin of ours is, if it was unpacked.
pub(super) fn folder(state: &StateDir) -> Option<PathBuf> {
    let folders = ["usr/libexec/docker/cli-plugins", "usr/lib/docker/cli-plugins"];
    let folders = folders.map(|folder| state.join("compose").join(folder));
    folders.into_iter().find(|folder| works(&folder.join("docker-compose")))
}

fn works(plugin: &Path) -> bool {
    host::run_quiet(Command::new(plugin).arg("docker-cli-plugin-metadata")).is_ok()
}

/// The folder with the plugin, which is unpacked first where it is not there.
fn plugins(state: &StateDir) -> Result<PathBuf> {
    if let Some(folder) = folder(state) {
        return Ok(folder);
    }
    let distribution = Distribution::detect()?;
    // Debian 12's package of this name is Compose 1, and Ubuntu's libraries are not Debian's.
    let attempts: &[(Option<&str>, &str)] = match distribution.family {
        Family::Debian => &[(Some("sid"), "docker-compose"), (Some("trixie"), "docker-compose")],
        Family::Ubuntu => &[(None, "docker-compose-v2"), (None, "docker-compose-plugin")],
    };
    let mut failures = String::new();
    for (suite, package) in attempts {
        let mirror = suite.map(|_| Mirror::of_machine()).transpose()?;
        let from = match (suite, &mirror) {
            (Some(suite), Some(mirror)) => Suite::Debian(mirror, suite),
            _ => Suite::Host,
        };
        let said = match apt::unpack(from, &[package], &state.join("apt/compose"), &state.join("compose")) {
            Ok(versions) => match folder(state) {
                Some(folder) => {
                    eprintln!("  unpacked {}", versions.join(" "));
                    return Ok(folder);
                }
                None => "its plugin does not run on this machine's libraries".to_owned(),
            },
            Err(error) => format!("{error:#}"),
        };
        failures.push_str(&format!("\n{package} of {}: {said}", suite.unwrap_or("the machine's distribution")));
    }
    bail!("no Compose plugin of Docker is there, and none can be fetched{failures}")
}
