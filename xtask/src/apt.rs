//! Packages of another Debian suite, fetched with apt's own machinery and unpacked in a folder,
//! so that nothing is installed on the machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::host;

/// Used only when the machine's own apt configuration names no Debian mirror.
const DEFAULT_MIRROR: &str = "http://deb.debian.org/debian";

/// A Debian mirror and the keys that sign it.
#[derive(Debug, Clone)]
pub(crate) struct Mirror {
    pub(crate) url: String,
    pub(crate) keyring: PathBuf,
}

impl Mirror {
    /// The Debian mirror this machine is configured for, else Debian's public one.
    pub(crate) fn of_machine() -> Result<Self> {
        let keyring = PathBuf::from("/usr/share/keyrings/debian-archive-keyring.gpg");
        if !keyring.exists() {
            host::install(&["debian-archive-keyring"])?;
        }
        let targets = index_targets();
        let configured = targets.lines().find_map(main_archive);
        let url = match configured {
            Some(url) => url,
            None => configured_in_sources().unwrap_or_else(|| DEFAULT_MIRROR.to_owned()),
        };
        Ok(Self { url, keyring })
    }

    /// The security archive that goes with this mirror, when the machine or Debian's public
    /// layout tells.
    pub(crate) fn security_url(&self) -> Option<String> {
        let configured = index_targets().lines().find_map(|line| {
            let (uri, _) = line.split_once(' ')?;
            let uri = uri.trim_end_matches('/');
            (is_http(uri) && uri.ends_with("/debian-security")).then(|| uri.to_owned())
        });
        configured.or_else(|| (self.url == DEFAULT_MIRROR).then(|| format!("{DEFAULT_MIRROR}-security")))
    }
}

/// `URI ORIGIN` of each package list that apt knows.
fn index_targets() -> String {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(REPO_URI) $(ORIGIN)", "Created-By: Packages"]);
    host::run_quiet(&mut command).unwrap_or_default()
}

/// The machine's apt settings that decide what can be reached, as lines for another `apt.conf`.
pub(crate) fn network_settings() -> Result<String> {
    let dump = host::run_quiet(Command::new("apt-config").arg("dump"))?;
    let kept = ["Acquire::http::Proxy ", "Acquire::https::Proxy ", "Acquire::Check-Valid-Until "];
    let lines = dump.lines().filter(|line| kept.iter().any(|key| line.starts_with(key)));
    Ok(lines.map(|line| format!("{line}\n")).collect())
}

/// The proxy that apt uses for plain HTTP.
pub(crate) fn proxy() -> Option<String> {
    let settings = network_settings().ok()?;
    let line = settings.lines().find(|line| line.starts_with("Acquire::http::Proxy "))?;
    line.split('"').nth(1).map(str::to_owned)
}

/// The mirror of a line of `apt-get indextargets` when it is Debian's main archive.
fn main_archive(line: &str) -> Option<String> {
    let (uri, origin) = line.split_once(' ')?;
    let uri = uri.trim_end_matches('/');
    (origin == "Debian" && is_main_archive(uri)).then(|| uri.to_owned())
}

/// Security and ports archives lack the suites we ask for; `mirror+…` lists are for apt only.
fn is_main_archive(uri: &str) -> bool {
    is_http(uri) && uri.ends_with("/debian")
}

fn is_http(uri: &str) -> bool {
    uri.starts_with("http://") || uri.starts_with("https://")
}

/// The same from the files in `/etc/apt`, for a machine that never ran `apt-get update`.
fn configured_in_sources() -> Option<String> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let parts = fs_err::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    files.extend(parts.map(|entry| entry.path()));
    files.sort();
    files.iter().find_map(|file| {
        let text = fs_err::read_to_string(file).ok()?;
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        lines
            .flat_map(str::split_whitespace)
            .map(|word| word.trim_end_matches('/'))
            .find(|word| is_main_archive(word))
            .map(str::to_owned)
    })
}

/// Where the packages of one set come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Suite<'a> {
    /// A Debian suite of a mirror, whatever the machine itself runs.
    Debian(&'a Mirror, &'a str),
    /// The machine's own configured sources.
    Host,
}

