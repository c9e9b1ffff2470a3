//! The TypeScript compiler and those that take its place.

use std::collections::BTreeSet;

use drydock_lockfile::WorkspacePath;

use super::{Look, Writes};
use crate::error::WorkspaceError;
use crate::inspect::Output;
use crate::inspect::arguments::{is_set, plain, value};
use crate::inspect::tsconfig::{self, Emit, Told};

/// The options of `tsc` that take a value and may stand before a file name.
const VALUED: [&str; 12] = [
    "-p",
    "--project",
    "--outDir",
    "--outFile",
    "--declarationDir",
    "--rootDir",
    "--target",
    "-t",
    "--module",
    "-m",
    "--moduleResolution",
    "--lib",
];

impl Look<'_, '_> {
    /// `None` when the command is no TypeScript compiler.
    pub(super) fn typescript(&self) -> Result<Option<Writes>, WorkspaceError> {
        if !matches!(self.command.program.as_str(), "tsc" | "vue-tsc" | "tspc" | "ttsc" | "tsgo" | "glint") {
            return Ok(None);
        }
        let arguments = &self.command.arguments;
        if is_set(arguments, &["--noEmit", "--init", "--showConfig", "--clean"]) {
            return Ok(Some(Writes::Nothing));
        }
        let named: Vec<Output> = ["--outDir", "--outFile", "--declarationDir"]
            .into_iter()
            .filter_map(|option| self.path(value(arguments, &[option])?))
            .map(|path| self.named(path))
            .collect();
        if value(arguments, &["--outDir", "--outFile"]).is_some() {
            return Ok(Some(Writes::These(named)));
        }
        let builds = is_set(arguments, &["-b", "--build"]);
        let words = plain(arguments, &VALUED);
        let configs: Vec<WorkspacePath> = match value(arguments, &["-p", "--project"]) {
            Some(project) => self.path(project).into_iter().collect(),
            None if words.is_empty() => self.nearest()?.into_iter().collect(),
            None if builds => words.into_iter().filter_map(|word| self.path(word)).collect(),
            // Files on the command line: no configuration is read.
            None => return Ok(Some(if named.is_empty() { Writes::Beside } else { Writes::These(named) })),
        };
        let forced = Forced {
            emit: value(arguments, &["--noEmit"]) == Some("false"),
            only_declarations: is_set(arguments, &["--emitDeclarationOnly"]),
        };
        let mut found = Found { outputs: named, beside: false, unknown: configs.is_empty() };
        let mut seen = BTreeSet::new();
        for config in configs {
            let config = if self.folder.is_directory(&config)? {
                config.join("tsconfig.json").expect("a plain name stays inside")
            } else {
                config
            };
            self.follow(&config, builds, &forced, &mut seen, &mut found)?;
        }
        Ok(Some(match found {
            Found { outputs, .. } if !outputs.is_empty() => Writes::These(outputs),
            Found { beside: true, .. } => Writes::Beside,
            Found { unknown: true, .. } => Writes::Unknown,
            Found { .. } => Writes::Nothing,
        }))
    }

    /// The `tsconfig.json` here or above, as `tsc` looks for it.
    fn nearest(&self) -> Result<Option<WorkspacePath>, WorkspaceError> {
        let mut at = Some(self.directory.clone());
        while let Some(directory) = at {
            let path = directory.join("tsconfig.json").expect("a plain name stays inside");
            if self.folder.is_file(&path)? {
                return Ok(Some(path));
            }
            at = directory.parent();
        }
        Ok(None)
    }

    /// The `outDir` of the configuration at `path`, what it extends included.
    pub(super) fn tsconfig_out_dir(&self, path: &WorkspacePath) -> Result<Option<Output>, WorkspaceError> {
        if !self.folder.is_file(path)? {
            return Ok(None);
        }
        let emit = tsconfig::emit(self.folder.workspace, path)?;
        Ok(emit.and_then(|emit| emit.out_dir).map(|told| output(&told, "outDir")))
    }

    fn follow(
        &self,
        config: &WorkspacePath,
        builds: bool,
        forced: &Forced,
        seen: &mut BTreeSet<WorkspacePath>,
        found: &mut Found,
    ) -> Result<(), WorkspaceError> {
        if !seen.insert(config.clone()) {
            return Ok(());
        }
        let Some(emit) = tsconfig::emit(self.folder.workspace, config)? else {
            found.unknown = true;
            return Ok(());
        };
        found.add(&emit, forced);
        if builds {
            for reference in &emit.references {
                // Other members write into their own folders.
                let owner = self.folder.workspace.package_of(reference);
                if owner.is_some_and(|owner| owner.path == self.folder.package.path) {
                    self.follow(reference, builds, forced, seen, found)?;
                }
            }
        }
        Ok(())
    }
}

/// What the command line says over all configurations.
struct Forced {
    emit: bool,
    only_declarations: bool,
}

struct Found {
    outputs: Vec<Output>,
    beside: bool,
    unknown: bool,
}

impl Found {
    fn add(&mut self, emit: &Emit, forced: &Forced) {
        if emit.nothing && !forced.emit {
            return;
        }
        let only_declarations = forced.only_declarations || emit.only_declarations;
        let main = match &emit.declaration_dir {
            Some(told) if only_declarations => Some((told, "declarationDir")),
            _ => match (&emit.out_file, &emit.out_dir) {
                (Some(told), _) => Some((told, "outFile")),
                (None, Some(told)) => Some((told, "outDir")),
                (None, None) => None,
            },
        };
        match main {
            Some((told, option)) => self.outputs.push(output(told, option)),
            None if emit.unfollowed => self.unknown = true,
            // A configuration of references alone compiles nothing.
            None if !emit.references.is_empty() => {}
            None => self.beside = true,
        }
        if let Some(told) = &emit.declaration_dir {
            self.outputs.push(output(told, "declarationDir"));
        }
    }
}

fn output(told: &Told, option: &str) -> Output {
    Output { path: told.path.clone(), why: format!("{}: {option}", told.place.file), place: Some(told.place.clone()) }
}
