//! Frameworks and the builders behind them.

use drydock_lockfile::WorkspacePath;

use super::tools::told;
use super::{Look, Writes};
use crate::error::WorkspaceError;
use crate::inspect::angular;
use crate::inspect::arguments::{plain, value};
use crate::inspect::folder::{TextFile, line_of};
use crate::inspect::javascript::{self, Literal};
use crate::inspect::{Output, Place};

/// What `vite build` is told.
pub(crate) struct Vite {
    /// The folder that holds `index.html`.
    pub(crate) root: WorkspacePath,
    /// Where it writes; `None` when that is computed.
    pub(crate) out_dir: Option<Output>,
    /// It makes a library or code for a server, not a site.
    pub(crate) is_code: bool,
}

impl Look<'_, '_> {
    /// `None` when the command is no framework's.
    pub(super) fn framework(&self) -> Result<Option<Writes>, WorkspaceError> {
        let subcommand = self.subcommand();
        Ok(Some(match (self.command.program.as_str(), subcommand) {
            ("vite", _) if self.builds_with_vite() => self.vite_build()?,
            ("next", "build") => self.next_build()?,
            ("nuxt" | "nuxi" | "nuxi-edge", "build" | "generate") => self.at_package(".output"),
            ("astro", "build") => {
                match value(&self.command.arguments, &["--outDir"]).and_then(|text| self.path(text)) {
                    Some(path) => Writes::These(vec![self.named(path)]),
                    None => self.told_or("astro.config", &["outDir"], "dist")?,
                }
            }
            ("remix", "build" | "vite:build") => self.remix_build()?,
            ("react-router", "build") => self.told_or("react-router.config", &["buildDirectory"], "build")?,
            ("react-scripts" | "craco" | "react-app-rewired" | "rescripts", "build") => {
                let told = self.command.environment.iter().find(|(name, _)| name == "BUILD_PATH");
                match told.and_then(|(_, text)| self.path(text)) {
                    Some(path) => Writes::These(vec![self.named(path)]),
                    None => self.at_package("build"),
                }
            }
            ("ng", "build" | "b") => self.angular_build()?,
            ("nest", "build") => self.nest_build()?,
            ("vitepress", "build") => {
                let words = plain(&self.command.arguments, &["--outDir", "--base"]);
                match value(&self.command.arguments, &["--outDir"]).and_then(|text| self.path(text)) {
                    Some(path) => Writes::These(vec![self.named(path)]),
                    None => self.at_package(&format!("{}/.vitepress/dist", words.get(1).unwrap_or(&"."))),
                }
            }
            ("prisma", "generate") => self.prisma_generate()?,
            ("ng-packagr", _) => self.angular_library("ng-package.json")?,
            ("strapi", "build") => {
                // TypeScript is compiled to `dist`, the admin panel with it; else the panel alone goes to `build`.
                let typescript = self.folder.has("tsconfig.json");
                self.at_package(if typescript { "dist" } else { "build" })
            }
            _ => return Ok(None),
        }))
    }

    /// `vite build`, with or without options before the word.
    pub(crate) fn builds_with_vite(&self) -> bool {
        plain(&self.command.arguments, VITE_VALUED).first() == Some(&"build")
    }

