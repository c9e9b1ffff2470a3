//! What the commands of a build script write.

mod frameworks;
mod prisma;
mod tools;
mod typescript;

use drydock_lockfile::WorkspacePath;

use super::folder::Folder;
use super::{Output, Place};
use crate::error::WorkspaceError;
use crate::script::{self, Command};
use crate::workspace::Package;

/// A command of a build script.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The tool, runners such as `bun run` and `node node_modules/x/bin/x.js` taken off.
    pub(crate) command: Command,
    /// The folder it runs in.
    pub(crate) directory: WorkspacePath,
    /// What it writes.
    pub(crate) writes: Writes,
}

/// What a command writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Writes {
    /// These files and folders, the main one first.
    These(Vec<Output>),
    /// These, without what lies at the second's paths.
    Except(Vec<Output>, Vec<WorkspacePath>),
    /// Nothing that a build is for: it checks, cleans, prints.
    Nothing,
    /// These, and more that nobody knows.
    AtLeast(Vec<Output>),
    /// Files beside their sources.
    Beside,
    /// Nobody knows.
    Unknown,
}

/// One command being looked at.
pub(crate) struct Look<'s, 'a> {
    pub(crate) folder: &'s Folder<'a>,
    pub(crate) command: &'s Command,
    pub(crate) directory: &'s WorkspacePath,
    pub(crate) script: &'s str,
}

/// The script that builds the package of a folder.
pub(crate) fn build_script<'a>(folder: &Folder<'a>) -> Option<&'a str> {
    build_script_of(folder.package)
}

/// The script that builds a package: `build`, else one that is called much like it.
pub(crate) fn build_script_of(package: &Package) -> Option<&str> {
    if package.script("build").is_some() {
        return Some("build");
    }
    let names = || package.manifest.scripts().filter(|name| package.script(name).is_some());
    ["build:prod", "build:production", "build:ts", "compile", "bundle", "dist"]
        .into_iter()
        .find(|name| package.script(name).is_some())
        .or_else(|| {
            names().find(|name| name.starts_with("build:") && !name.contains("watch") && !name.contains("docker"))
        })
}

/// The programs that the script `script` runs, runners taken off.
pub(crate) fn programs(package: &Package, script: &str) -> Vec<String> {
    let commands = script::commands_of(&package.manifest, script);
    commands.into_iter().map(|command| without_runner(command).program).collect()
}

/// The commands of the script `script`, with what each writes.
pub(crate) fn steps(folder: &Folder<'_>, script: &str) -> Result<Vec<Step>, WorkspaceError> {
    let mut directory = folder.package.path.clone();
    let mut steps = Vec::new();
    for command in script::commands_of(&folder.package.manifest, script) {
        let command = without_runner(command);
        if command.program == "cd" {
            let Some(next) = command.arguments.first().and_then(|to| directory.join(to).ok()) else { break };
            directory = next;
            continue;
        }
        let look = Look { folder, command: &command, directory: &directory, script };
        let writes = look.writes()?;
        steps.push(Step { command, directory: directory.clone(), writes });
    }
    Ok(steps)
}

/// The tool behind `bun run vite`, `yarn tsc`, `shx cp`, `node node_modules/.bin/vite`.
pub(crate) fn without_runner(command: Command) -> Command {
    let is_runner = matches!(command.program.as_str(), "bun" | "yarn" | "pnpm" | "shx" | "node" | "run");
    if !is_runner {
        return command;
    }
    let skipped = command.arguments.iter().take_while(|argument| argument.starts_with('-')).count();
    let mut words = command.arguments[skipped..].iter();
    let mut first = words.next();
    if matches!(command.program.as_str(), "bun" | "yarn" | "pnpm") && first.is_some_and(|word| word == "run") {
        first = words.find(|word| !word.starts_with('-'));
    }
    let Some(first) = first else { return command };
    let program = match command.program.as_str() {
        "node" if first.contains("node_modules/") => {
            first.rsplit('/').next().unwrap_or(first).trim_end_matches(".js").trim_end_matches(".mjs")
        }
        "node" => return command,
        "bun" if matches!(first.as_str(), "build" | "test" | "install" | "x") => return command,
        "bun" if [".js", ".ts", ".mjs"].iter().any(|ending| first.ends_with(ending)) => return command,
        _ => first.as_str(),
    };
    Command { program: program.to_owned(), arguments: words.cloned().collect(), environment: command.environment }
}

impl Step {
    /// The step seen as a command of `script`.
    pub(crate) fn look<'s, 'a>(&'s self, folder: &'s Folder<'a>, script: &'s str) -> Look<'s, 'a> {
        Look { folder, command: &self.command, directory: &self.directory, script }
    }
}

impl Look<'_, '_> {
    fn writes(&self) -> Result<Writes, WorkspaceError> {
        let arguments = &self.command.arguments;
        if arguments.iter().any(|argument| matches!(argument.as_str(), "--help" | "--version" | "--watch")) {
            return Ok(Writes::Nothing);
        }
        if let Some(writes) = self.typescript()? {
            return Ok(writes);
        }
        if let Some(writes) = self.framework()? {
            return Ok(writes);
        }
        self.tool()
    }

    /// The first argument that is no option: `build` of `vite build`.
    pub(crate) fn subcommand(&self) -> &str {
        self.command.arguments.iter().find(|argument| !argument.starts_with('-')).map_or("", String::as_str)
    }

    /// The words of the command as far as a message needs them.
    fn shown(&self) -> String {
        let mut words = vec![self.command.program.as_str()];
        words.extend(self.command.arguments.iter().map(String::as_str));
        words.join(" ")
    }

    /// An output that the command's own words name.
    pub(crate) fn named(&self, path: WorkspacePath) -> Output {
        let why = format!("`{}` in the script `{}`", self.shown(), self.script);
        Output { path, why, place: Some(self.script_place()) }
    }

    /// An output that a tool writes unless told otherwise.
    pub(crate) fn usual(&self, path: WorkspacePath) -> Output {
        let subcommand = self.subcommand();
        let told = if subcommand.is_empty() || subcommand.contains(['/', '.']) {
            self.command.program.clone()
        } else {
            format!("{} {subcommand}", self.command.program)
        };
        let inside = path.strip_prefix(self.directory).unwrap_or(path.as_str()).to_owned();
        let why = format!("`{told}` writes `{inside}` unless told otherwise");
        Output { path, why, place: Some(self.script_place()) }
    }

    fn script_place(&self) -> Place {
        self.folder.manifest_place(&["scripts", self.script])
    }

    /// A path relative to the folder the command runs in; `None` when it leaves the workspace.
    pub(crate) fn path(&self, text: &str) -> Option<WorkspacePath> {
        self.directory.join(text).ok()
    }
}

/// The folder a pattern such as `dist/**` is about; the path itself when it is none.
pub(crate) fn without_glob(pattern: &str) -> &str {
    match pattern.find(['*', '?', '[', '{']) {
        Some(at) => pattern[..at].rsplit_once('/').map_or("", |(folder, _)| folder),
        None => pattern,
    }
}
