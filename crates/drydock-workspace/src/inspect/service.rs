//! Packages that are run.

use drydock_lockfile::{DependencyKind, WorkspacePath};

use super::commands;
use super::folder::Folder;
use super::{Service, outputs};
use crate::error::WorkspaceError;
use crate::script;
use crate::workspace::{Package, Workspace};

/// Packages that listen, most telling first: those that bring a command to start a server, full-stack frameworks, then
/// servers' libraries.
const FRAMEWORKS: [&str; 41] = [
    "@strapi/strapi",
    "strapi",
    "@medusajs/medusa",
    "@nestjs/core",
    "next",
    "nuxt",
    "nuxt3",
    "@remix-run/serve",
    "@react-router/serve",
    "@remix-run/express",
    "@react-router/express",
    "@sveltejs/adapter-node",
    "@astrojs/node",
    "@adonisjs/core",
    "@feathersjs/express",
    "@feathersjs/koa",
    "@loopback/rest",
    "@midwayjs/koa",
    "@keystone-6/core",
    "@directus/api",
    "payload",
    "sails",
    "moleculer",
    "parse-server",
    "json-server",
    "fastify-cli",
    "fastify",
    "express",
    "koa",
    "@hapi/hapi",
    "@hono/node-server",
    "hono",
    "elysia",
    "nitropack",
    "polka",
    "restify",
    "micro",
    "@apollo/server",
    "apollo-server",
    "graphql-yoga",
    "socket.io",
];

/// Programs that run a server when a script starts them.
const SERVERS: [&str; 14] = [
    "node",
    "fastify",
    "next",
    "nest",
    "nuxt",
    "remix-serve",
    "react-router-serve",
    "strapi",
    "medusa",
    "bun",
    "deno",
    "pm2",
    "pm2-runtime",
    "json-server",
];

pub(super) fn service(workspace: &Workspace, package: &Package) -> Result<Service, WorkspaceError> {
    let manifest = &package.manifest;
    let mut service = Service::default();
    if let Some(framework) = framework(package) {
        service.why.push(format!("`{framework}` is among its dependencies"));
        service.framework = Some(framework.to_owned());
    }
    if let Some(start) = package.script("start") {
        service.why.push(format!("it has the script `start`: `{start}`"));
        service.start = Some(start.to_owned());
    }
    let main = manifest.text_field("main");
    let bin = manifest.bin();
    // Libraries in their thousands have a `main`; it says something only where a server could be.
    let asks_main = service.framework.is_some() || service.start.is_some();
    if !asks_main && bin.is_empty() {
        return Ok(service);
    }
    let folder = Folder::new(workspace, package)?;
    let mut files = Files { folder: &folder, written: None };
    for (name, file) in bin {
        let Some(path) = files.find(file)? else { continue };
        service.why.push(format!("it has the command `{name}`: {path}"));
        service.bin.push((name.to_owned(), path));
    }
    service.bin.sort();
    if asks_main {
        service.main = match main {
            Some(main) => files.find(main)?,
            // Node loads `index.js` where nothing is said, and `npm start` runs `server.js`.
            None => match files.find("server.js")? {
                Some(path) => Some(path),
                None => files.find("index.js")?,
            },
        };
        if let Some(path) = &service.main {
            service.why.push(match main {
                Some(_) => format!("its `main` is {path}"),
                None => format!("it has {path}"),
            });
        }
    }
    Ok(service)
}

/// The server framework among what production installs.
fn framework(package: &Package) -> Option<&'static str> {
    let dependencies = package.manifest.field(DependencyKind::Production.field())?.as_object()?;
    FRAMEWORKS.into_iter().find(|name| dependencies.contains_key(*name))
}

/// Whether the `start` script runs a server rather than one for development. `next start` alone says nothing: it is
/// there from the beginning, and refuses what `output: 'export'` makes.
pub(super) fn starts_server(package: &Package) -> bool {
    if package.script("start").is_none() {
        return false;
    }
    script::commands_of(&package.manifest, "start").iter().any(|command| {
        let subcommand = command.arguments.iter().find(|argument| !argument.starts_with('-')).map(String::as_str);
        SERVERS.contains(&command.program.as_str())
            && !matches!((command.program.as_str(), subcommand), ("next", _) | ("nuxt" | "bun", Some("dev")))
    })
}

/// Finds files that are there or will be.
struct Files<'f, 'a> {
    folder: &'f Folder<'a>,
    written: Option<Vec<WorkspacePath>>,
}

impl Files<'_, '_> {
    /// The file that `text` means, when it is in the tree or the build writes it. TypeScript is not for Node.
    fn find(&mut self, text: &str) -> Result<Option<WorkspacePath>, WorkspaceError> {
        let package = self.folder.package;
        let Ok(path) = package.path.join(text) else { return Ok(None) };
        if path == package.path || [".ts", ".tsx", ".mts", ".cts"].iter().any(|ending| path.as_str().ends_with(ending))
        {
            return Ok(None);
        }
        let name = path.file_name();
        let candidates = if name.contains('.') {
            vec![path.clone()]
        } else {
            let with =
                |rest: &str| WorkspacePath::new(&format!("{path}{rest}")).expect("an ending does not leave the folder");
            vec![with(".js"), with(".cjs"), with(".mjs"), with("/index.js"), path.clone()]
        };
        for candidate in candidates {
            if self.folder.is_source_file(&candidate)? {
                return Ok(Some(candidate));
            }
        }
        if self.is_written(&path)? { Ok(Some(path)) } else { Ok(None) }
    }

    fn is_written(&mut self, path: &WorkspacePath) -> Result<bool, WorkspaceError> {
        if self.written.is_none() {
            let outputs = match commands::build_script(self.folder) {
                Some(script) => outputs::of_script(self.folder, script)?,
                None => super::Outputs::default(),
            };
            let paths = if outputs.whole_package { Vec::new() } else { outputs.paths };
            self.written = Some(paths.into_iter().map(|output| output.path).collect());
        }
        Ok(self.written.iter().flatten().any(|output| path.is_within(output)))
    }
}
