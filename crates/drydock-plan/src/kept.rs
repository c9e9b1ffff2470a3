//! Which of a built package's own files its image keeps.
//!
//! Nothing declares what a service reads when it runs: data, views, migrations, certificates. So everything stays that
//! is not plainly for building, testing or people. A file too many costs a few bytes; one too few costs an outage.

use drydock_lockfile::WorkspacePath;

use crate::context::outermost;
use crate::declared::is_source;
use crate::facts::Facts;

/// Folders of sources, tests, tools and texts for people.
const LEFT_OUT: [&str; 29] = [
    "__fixtures__",
    "__mocks__",
    "__snapshots__",
    "__tests__",
    "bench",
    "benchmark",
    "benchmarks",
    "coverage",
    "cypress",
    "doc",
    "docs",
    "e2e",
    "example",
    "examples",
    "mocks",
    "playwright",
    "scripts",
    "source",
    "sources",
    "spec",
    "specs",
    "src",
    "stories",
    "storybook",
    "test",
    "tests",
    "tools",
    "types",
    "typings",
];

/// Folders that are read when a service runs even where code in them is also compiled, by the conventions of server
/// frameworks, view engines, database tools and translation libraries.
const KEPT: [&str; 13] = [
    "db",
    "database",
    "drizzle",
    "emails",
    "i18n",
    "locales",
    "migrations",
    "prisma",
    "public",
    "seeds",
    "static",
    "templates",
    "views",
];

/// What a compiler or bundler turns into something else.
const COMPILED: [&str; 7] = [".jsx", ".vue", ".svelte", ".astro", ".scss", ".sass", ".less"];

/// Kinds of files beside a manifest that code reads.
const READ: [&str; 24] = [
    "avsc", "bin", "cjs", "crt", "csv", "dat", "db", "ejs", "geojson", "gql", "graphql", "hbs", "ini", "js", "json",
    "mjs", "node", "proto", "pug", "sql", "toml", "wasm", "yaml", "yml",
];

/// Beginnings of the names of files that configure tools.
const CONFIGURES: [&str; 36] = [
    "api-extractor",
    "babel",
    "biome",
    "codecov",
    "codegen",
    "compose",
    "components.json",
    "cypress",
    "docker-compose",
    "eslint",
    "gruntfile",
    "gulpfile",
    "Gruntfile",
    "jest",
    "jsconfig",
    "karma",
    "lerna",
    "nest-cli",
    "netlify",
    "nodemon",
    "npm-shrinkwrap",
    "nx.json",
    "package-lock",
    "playwright",
    "pnpm-",
    "prettier",
    "project.json",
    "renovate",
    "rollup",
    "stylelint",
    "tsconfig",
    "tsup",
    "turbo",
    "typedoc",
    "vercel",
    "webpack",
];

/// Stems of the files that configure what runs, whatever JavaScript's extension.
const CONFIGURES_WHAT_RUNS: [&str; 9] = [
    "drizzle.config",
    "ecosystem.config",
    "i18next.config",
    "knexfile",
    "mikro-orm.config",
    "newrelic",
    "next-i18next.config",
    "next.config",
    "ormconfig",
];

/// The files and folders of a built package at `folder` that stay in its image, outermost first, its manifest and what
/// the build writes left aside.
pub(crate) fn kept(folder: &WorkspacePath, facts: &Facts) -> Vec<WorkspacePath> {
    let mut kept = Vec::new();
    let mut last = None;
    for file in &facts.files {
        let Some(inside) = file.path.strip_prefix(folder) else { continue };
        let Some((first, _)) = inside.split_once('/') else {
            if keeps_file(inside) {
                kept.push(file.path.clone());
            }
            continue;
        };
        if last == Some(first) {
            continue;
        }
        last = Some(first);
        let path = folder.join(first).expect("a part of a path inside the workspace is inside too");
        if keeps_folder(first, facts.files_within(&path).map(|file| &file.path)) {
            kept.push(path);
        }
    }
    outermost(kept.into_iter().filter(|path| !facts.writes(path)))
}

fn keeps_file(name: &str) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    if CONFIGURES_WHAT_RUNS.contains(&stem) {
        return true;
    }
    let configures = name.contains(".config.") || CONFIGURES.iter().any(|beginning| name.starts_with(beginning));
    let tests = stem.rsplit_once('.').is_some_and(|(_, kind)| matches!(kind, "test" | "spec" | "stories"));
    !name.starts_with('.') && !configures && !tests && READ.contains(&extension) && name != "package.json"
}

fn keeps_folder<'f>(name: &str, mut files: impl Iterator<Item = &'f WorkspacePath>) -> bool {
    if name.starts_with('.') || LEFT_OUT.contains(&name) {
        return false;
    }
    let compiled = |path: &WorkspacePath| is_source(path) || COMPILED.iter().any(|end| path.as_str().ends_with(end));
    if KEPT.contains(&name) { files.any(|path| !compiled(path)) } else { !files.any(compiled) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_for_builds_and_people_are_left_out() {
        let kept = |names: &[&str]| names.iter().copied().filter(|name| keeps_file(name)).collect::<Vec<_>>().join(" ");
        assert_eq!(
            kept(&[
                "package.json",
                "tsconfig.json",
                "vite.config.ts",
                "next.config.mjs",
                "README.md",
                "Dockerfile",
                "schema.graphql",
                "data.json",
                ".env",
                "jest.config.js",
                "nest-cli.json",
                "test.http",
                "index.html",
                "openapi.yaml",
                "server.js",
                "knexfile.js",
                "app.test.js",
                "key.crt",
            ]),
            "next.config.mjs schema.graphql data.json openapi.yaml server.js knexfile.js key.crt"
        );
    }

    #[test]
    fn folders_of_sources_are_left_out() {
        let check = |name: &str, files: &str, expected: bool| {
            let paths: Vec<WorkspacePath> =
                files.split_whitespace().map(|path| WorkspacePath::new(path).expect("inside")).collect();
            assert_eq!(keeps_folder(name, paths.iter()), expected, "{name}: {files}");
        };
        check("src", "a.js", false);
        check("data", "a.md b.md", true);
        check("prisma", "schema.prisma seed.ts", true);
        check("config", "default.json", true);
        check("config", "default.ts", false);
        check("lib", "a.ts b.json", false);
        check("components", "a.jsx a.css", false);
        check("views", "a.ejs", true);
        check("views", "a.tsx", false);
        check("certs", "a.pem", true);
        check(".storybook", "main.js", false);
        check("test", "a.json", false);
    }
}
