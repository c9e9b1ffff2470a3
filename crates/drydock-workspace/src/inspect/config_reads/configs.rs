//! Which files the commands of a build script read.

use drydock_lockfile::WorkspacePath;

use super::gather::{Gather, Role, is_code};
use super::resolve;
use crate::error::WorkspaceError;
use crate::inspect::Place;
use crate::inspect::arguments::value;
use crate::inspect::commands::Step;

/// Configuration files, without their endings, of programs whose file is not called `<program>.config`.
const STEMS: &[(&str, &[&str])] = &[
    ("svelte-kit", &["svelte.config", "vite.config"]),
    ("react-router", &["react-router.config", "vite.config"]),
    ("remix", &["remix.config", "vite.config"]),
    ("remix-vite", &["vite.config"]),
    ("vinxi", &["app.config", "vite.config"]),
    ("qwik", &["vite.config"]),
    ("solid-start", &["vite.config"]),
    ("vite-ssg", &["vite.config"]),
    ("vike", &["vite.config"]),
    ("electron-vite", &["electron.vite.config"]),
    ("nuxi", &["nuxt.config"]),
    ("vue-cli-service", &["vue.config"]),
    ("gatsby", &["gatsby-config", "gatsby-node"]),
    ("unbuild", &["build.config"]),
    ("obuild", &["build.config"]),
    ("nest", &["nest-cli", "webpack.config"]),
    ("ng", &["extra-webpack.config", "webpack.config"]),
    ("webpack-cli", &["webpack.config"]),
    ("storybook", &[".storybook/main"]),
    ("build-storybook", &[".storybook/main"]),
    ("vitepress", &[".vitepress/config", "docs/.vitepress/config"]),
    ("docusaurus", &["docusaurus.config", "sidebars"]),
    ("eleventy", &[".eleventy", "eleventy.config"]),
    ("graphql-codegen", &["codegen"]),
    ("graphql-codegen-esm", &["codegen"]),
    ("gulp", &["gulpfile"]),
    ("grunt", &["Gruntfile"]),
    ("postcss", &["postcss.config"]),
    ("tailwind", &["tailwind.config"]),
    ("tailwindcss", &["tailwind.config"]),
    ("babel", &["babel.config", ".babelrc"]),
    ("swc", &[".swcrc"]),
    ("react-scripts", &[]),
    ("tsc", &[]),
    ("vue-tsc", &[]),
    ("node", &[]),
];

/// Settings of plugins that any bundler may load. All lie at the top of the package.
const PLUGINS: [&str; 6] =
    ["tailwind.config", "postcss.config", ".postcssrc", "svelte.config", "uno.config", "windi.config"];

/// Packages whose presence means that Babel's settings are part of a build.
const BABEL_USERS: [&str; 8] = [
    "babel-loader",
    "@rollup/plugin-babel",
    "rollup-plugin-babel",
    "@babel/cli",
    "vite-plugin-babel",
    "babel-plugin-macros",
    "gulp-babel",
    "@parcel/transformer-babel",
];

/// Programs that run the file which is their first argument.
pub(super) const RUNNERS: [&str; 12] = [
    "node",
    "tsx",
    "ts-node",
    "ts-node-esm",
    "esno",
    "jiti",
    "bun",
    "deno",
    "zx",
    "vite-node",
    "babel-node",
    "esbuild-runner",
];

/// Files that tools look for in every folder from the package's up to the root, the nearest of each kind winning.
const UPWARDS: [(&str, &[&str]); 2] = [
    (
        "postcss",
        &[
            "postcss.config.js",
            "postcss.config.cjs",
            "postcss.config.mjs",
            "postcss.config.ts",
            ".postcssrc",
            ".postcssrc.json",
            ".postcssrc.js",
            ".postcssrc.cjs",
            ".postcssrc.yml",
        ],
    ),
    ("browserslist", &[".browserslistrc", "browserslist"]),
];

/// Options of compilers and bundlers that name a TypeScript configuration.
const TSCONFIG_OPTIONS: [&str; 4] = ["-p", "--project", "--tsconfig", "--tsConfig"];

impl Gather<'_, '_> {
    /// Paths among the arguments of a command that leave the package, and the file it runs.
    pub(super) fn arguments(&mut self, step: &Step, script: &str) -> Result<(), WorkspaceError> {
        let place = self.folder.manifest_place(&["scripts", script]);
        let how = format!("`{}` in the script `{script}`", step.command.program);
        for argument in &step.command.arguments {
            let text = argument
                .split_once('=')
                .filter(|_| argument.starts_with('-'))
                .map_or(argument.as_str(), |(_, value)| value);
            if resolve::goes_up(text) {
                self.path(&step.directory, text, &place, &how)?;
            }
        }
        if RUNNERS.contains(&step.command.program.as_str()) {
            let file = step.command.arguments.iter().find(|argument| !argument.starts_with('-') && *argument != "run");
            if let Some(path) = file.and_then(|file| step.directory.join(file).ok())
                && let Some(file) = resolve::import(&*self.workspace.tree, &path)?
                && is_code(&file)
            {
                self.enqueue(file, Role::Config);
            }
        }
        Ok(())
    }

