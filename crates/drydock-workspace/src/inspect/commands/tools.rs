//! Bundlers, compilers and copying commands: tools whose output is one option.

use drydock_lockfile::WorkspacePath;

use super::{Look, Writes, without_glob};
use crate::error::WorkspaceError;
use crate::inspect::arguments::{plain, value};
use crate::inspect::folder::TextFile;
use crate::inspect::javascript::{self, Literal};
use crate::inspect::{Output, Place};

/// A tool that writes one folder or file: the one its command line names, else its configuration, else the usual one.
struct Tool {
    program: &'static str,
    /// The first word, where the tool does other things too.
    subcommand: &'static [&'static str],
    /// Options that name a folder or file to write.
    options: &'static [&'static str],
    /// The configuration's name without ending, and the keys that name a folder or file to write.
    config: Option<(&'static str, &'static [&'static [&'static str]])>,
    /// What it writes unless told otherwise.
    usual: Option<&'static str>,
}

const fn tool(program: &'static str, usual: &'static str) -> Tool {
    Tool { program, subcommand: &[], options: &[], config: None, usual: Some(usual) }
}

const OUT_DIR: &[&[&str]] = &[&["outDir"]];

/// Names and defaults are those of the tools' own documentation.
const TOOLS: &[Tool] = &[
    Tool { options: &["--out-dir", "-d"], config: Some(("tsup.config", OUT_DIR)), ..tool("tsup", "dist") },
    Tool { options: &["--out-dir", "-d"], config: Some(("tsdown.config", OUT_DIR)), ..tool("tsdown", "dist") },
    Tool { config: Some(("build.config", OUT_DIR)), ..tool("unbuild", "dist") },
    Tool { config: Some(("build.config", OUT_DIR)), ..tool("obuild", "dist") },
    Tool {
        options: &["--dir", "-d", "--file", "-o"],
        config: Some(("rollup.config", &[&["output", "dir"], &["output", "file"]])),
        usual: None,
        ..tool("rollup", "")
    },
    Tool {
        options: &["--dir", "-d", "--file", "-o"],
        config: Some(("rolldown.config", &[&["output", "dir"], &["output", "file"]])),
        ..tool("rolldown", "dist")
    },
    Tool {
        options: &["--output-path", "-o"],
        config: Some(("webpack.config", &[&["output", "path"]])),
        ..tool("webpack", "dist")
    },
    Tool {
        options: &["--output-path", "-o"],
        config: Some(("webpack.config", &[&["output", "path"]])),
        ..tool("webpack-cli", "dist")
    },
    Tool {
        options: &["--output-path", "-o"],
        config: Some(("rspack.config", &[&["output", "path"]])),
        ..tool("rspack", "dist")
    },
    Tool {
        subcommand: &["build"],
        options: &["--dist-path"],
        config: Some(("rsbuild.config", &[&["output", "distPath", "root"]])),
        ..tool("rsbuild", "dist")
    },
    Tool {
        subcommand: &["build"],
        config: Some(("rslib.config", &[&["output", "distPath", "root"]])),
        ..tool("rslib", "dist")
    },
    Tool { subcommand: &["build"], options: &["--out", "-o"], ..tool("ncc", "dist") },
    Tool { options: &["--outdir", "--outfile"], usual: None, ..tool("esbuild", "") },
    Tool { subcommand: &["build"], options: &["--outdir", "--outfile"], usual: None, ..tool("bun", "") },
    Tool { options: &["--out-dir", "-d", "--out-file", "-o"], usual: None, ..tool("swc", "") },
    Tool { options: &["--out-dir", "-d", "--out-file", "-o"], usual: None, ..tool("babel", "") },
    Tool { options: &["--output", "-o"], usual: None, ..tool("tailwindcss", "") },
    Tool { options: &["--output", "-o", "--dir", "-d"], usual: None, ..tool("postcss", "") },
    Tool { options: &["--out-file", "-o"], usual: None, ..tool("dts-bundle-generator", "") },
    Tool { options: &["--output", "-o"], ..tool("svelte-package", "dist") },
    Tool { subcommand: &["build"], ..tool("preconstruct", "dist") },
    Tool { ..tool("tshy", "dist") },
    Tool { subcommand: &["build"], options: &["--dist-dir"], usual: None, ..tool("parcel", "") },
    Tool { subcommand: &["build"], options: &["--output-path"], ..tool("ember", "dist") },
    Tool { subcommand: &["export"], options: &["--output-dir"], ..tool("expo", "dist") },
    Tool { subcommand: &["build"], ..tool("stencil", "dist") },
    Tool { subcommand: &["build", "generate"], ..tool("nitro", ".output") },
    Tool { subcommand: &["build", "generate"], ..tool("nitropack", ".output") },
    Tool { subcommand: &["build"], ..tool("vinxi", ".output") },
    Tool { subcommand: &["build"], ..tool("medusa", ".medusa") },
    Tool { subcommand: &["build"], ..tool("gatsby", "public") },
    Tool { subcommand: &["build"], options: &["--out-dir"], ..tool("docusaurus", "build") },
    Tool { subcommand: &["build"], options: &["--output-dir", "-o"], ..tool("storybook", "storybook-static") },
    Tool { options: &["--output-dir", "-o"], ..tool("build-storybook", "storybook-static") },
    Tool {
        subcommand: &["build"],
        options: &["--dest"],
        config: Some(("vue.config", &[&["outputDir"]])),
        ..tool("vue-cli-service", "dist")
    },
    Tool { options: &["--output"], ..tool("eleventy", "_site") },
];