    /// What `vite build` is told by its command line and its configuration.
    pub(crate) fn vite(&self) -> Result<Vite, WorkspaceError> {
        let arguments = &self.command.arguments;
        let config = self.config("vite.config")?;
        let option =
            |keys: &[&str]| config.as_ref().and_then(|file| javascript::option(file.path.as_str(), &file.text, keys));
        let own = plain(arguments, VITE_VALUED).get(1).and_then(|text| self.path(text));
        let mut computed = false;
        let root = match (own, option(&["root"])) {
            (Some(root), _) => root,
            (None, Some((Literal::Text(text), _))) => self.path(&text).unwrap_or_else(|| self.directory.clone()),
            (None, Some(_)) => {
                computed = true;
                self.directory.clone()
            }
            (None, None) => self.directory.clone(),
        };
        let keys = ["build", "outDir"];
        let out_dir = match (value(arguments, &["--outDir"]), option(&keys), &config) {
            (Some(text), _, _) => root.join(text).ok().map(|path| self.named(path)),
            (None, Some((Literal::Text(text), line)), Some(file)) => {
                // A path made from the configuration's own folder is not relative to Vite's root.
                let own_folder = is_own_folder(file, line);
                let base = if own_folder { file.path.parent().unwrap_or_default() } else { root.clone() };
                base.join(&text).ok().map(|path| Output {
                    path,
                    why: format!("{}: build.outDir", file.path),
                    place: Some(Place { file: file.path.clone(), line: Some(line) }),
                })
            }
            (None, Some(_), _) => None,
            (None, None, _) if computed => None,
            (None, None, _) => root.join("dist").ok().map(|path| self.usual(path)),
        };
        let set = |keys: &[&str]| option(keys).is_some_and(|(value, _)| value != Literal::Bool(false));
        let ssr = arguments.iter().any(|argument| argument == "--ssr" || argument.starts_with("--ssr="));
        Ok(Vite { root, out_dir, is_code: ssr || set(&["build", "lib"]) || set(&["build", "ssr"]) })
    }

    fn vite_build(&self) -> Result<Writes, WorkspaceError> {
        let depends = |name: &str| self.folder.depends_on(name);
        if depends("@sveltejs/kit") {
            return Ok(self.svelte_kit());
        }
        if depends("@remix-run/dev") {
            return self.remix_build();
        }
        // Their servers decide where things go, by plugins.
        if depends("@tanstack/react-start") || depends("@tanstack/solid-start") || depends("@builder.io/qwik-city") {
            return Ok(Writes::Unknown);
        }
        Ok(self.vite()?.out_dir.map_or(Writes::Unknown, |output| Writes::These(vec![output])))
    }

    fn svelte_kit(&self) -> Writes {
        // The adapters that write `build` for Node and for web servers; others write for the platform they are named after.
        if self.folder.depends_on("@sveltejs/adapter-node") || self.folder.depends_on("@sveltejs/adapter-static") {
            return self.at_package("build");
        }
        self.at_package(".svelte-kit")
    }

    fn remix_build(&self) -> Result<Writes, WorkspaceError> {
        if self.command.program == "remix" && self.subcommand() == "build" {
            let mut outputs: Vec<Output> = Vec::new();
            for (key, usual) in [("serverBuildPath", "build"), ("assetsBuildDirectory", "public/build")] {
                let configured = self.configured("remix.config", &[&[key]])?;
                if configured.some_computed {
                    return Ok(Writes::Unknown);
                }
                if configured.outputs.is_empty() {
                    outputs.extend(self.path(usual).map(|path| self.usual(path)));
                } else {
                    outputs.extend(configured.outputs);
                }
            }
            // `build/index.js` is the server; its folder is the output.
            for output in &mut outputs {
                if output.path.file_name().contains('.') {
                    output.path = output
                        .path
                        .parent()
                        .filter(|parent| *parent != self.folder.package.path)
                        .unwrap_or_else(|| output.path.clone());
                }
            }
            return Ok(Writes::These(outputs));
        }
        // A plugin's option, deep in its call; `build` is where nearly everybody leaves it.
        Ok(self.at_package("build"))
    }

    fn next_build(&self) -> Result<Writes, WorkspaceError> {
        let directory = plain(&self.command.arguments, &[]).get(1).and_then(|text| self.path(text));
        let directory = directory.unwrap_or_else(|| self.directory.clone());
        let config = self.folder.config(&directory, "next.config")?;
        let text =
            |key: &str| match config.as_ref().map(|file| javascript::option(file.path.as_str(), &file.text, &[key])) {
                Some(Some((Literal::Text(text), line))) => Ok(Some((text, line))),
                Some(Some(_)) => Err(()),
                _ => Ok(None),
            };
        let exports = matches!(text("output"), Ok(Some((value, _))) if value == "export");
        let Ok(dist_dir) = text("distDir") else { return Ok(Writes::Unknown) };
        let output = if let (Some((text, line)), Some(file)) = (dist_dir, &config) {
            let Some(output) = told(file, &["distDir"], &text, line) else { return Ok(Writes::Unknown) };
            output
        } else {
            let path = directory.join(if exports { "out" } else { ".next" }).expect("a plain name stays inside");
            self.usual(path)
        };
        if exports {
            return Ok(Writes::These(vec![output]));
        }
        let cache = output.path.join("cache").expect("a plain name stays inside");
        Ok(Writes::Except(vec![output], vec![cache]))
    }

