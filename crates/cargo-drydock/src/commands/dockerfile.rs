//! `dockerfile`: prints the combined Dockerfile, writes it with what it needs, or checks what is on disk.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use drydock_diagnostics::{Category, Diagnose};
use drydock_dockerfile::{WrittenFile, generated_directory, lower, validate, written};
use drydock_plan::WorkspacePath;
use serde::Serialize;
use similar::TextDiff;

use super::json_text;
use super::load::load;
use super::whole::replace;
use crate::args::{DockerfileArgs, GlobalArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::shell::{DONE, Shell, WRONG};

/// How a Dockerfile of ours begins.
const MARK: &str = "# Written by `cargo drydock dockerfile`";

/// What keeps the Dockerfile from being written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The folder is not inside the workspace, where the Dockerfile could not copy from it.
    #[error("`{directory}` is not inside the workspace `{root}`")]
    Outside { directory: Utf8PathBuf, root: Utf8PathBuf },
    /// A file that drydock did not write is in the way.
    #[error("`{path}` was not written by drydock")]
    Foreign { path: Utf8PathBuf },
    /// The disk refuses.
    #[error("could not write the files")]
    Disk(#[source] io::Error),
}

impl Diagnose for WriteError {
    fn code(&self) -> &'static str {
        match self {
            Self::Outside { .. } => "out-dir-outside-workspace",
            Self::Foreign { .. } => "file-not-generated",
            Self::Disk(_) => "unwritable",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Outside { .. } => "name one inside the workspace, like `.drydock`".to_owned(),
            Self::Foreign { .. } => {
                "move it away, or name another place; drydock overwrites only what it wrote".to_owned()
            }
            Self::Disk(_) => "check that the folder may be written to".to_owned(),
        })
    }
}

pub(super) fn run(args: &DockerfileArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let mut loaded = load(global, shell)?;
    loaded.config.settings.verify_installs = args.verify_install;
    let plan = loaded.plan(&args.targets, shell)?;
    validate(&plan)?;
    if args.out_dir.is_none() && !args.check {
        return print(&lower(&plan, &generated_directory()).to_string(), shell);
    }
    let directory = match &args.out_dir {
        Some(directory) => inside(&loaded.root, directory)?,
        None => generated_directory(),
    };
    let files = written(&plan, &directory);
    let states = compare(&loaded.root, &files)?;
    if args.check {
        return check(&format!("drydock dockerfile --out-dir {directory}"), &states, &files, shell);
    }
    let detail = write(&loaded.root, &directory, &files, &states)?;
    let count = crate::report::units::count(files.len() as u64, "file");
    shell.status("Wrote", format!("{count} to {directory} ({detail})"));
    Ok(())
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    dockerfile: &'a str,
}

fn print(dockerfile: &str, shell: &mut Shell) -> Result<(), Failure> {
    if shell.is_json() {
        return shell.print(&json_text(&Document { version: 1, dockerfile }));
    }
    shell.print(dockerfile)
}

/// What is on disk in the place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// The same.
    Current,
    /// Nothing.
    Missing,
    /// Something else.
    Stale(Vec<u8>),
}

/// What is on disk in the place of each file.
pub(super) fn compare(
    root: &Utf8Path,
    files: &BTreeMap<WorkspacePath, WrittenFile>,
) -> Result<BTreeMap<WorkspacePath, State>, Failure> {
    let mut states = BTreeMap::new();
    for (path, file) in files {
        let state = match fs_err::read(root.join(path.as_str())) {
            Ok(bytes) if bytes == *file.bytes => State::Current,
            Ok(bytes) => State::Stale(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => State::Missing,
            Err(error) => return Err(WriteError::Disk(error).into()),
        };
        states.insert(path.clone(), state);
    }
    Ok(states)
}

#[derive(Serialize)]
struct CheckDocument<'a> {
    version: u32,
    current: bool,
    files: Vec<StaleDocument<'a>>,
}

#[derive(Serialize)]
struct StaleDocument<'a> {
    path: &'a str,
    state: &'static str,
}