/// Programs that write nothing a build is for, whatever their arguments.
const IDLE: &[&str] = &[
    "rm",
    "rimraf",
    "del",
    "del-cli",
    "trash",
    "mkdir",
    "mkdirp",
    "make-dir",
    "chmod",
    "touch",
    "echo",
    "true",
    "false",
    "exit",
    "test",
    "[",
    "sleep",
    "wait-on",
    "export",
    "set",
    "cat",
    "ls",
    "eslint",
    "prettier",
    "biome",
    "oxlint",
    "stylelint",
    "tsc-alias",
    "resolve-tspaths",
    "tsconfig-replace-paths",
    "publint",
    "attw",
    "size-limit",
    "bundlesize",
    "vitest",
    "jest",
    "mocha",
    "ava",
    "svelte-check",
    "depcheck",
    "knip",
    "madge",
    "syncpack",
    "sort-package-json",
    "git",
    "printf",
    "date",
    "which",
    "strip-json-comments",
    "check-export-map",
    "are-the-types-wrong",
    "is-ci",
    "husky",
    "typecheck",
    "shebang",
    "add-shebang",
    "chalk",
    "npm-check",
    "tsd",
    "lint-staged",
];

/// Subcommands of tools that build with others.
const IDLE_SUBCOMMANDS: &[(&str, &str)] = &[
    ("svelte-kit", "sync"),
    ("astro", "check"),
    ("astro", "sync"),
    ("next", "lint"),
    ("next", "telemetry"),
    ("next", "typegen"),
    ("react-router", "typegen"),
    ("nuxt", "prepare"),
    ("nuxi", "prepare"),
    ("nuxt", "typecheck"),
    ("ng", "lint"),
    ("ng", "test"),
];

/// What a configuration file says of where a tool writes.
#[derive(Default)]
pub(super) struct Configured {
    /// What it writes down.
    pub(super) outputs: Vec<Output>,
    /// Something stands there that cannot be read without running it.
    pub(super) some_computed: bool,
    /// One of the configurations in the file says nothing, so that what is usual holds for it.
    some_absent: bool,
}

impl Look<'_, '_> {
    pub(super) fn tool(&self) -> Result<Writes, WorkspaceError> {
        let (program, subcommand) = (self.command.program.as_str(), self.subcommand());
        if IDLE.contains(&program) || IDLE_SUBCOMMANDS.contains(&(program, subcommand)) {
            return Ok(Writes::Nothing);
        }
        if matches!(program, "cp" | "cpy" | "cpx" | "cpx2" | "copyfiles" | "mv" | "ncp" | "copy" | "cpr" | "install") {
            return self.copy();
        }
        let known = TOOLS.iter().find(|tool| {
            tool.program == program && (tool.subcommand.is_empty() || tool.subcommand.contains(&subcommand))
        });
        let Some(tool) = known else { return Ok(Writes::Unknown) };
        if let Some(path) = value(&self.command.arguments, tool.options).and_then(|text| self.path(text)) {
            return Ok(Writes::These(vec![self.named(self.without_file(path))]));
        }
        if let Some((stem, keys)) = tool.config {
            let Configured { mut outputs, some_computed, some_absent } = self.configured(stem, keys)?;
            for output in &mut outputs {
                output.path = self.without_file(output.path.clone());
            }
            if some_absent && (!outputs.is_empty() || some_computed) {
                outputs.extend(tool.usual.and_then(|usual| self.path(usual)).map(|path| self.usual(path)));
            }
            match (some_computed, outputs.is_empty()) {
                (true, _) => return Ok(Writes::AtLeast(outputs)),
                (false, false) => return Ok(Writes::These(outputs)),
                (false, true) => {}
            }
            if let Some(output) = self.in_manifest(tool, keys) {
                return Ok(Writes::These(vec![output]));
            }
        }
        let takes_page = || self.command.arguments.iter().any(|argument| argument.rsplit('.').next() == Some("html"));
        if tool.program == "parcel" && takes_page() {
            return Ok(self.path("dist").map_or(Writes::Unknown, |path| Writes::These(vec![self.usual(path)])));
        }
        Ok(match tool.usual.and_then(|usual| self.path(usual)) {
            Some(path) => Writes::These(vec![self.usual(path)]),
            None => Writes::Unknown,
        })
    }