/// Downloads `packages` and unpacks them together into `target`.
///
/// `scratch` holds the private package lists and the archives, and can be removed afterwards.
/// Returns the `name=version` of each.
pub(crate) fn unpack(suite: Suite<'_>, packages: &[&str], scratch: &Path, target: &Path) -> Result<Vec<String>> {
    let archives = scratch.join("archives");
    remove_dir(&archives)?;
    fs_err::create_dir_all(&archives)?;
    let options = match suite {
        Suite::Debian(mirror, name) => private_configuration(mirror, name, scratch)?,
        Suite::Host => Vec::new(),
    };
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command.args(&options).current_dir(&archives);
        command
    };
    if let Suite::Debian(..) = suite {
        host::run_quiet(apt_get().args(["update", "-q"]))?;
    }
    host::run_quiet(apt_get().args(["download", "-q"]).args(packages))?;

    // Unpack beside, then rename: an interrupted run leaves no half-filled folder behind.
    let partial = target.with_extension("partial");
    remove_dir(&partial)?;
    fs_err::create_dir_all(&partial)?;
    let mut versions = Vec::new();
    for entry in fs_err::read_dir(&archives)? {
        let deb = entry?.path();
        if deb.extension().is_none_or(|extension| extension != "deb") {
            continue;
        }
        host::run_quiet(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(&partial))?;
        let shown =
            host::run_quiet(Command::new("dpkg-deb").args(["-W", "--showformat", "${Package}=${Version}"]).arg(&deb))?;
        versions.push(shown.trim().to_owned());
    }
    if versions.len() != packages.len() {
        bail!("apt-get downloaded {} of {} packages", versions.len(), packages.len());
    }
    versions.sort();
    remove_dir(target)?;
    fs_err::rename(&partial, target)?;
    remove_dir(scratch)?;
    Ok(versions)
}

/// apt options that read one suite and leave the machine's own lists and status alone.
fn private_configuration(mirror: &Mirror, suite: &str, scratch: &Path) -> Result<Vec<String>> {
    let lists = scratch.join("lists");
    fs_err::create_dir_all(lists.join("partial"))?;
    fs_err::create_dir_all(scratch.join("cache/archives/partial"))?;
    let sources = scratch.join("sources.list");
    let line = format!("deb [signed-by={}] {} {suite} main\n", mirror.keyring.display(), mirror.url);
    fs_err::write(&sources, line)?;
    let status = scratch.join("status");
    fs_err::write(&status, "")?;
    let path = |path: &Path| path.to_str().map(str::to_owned).context("the state folder's path is not UTF-8");
    Ok([
        format!("Dir::Etc::SourceList={}", path(&sources)?),
        "Dir::Etc::SourceParts=/dev/null".to_owned(),
        format!("Dir::State::Lists={}", path(&lists)?),
        format!("Dir::State::status={}", path(&status)?),
        format!("Dir::Cache={}", path(&scratch.join("cache"))?),
        // The state folder may not be readable by apt's own user.
        "APT::Sandbox::User=root".to_owned(),
        "Acquire::Languages=none".to_owned(),
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
        "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false".to_owned(),
    ]
    .into_iter()
    .flat_map(|option| ["-o".to_owned(), option])
    .collect())
}

/// Removes a folder that may not be there.
fn remove_dir(path: &Path) -> Result<()> {
    if path.exists() {
        fs_err::remove_dir_all(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_main_archive_of_debian_has_the_suites() {
        let cases = [
            ("http://deb.debian.org/debian/ Debian", Some("http://deb.debian.org/debian")),
            ("https://mirror.example.org/debian Debian", Some("https://mirror.example.org/debian")),
            ("http://deb.debian.org/debian-security/ Debian", None),
            ("http://archive.ubuntu.com/ubuntu/ Ubuntu", None),
            ("https://deb.example.com/debian/ Vendor", None),
            ("mirror+file:/etc/apt/mirrors/debian.list Debian", None),
            ("", None),
        ];
        for (line, expected) in cases {
            assert_eq!(main_archive(line).as_deref(), expected, "{line}");
        }
    }
}