/// Tells which files are stale, and that `again` writes them.
pub(super) fn check(
    again: &str,
    states: &BTreeMap<WorkspacePath, State>,
    files: &BTreeMap<WorkspacePath, WrittenFile>,
    shell: &mut Shell,
) -> Result<(), Failure> {
    let stale: Vec<(&WorkspacePath, &State)> = states.iter().filter(|(_, state)| **state != State::Current).collect();
    if shell.is_json() {
        let files = stale.iter().map(|(path, state)| StaleDocument {
            path: path.as_str(),
            state: if **state == State::Missing { "missing" } else { "stale" },
        });
        let document = CheckDocument { version: 1, current: stale.is_empty(), files: files.collect() };
        shell.print(&json_text(&document))?;
    } else if stale.is_empty() {
        shell.status("Current", crate::report::units::count(files.len() as u64, "file"));
    } else {
        for (path, state) in &stale {
            shell.print(&difference(path, state, &files[*path]))?;
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    let count = crate::report::units::count(stale.len() as u64, "file");
    shell.status_wrong("Stale", format!("{count}; run `{again}`"));
    Err(Failure::Reported(Exit::Failed))
}

/// From what is on disk to what should be there.
fn difference(path: &WorkspacePath, state: &State, file: &WrittenFile) -> String {
    let old: &[u8] = match state {
        State::Stale(bytes) => bytes,
        State::Current | State::Missing => &[],
    };
    let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(&file.bytes));
    let from = if *state == State::Missing { "/dev/null".to_owned() } else { format!("a/{path}") };
    let diff = TextDiff::from_lines(&*old, &*new);
    let plain = diff.unified_diff().context_radius(3).header(&from, &format!("b/{path}")).to_string();
    let mut text = String::new();
    for line in plain.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let style = match line.as_bytes().first() {
            Some(b'+') => DONE,
            Some(b'-') => WRONG,
            _ => anstyle::Style::new(),
        };
        write!(text, "{style}{line}{style:#}{end}").expect("writing to a string does not fail");
    }
    text
}

/// Writes the Dockerfile and what lies beside it, and takes away what an earlier one needed. Gives what changed, in words.
pub(super) fn write(
    root: &Utf8Path,
    directory: &WorkspacePath,
    files: &BTreeMap<WorkspacePath, WrittenFile>,
    states: &BTreeMap<WorkspacePath, State>,
) -> Result<String, Failure> {
    let dockerfile = directory.join("Dockerfile").expect("a plain name does not climb");
    // The other files lie beside a Dockerfile of ours, or where nothing was.
    let ours = match &states[&dockerfile] {
        State::Current => true,
        State::Missing => false,
        State::Stale(bytes) if bytes.starts_with(MARK.as_bytes()) => true,
        State::Stale(_) => return Err(WriteError::Foreign { path: root.join(dockerfile.as_str()) }.into()),
    };
    if !ours && let Some((path, _)) = states.iter().find(|(_, state)| matches!(state, State::Stale(_))) {
        return Err(WriteError::Foreign { path: root.join(path.as_str()) }.into());
    }
    let removed = if ours { remove_obsolete(root, directory, files) } else { Ok(0) }.map_err(WriteError::Disk)?;
    let mut changed = 0;
    for (path, file) in files.iter().filter(|(path, _)| states[*path] != State::Current) {
        write_file(&root.join(path.as_str()), file).map_err(WriteError::Disk)?;
        changed += 1;
    }
    Ok(match (changed, removed) {
        (0, 0) => "nothing changed".to_owned(),
        (changed, 0) => format!("{changed} changed"),
        (changed, removed) => format!("{changed} changed, {removed} removed"),
    })
}

pub(super) fn write_file(path: &Utf8Path, file: &WrittenFile) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    replace(path.as_std_path(), &file.bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if file.executable { 0o755 } else { 0o644 };
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Removes the files of an earlier run that this one does not write. The ignore file of that run lists them.
fn remove_obsolete(
    root: &Utf8Path,
    directory: &WorkspacePath,
    files: &BTreeMap<WorkspacePath, WrittenFile>,
) -> io::Result<usize> {
    let ignore = root.join(directory.as_str()).join("Dockerfile.dockerignore");
    let text = match fs_err::read_to_string(ignore) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for line in text.lines() {
        let Some(path) = line.strip_prefix('!').and_then(|path| WorkspacePath::new(path).ok()) else { continue };
        let generated = path.strip_prefix(directory).is_some_and(|rest| rest.starts_with("install/"));
        if generated && !directory.is_root() && !files.contains_key(&path) {
            match fs_err::remove_file(root.join(path.as_str())) {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(removed)
}

/// `directory`, relative to the current folder, as a path of the workspace.
pub(super) fn inside(root: &Utf8Path, directory: &Utf8Path) -> Result<WorkspacePath, Failure> {
    let outside = || WriteError::Outside { directory: directory.to_owned(), root: root.to_owned() };
    let current = Utf8Path::new(".").canonicalize_utf8().map_err(WriteError::Disk)?;
    let mut absolute = Utf8PathBuf::new();
    for part in current.join(directory).components() {
        match part {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => {
                absolute.pop();
            }
            other => absolute.push(other),
        }
    }
    let relative = absolute.strip_prefix(root).map_err(|_| outside())?;
    let text = relative.components().map(|part| part.as_str()).collect::<Vec<_>>().join("/");
    Ok(WorkspacePath::new(&text).map_err(|_| outside())?)
}