    /// A bundle has siblings (maps, chunks, styles), so its folder is meant, unless that is the package's own.
    fn without_file(&self, path: WorkspacePath) -> WorkspacePath {
        let is_file =
            [".js", ".mjs", ".cjs", ".css", ".d.ts", ".json"].iter().any(|ending| path.as_str().ends_with(ending));
        match path.parent() {
            Some(parent)
                if is_file && parent != self.folder.package.path && parent.is_within(&self.folder.package.path) =>
            {
                parent
            }
            _ => path,
        }
    }

    /// The configuration that the command names by `--config` or `-c`, else `stem.*` in the folder it runs in.
    pub(super) fn config(&self, stem: &str) -> Result<Option<TextFile>, WorkspaceError> {
        if let Some(path) = value(&self.command.arguments, &["--config", "-c"])
            .filter(|value| !value.starts_with('-'))
            .and_then(|text| self.path(text))
            && let Some(file) = self.folder.read(&path)?
        {
            return Ok(Some(file));
        }
        self.folder.config(self.directory, stem)
    }

    /// The paths that the configuration `stem.*` names at `keys`, in all configurations that the file holds.
    pub(super) fn configured(&self, stem: &str, keys: &[&[&str]]) -> Result<Configured, WorkspaceError> {
        let mut configured = Configured::default();
        let Some(file) = self.config(stem)? else { return Ok(configured) };
        let mut said = 0;
        for keys in keys {
            for (literal, line) in javascript::options(file.path.as_str(), &file.text, keys) {
                said += 1;
                match literal {
                    Literal::Text(text) => configured.outputs.extend(told(&file, keys, &text, line)),
                    _ => configured.some_computed = true,
                }
            }
        }
        configured.some_absent = said < javascript::options(file.path.as_str(), &file.text, &[]).len();
        Ok(configured)
    }

    /// The same settings under the tool's name in the manifest.
    fn in_manifest(&self, tool: &Tool, keys: &[&[&str]]) -> Option<Output> {
        let manifest = &self.folder.package.manifest;
        let settings = manifest.field(tool.program)?;
        keys.iter().find_map(|keys| {
            let text = keys.iter().try_fold(settings, |value, key| value.get(key))?.as_str()?;
            let path: Vec<&str> = std::iter::once(tool.program).chain(keys.iter().copied()).collect();
            Some(Output {
                path: self.path(text)?,
                why: format!("{}: {}", manifest.path(), path.join(".")),
                place: Some(self.folder.manifest_place(&path)),
            })
        })
    }

    /// `cp -r docs dist/`: what lands where.
    fn copy(&self) -> Result<Writes, WorkspaceError> {
        let program = self.command.program.as_str();
        let valued: &[&str] = match program {
            "copyfiles" => &["-u", "--up", "-e", "--exclude"],
            "cpx" | "cpx2" => &["-c", "--command", "-t", "--transform"],
            "cpy" => &["--cwd", "--rename", "--concurrency"],
            _ => &["-t", "--target-directory"],
        };
        let words = plain(&self.command.arguments, valued);
        let Some((to, from)) = words.split_last().filter(|(_, from)| !from.is_empty()) else {
            return Ok(Writes::Unknown);
        };
        let Some(to) = self.path(to) else { return Ok(Writes::Nothing) };
        if to.parts().any(|part| part == "node_modules") {
            return Ok(Writes::Nothing);
        }
        // Into a folder of sources: only what is new there.
        if self.folder.is_directory(&to)? && matches!(program, "cp" | "mv" | "ncp") {
            let names: Option<Vec<&str>> = from
                .iter()
                .map(|from| from.trim_end_matches('/').rsplit('/').next())
                .map(|name| name.filter(|name| without_glob(name) == *name && !matches!(*name, "" | "." | "..")))
                .collect();
            if let Some(names) = names {
                let into = names.into_iter().filter_map(|name| to.join(name).ok());
                return Ok(Writes::These(into.map(|path| self.named(path)).collect()));
            }
        }
        Ok(Writes::These(vec![self.named(to)]))
    }
}

/// The output that a configuration file names.
pub(super) fn told(file: &TextFile, keys: &[&str], text: &str, line: usize) -> Option<Output> {
    let path = file.path.parent()?.join(text).ok()?;
    let why = format!("{}: {}", file.path, keys.join("."));
    Some(Output { path, why, place: Some(Place { file: file.path.clone(), line: Some(line) }) })
}