    fn angular_build(&self) -> Result<Writes, WorkspaceError> {
        Ok(match angular::build(self)? {
            Some(built) => match built.output {
                Some(output) => Writes::These(vec![output]),
                None => self.angular_library("ng-package.json")?,
            },
            None => Writes::Unknown,
        })
    }

    /// `ng-packagr` writes the `dest` of its settings.
    fn angular_library(&self, settings: &str) -> Result<Writes, WorkspaceError> {
        let named = value(&self.command.arguments, &["-p", "--project"]).unwrap_or(settings);
        let Some(path) = self.path(named) else { return Ok(Writes::Unknown) };
        let Some(file) = self.folder.read(&path)? else { return Ok(Writes::Unknown) };
        let dest = serde_json::from_str::<serde_json::Value>(&file.text)
            .ok()
            .and_then(|settings| Some(settings.get("dest")?.as_str()?.to_owned()));
        Ok(match dest {
            Some(dest) => told(&file, &["dest"], &dest, line_of_key(&file.text, "dest"))
                .map_or(Writes::Unknown, |output| Writes::These(vec![output])),
            None => self.at_package("dist"),
        })
    }

    /// The Nest compiler: webpack or TypeScript, both into the `outDir` of `tsconfig.build.json`.
    fn nest_build(&self) -> Result<Writes, WorkspaceError> {
        let named = value(&self.command.arguments, &["-p", "--path"]).map(str::to_owned);
        let told = match self.folder.read(&self.directory.join("nest-cli.json").expect("a plain name stays inside"))? {
            Some(file) => serde_json::from_str::<serde_json::Value>(&file.text)
                .ok()
                .and_then(|settings| Some(settings.get("compilerOptions")?.get("tsConfigPath")?.as_str()?.to_owned())),
            None => None,
        };
        for name in named.as_deref().into_iter().chain(told.as_deref()).chain(["tsconfig.build.json", "tsconfig.json"])
        {
            let Some(path) = self.path(name) else { continue };
            if let Some(output) = self.tsconfig_out_dir(&path)? {
                return Ok(Writes::These(vec![output]));
            }
        }
        Ok(self.at_package("dist"))
    }

    fn told_or(&self, stem: &str, keys: &[&str], usual: &str) -> Result<Writes, WorkspaceError> {
        let configured = self.configured(stem, &[keys])?;
        Ok(match configured.outputs.is_empty() {
            _ if configured.some_computed => Writes::Unknown,
            false => Writes::These(configured.outputs),
            true => self.at_package(usual),
        })
    }

    fn at_package(&self, usual: &str) -> Writes {
        self.path(usual).map_or(Writes::Unknown, |path| Writes::These(vec![self.usual(path)]))
    }
}

fn line_of_key(text: &str, key: &str) -> usize {
    drydock_diagnostics::json::locate(text, &[key]).map_or(1, |span| line_of(text, span.start))
}

/// Options of `vite` that take a value and may stand before a plain word.
const VITE_VALUED: &[&str] = &[
    "--config",
    "-c",
    "--mode",
    "-m",
    "--outDir",
    "--base",
    "--logLevel",
    "-l",
    "--configLoader",
    "--target",
    "--assetsDir",
    "--minify",
];

/// Whether the line makes its path from the folder of the file itself.
fn is_own_folder(file: &TextFile, line: usize) -> bool {
    let text = file.text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    ["__dirname", "import.meta.dirname", "import.meta.url", "process.cwd()"].iter().any(|own| text.contains(own))
}
