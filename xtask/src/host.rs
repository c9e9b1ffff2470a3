//! What is asked of the machine: running commands, root rights, distribution packages.

use std::env;
use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The path of `program` on `PATH` or in the system folders that a user's `PATH` often lacks.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.metadata().is_ok_and(|meta| meta.is_file() && meta.mode() & 0o111 != 0))
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    // The owner of our own entry in /proc is the effective user; no libc call needed.
    Path::new("/proc/self").metadata().is_ok_and(|meta| meta.uid() == 0)
}

/// A command that runs as root: directly when we are root, else through `sudo`.
pub(crate) fn as_root(program: impl AsRef<OsStr>) -> Result<Command> {
    if is_root() {
        return Ok(Command::new(program));
    }
    let sudo = find("sudo")
        .with_context(|| format!("`{}` needs root, and `sudo` is not installed", program.as_ref().display()))?;
    let mut command = Command::new(sudo);
    command.arg("--").arg(program);
    Ok(command)
}

/// The command as a person would type it, for messages.
pub(crate) fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs to the end with output passed through; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs to the end without showing output; on failure the error carries its tail.
pub(crate) fn run_quiet(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run `{}`", shown(command)))?;
    if !output.status.success() {
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        bail!("`{}` failed: {}\n{}", shown(command), output.status, tail(&text, 25));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The last `count` lines of `text`.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// `os-release` facts of a machine that uses apt.
#[derive(Debug, Clone)]
pub(crate) struct Distribution {
    /// `debian` or `ubuntu` (or a derivative that says so in `ID_LIKE`).
    pub(crate) family: Family,
    /// For messages, for instance `Debian GNU/Linux 12 (bookworm)`.
    pub(crate) pretty_name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Debian,
    Ubuntu,
}

impl Distribution {
    /// Reads `/etc/os-release`; other systems are an error that says what to do instead.
    pub(crate) fn detect() -> Result<Self> {
        let text = fs_err::read_to_string("/etc/os-release").unwrap_or_default();
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .map(|value| value.trim_matches('"').to_owned())
                .unwrap_or_default()
        };
        let ids = format!("{} {}", value("ID"), value("ID_LIKE"));
        let has = |name| ids.split_whitespace().any(|id| id == name);
        let family = if has("ubuntu") {
            Family::Ubuntu
        } else if has("debian") {
            Family::Debian
        } else {
            bail!(
                "no Docker daemon answers, and one can be installed here only on Debian or Ubuntu; \
                 start Docker and set DOCKER_HOST, then try again"
            );
        };
        Ok(Self { family, pretty_name: value("PRETTY_NAME") })
    }
}

/// Installs the packages of those programs that are missing, given as (program, package).
pub(crate) fn ensure_programs(programs: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> =
        programs.iter().filter(|(program, _)| find(program).is_none()).map(|(_, package)| *package).collect();
    if missing.is_empty() { Ok(()) } else { install(&missing) }
}

/// Installs packages of the distribution, updating the package lists when that is what it takes.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    eprintln!("  installing {} from the distribution", packages.join(", "));
    let attempt = || -> Result<String> {
        let mut command = as_root("env")?;
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes"])
            .args(["--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"])
            .args(packages);
        run_quiet(&mut command)
    };
    if attempt().is_err() {
        // The package lists of a fresh machine are empty or name versions that are gone.
        run_quiet(as_root("apt-get")?.args(["update", "-o", "DPkg::Lock::Timeout=120"]))?;
        attempt()?;
    }
    Ok(())
}

/// Writes `text` to `path` with the execute bits set.
pub(crate) fn write_executable(path: &Path, text: &str) -> Result<()> {
    fs_err::write(path, text)?;
    fs_err::set_permissions(path, Permissions::from_mode(0o755))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a\n", 5), "a");
    }

    #[test]
    fn a_failure_tells_the_command_and_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let message = run_quiet(&mut command).unwrap_err().to_string();
        assert!(message.contains("`sh -c echo out") && message.contains("exit status: 3"), "{message}");
        assert!(message.ends_with("out\nerr"), "{message}");
    }

    #[test]
    fn programs_are_found_without_a_shell() {
        assert!(find("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find("no-program-has-this-name"), None);
    }
}