    /// The configuration files that a command reads.
    pub(super) fn configs(&mut self, step: &Step) -> Result<(), WorkspaceError> {
        let program = step.command.program.as_str();
        let arguments = &step.command.arguments;
        if let Some(path) =
            value(arguments, &["--config", "-c", "--config-file"]).and_then(|text| step.directory.join(text).ok())
            && self.workspace.tree.is_file(&path)?
        {
            let place = self.folder.manifest_place(&["scripts"]);
            self.file(&path, &place, &format!("`{program} --config`"))?;
            self.enqueue(path, Role::Config);
        }
        let usual = format!("{program}.config");
        let known = STEMS.iter().find(|(name, _)| *name == program).map(|(_, stems)| *stems);
        let stems: Vec<&str> = known.map_or_else(|| vec![usual.as_str()], <[&str]>::to_vec);
        for stem in stems {
            if let Some(file) = self.folder.config(&step.directory, stem)? {
                self.enqueue(file.path, Role::Config);
            }
        }
        if super::bundles(step) {
            for stem in PLUGINS {
                if let Some(file) = self.folder.config(&self.folder.package.path.clone(), stem)? {
                    self.enqueue(file.path, Role::Config);
                }
            }
            if BABEL_USERS.iter().any(|name| self.folder.depends_on(name)) {
                self.babel()?;
            }
        }
        self.compiler_configs(step)
    }

    /// Babel takes `babel.config.*` of the folder it runs in, and with `rootMode: "upward"` of a folder above.
    fn babel(&mut self) -> Result<(), WorkspaceError> {
        let mut at = Some(self.folder.package.path.clone());
        while let Some(folder) = at {
            if let Some(file) = self.folder.config(&folder, "babel.config")? {
                let place = Place { file: self.folder.package.manifest.path().clone(), line: None };
                self.file(&file.path, &place, "Babel looks for `babel.config` here and above")?;
                self.enqueue(file.path, Role::Config);
                return Ok(());
            }
            at = folder.parent();
        }
        Ok(())
    }

    /// The TypeScript configurations that a command reads: the ones it names, else the nearest.
    fn compiler_configs(&mut self, step: &Step) -> Result<(), WorkspaceError> {
        let program = step.command.program.as_str();
        let is_compiler = matches!(program, "tsc" | "vue-tsc" | "tspc" | "ttsc" | "tsgo" | "glint" | "ngc" | "nest");
        let resolves_paths = ["vite-tsconfig-paths", "tsconfig-paths-webpack-plugin", "rollup-plugin-typescript-paths"]
            .iter()
            .any(|name| self.folder.depends_on(name));
        let builds = step.command.arguments.iter().any(|argument| matches!(argument.as_str(), "-b" | "--build"));
        let role = match (is_compiler, resolves_paths) {
            (true, _) if builds => Role::ProjectConfig,
            (true, _) | (_, true) => Role::CompilerConfig,
            (false, false) => Role::BundlerConfig,
        };
        if !is_compiler && !super::bundles(step) {
            return Ok(());
        }
        let place = self.folder.manifest_place(&["scripts"]);
        let mut named: Vec<WorkspacePath> = value(&step.command.arguments, &TSCONFIG_OPTIONS)
            .and_then(|text| step.directory.join(text).ok())
            .into_iter()
            .collect();
        if is_compiler && builds {
            let words = step.command.arguments.iter().filter(|argument| !argument.starts_with('-'));
            named.extend(words.filter_map(|word| step.directory.join(word).ok()));
        }
        let tree = &*self.workspace.tree;
        let mut found = Vec::new();
        for path in named {
            let path = if tree.is_directory(&path)? { path.join("tsconfig.json").unwrap_or(path) } else { path };
            if tree.is_file(&path)? {
                found.push(path);
            }
        }
        if found.is_empty() {
            let build = step.directory.join("tsconfig.build.json").expect("a plain name stays inside");
            if program == "nest" && tree.is_file(&build)? {
                found.push(build);
            } else {
                found.extend(self.nearest("tsconfig.json", &step.directory)?);
            }
        }
        for path in found {
            self.file(&path, &place, &format!("`{program}` looks for `tsconfig.json` here and above"))?;
            self.enqueue(path, role);
        }
        Ok(())
    }

    /// Files that tools find by walking up, without being named anywhere.
    pub(super) fn upwards(&mut self) -> Result<(), WorkspaceError> {
        for (subject, names) in UPWARDS {
            let place = Place { file: self.folder.package.manifest.path().clone(), line: None };
            if let Some(path) = self.nearest_of(subject, names)? {
                self.file(&path, &place, &format!("{subject} looks for its settings here and above"))?;
                self.enqueue(path, Role::Config);
            }
        }
        Ok(())
    }

    fn nearest(&self, name: &str, from: &WorkspacePath) -> Result<Option<WorkspacePath>, WorkspaceError> {
        let mut at = Some(from.clone());
        while let Some(folder) = at {
            let path = folder.join(name).expect("a plain name stays inside");
            if self.workspace.tree.is_file(&path)? {
                return Ok(Some(path));
            }
            at = folder.parent();
        }
        Ok(None)
    }

    fn nearest_of(&self, subject: &str, names: &[&str]) -> Result<Option<WorkspacePath>, WorkspaceError> {
        // A setting of that name in the package's manifest ends the search there.
        if self.folder.package.manifest.field(subject).is_some() {
            return Ok(None);
        }
        let mut at = Some(self.folder.package.path.clone());
        while let Some(folder) = at {
            for name in names {
                let path = folder.join(name).expect("a plain name stays inside");
                if self.workspace.tree.is_file(&path)? {
                    return Ok(Some(path));
                }
            }
            if folder.is_root() && self.workspace.root.manifest.field(subject).is_some() {
                return Ok(Some(self.workspace.root.manifest.path().clone()));
            }
            at = folder.parent();
        }
        Ok(None)
    }
}
