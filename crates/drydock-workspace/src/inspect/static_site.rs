//! Packages whose build makes files for a web server.

use drydock_lockfile::WorkspacePath;

use super::commands::{self, Look, Step, Writes};
use super::folder::Folder;
use super::javascript::{self, Literal};
use super::{StaticSite, StaticSiteKind, angular, service};
use crate::error::WorkspaceError;
use crate::workspace::{Package, Workspace};

/// Builders that make sites, if they are told so.
const BUILDERS: [&str; 11] = [
    "vite",
    "react-scripts",
    "craco",
    "react-app-rewired",
    "rescripts",
    "ng",
    "astro",
    "next",
    "nuxt",
    "nuxi",
    "react-router",
];

/// Builders that make a site of static files, whatever their settings.
const OTHERS: [(&str, &str); 9] = [
    ("gatsby", "Gatsby"),
    ("docusaurus", "Docusaurus"),
    ("vitepress", "VitePress"),
    ("eleventy", "Eleventy"),
    ("vue-cli-service", "Vue CLI"),
    ("rsbuild", "Rsbuild"),
    ("ember", "Ember"),
    ("parcel", "Parcel"),
    ("webpack", "webpack"),
];

pub(super) fn static_site(workspace: &Workspace, package: &Package) -> Result<Option<StaticSite>, WorkspaceError> {
    let Some(script) = commands::build_script_of(package) else { return Ok(None) };
    let programs = commands::programs(package, script);
    let makes_sites =
        |program: &String| OTHERS.iter().map(|(name, _)| name).chain(&BUILDERS).any(|name| *name == program.as_str());
    if !programs.iter().any(makes_sites) || service::starts_server(package) {
        return Ok(None);
    }
    let folder = Folder::new(workspace, package)?;
    for step in commands::steps(&folder, script)? {
        let look = step.look(&folder, script);
        if let Some(site) = site(&folder, &look, &step)? {
            return Ok(Some(site));
        }
    }
    Ok(None)
}

fn site(folder: &Folder<'_>, look: &Look<'_, '_>, step: &Step) -> Result<Option<StaticSite>, WorkspaceError> {
    let written = match &step.writes {
        Writes::These(outputs) => outputs.first().map(|output| output.path.clone()),
        _ => None,
    };
    let command = step.command.program.as_str();
    let subcommand = look.subcommand();
    let told = |kind, why: String, directory: Option<WorkspacePath>| {
        Ok(directory.map(|directory| StaticSite { kind, why, directory }))
    };
    match (command, subcommand) {
        ("vite", _) if look.builds_with_vite() => vite(folder, look, written),
        ("react-scripts" | "craco" | "react-app-rewired" | "rescripts", "build") => told(
            StaticSiteKind::CreateReactApp,
            format!("its build is Create React App's (`{command} build`)"),
            written,
        ),
        ("ng", "build" | "b") => match angular::build(look)? {
            Some(built) if built.is_site => {
                told(StaticSiteKind::Angular, "its build is Angular's (`ng build`)".to_owned(), built.served)
            }
            _ => Ok(None),
        },
        ("astro", "build") => {
            let Some(file) = folder.config(look.directory, "astro.config")? else {
                return told(StaticSiteKind::Astro, "its build is Astro's without a server".to_owned(), written);
            };
            let option = |key: &str| javascript::option(file.path.as_str(), &file.text, &[key]);
            let server = matches!(option("output"), Some((Literal::Text(output), _)) if output == "server" || output == "hybrid");
            if server || option("adapter").is_some() {
                return Ok(None);
            }
            told(StaticSiteKind::Astro, format!("its build is Astro's, and {} names no adapter", file.path), written)
        }
        ("next", "build") => match (folder.config(look.directory, "next.config")?, written) {
            // Only an export writes one folder without a cache beside it.
            (Some(file), Some(directory)) => {
                let line = javascript::option(file.path.as_str(), &file.text, &["output"]).map_or(1, |(_, line)| line);
                let why = format!("{}:{line} has `output: 'export'`", file.path);
                told(StaticSiteKind::NextExport, why, Some(directory))
            }
            _ => Ok(None),
        },
        ("react-router", "build") => {
            let Some(config) = folder.config(&folder.package.path, "react-router.config")? else { return Ok(None) };
            let Some((Literal::Bool(false), line)) = javascript::option(config.path.as_str(), &config.text, &["ssr"])
            else {
                return Ok(None);
            };
            let why = format!("its build is React Router's, and {}:{line} has `ssr: false`", config.path);
            told(StaticSiteKind::Vite, why, written.and_then(|output| output.join("client").ok()))
        }
        ("nuxt" | "nuxi", "generate") => {
            let public = written.and_then(|output| output.join("public").ok());
            told(StaticSiteKind::Other, format!("its build is `{command} generate`"), public)
        }
        _ => {
            let Some((_, name)) = OTHERS.iter().find(|(program, _)| *program == command) else { return Ok(None) };
            // Bundlers make libraries and servers too: a page of the package's own says it is a site.
            let page = match command {
                "webpack" | "parcel" => page(folder)?,
                _ => Some(String::new()),
            };
            let Some(page) = page else { return Ok(None) };
            let with = if page.is_empty() { String::new() } else { format!(", and it has {page}") };
            told(StaticSiteKind::Other, format!("its build is {name}'s (`{command}`){with}"), written)
        }
    }
}

fn vite(
    folder: &Folder<'_>,
    look: &Look<'_, '_>,
    written: Option<WorkspacePath>,
) -> Result<Option<StaticSite>, WorkspaceError> {
    if folder.depends_on("@sveltejs/adapter-static") {
        let why = "its build is SvelteKit's with the adapter for static files".to_owned();
        return Ok(written.map(|directory| StaticSite { kind: StaticSiteKind::Other, why, directory }));
    }
    if ["@sveltejs/kit", "@remix-run/dev", "vike", "vite-plugin-ssr"].iter().any(|name| folder.depends_on(name)) {
        return Ok(None);
    }
    let told = look.vite()?;
    let page = told.root.join("index.html").expect("a plain name stays inside");
    let (Some(output), false, Some(_)) = (told.out_dir, told.is_code, written) else { return Ok(None) };
    if !folder.is_file(&page)? {
        return Ok(None);
    }
    let why = format!("it has {page}, and its build is Vite's");
    Ok(Some(StaticSite { kind: StaticSiteKind::Vite, why, directory: output.path }))
}

fn page(folder: &Folder<'_>) -> Result<Option<String>, WorkspaceError> {
    for name in ["index.html", "public/index.html", "src/index.html"] {
        let path = folder.package.path.join(name).expect("a plain name stays inside");
        if folder.is_file(&path)? {
            return Ok(Some(path.to_string()));
        }
    }
    Ok(None)
}
