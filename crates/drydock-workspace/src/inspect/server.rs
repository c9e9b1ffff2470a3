//! Servers that builds make, by the conventions of the tools that build them.

use drydock_lockfile::WorkspacePath;

use super::arguments::{plain, value};
use super::commands::{self, Look, Step, Writes};
use super::folder::Folder;
use super::javascript::{self, Literal};
use super::{BuiltServer, Packed, Placed};
use crate::error::WorkspaceError;
use crate::workspace::{Package, Workspace};

/// Nitro's presets for Node: what it makes with them is run by `node server/index.mjs`.
const NODE_PRESETS: [&str; 5] = ["node", "node-server", "node_server", "node-cluster", "node_cluster"];

pub(super) fn server(workspace: &Workspace, package: &Package) -> Result<Option<BuiltServer>, WorkspaceError> {
    let Some(script) = commands::build_script_of(package) else { return Ok(None) };
    let known =
        ["next", "nuxt", "nuxi", "nitro", "nitropack", "vinxi", "nest", "astro", "vite", "react-router", "remix"];
    if !commands::programs(package, script).iter().any(|program| known.contains(&program.as_str())) {
        return Ok(None);
    }
    let folder = Folder::new(workspace, package)?;
    for step in commands::steps(&folder, script)? {
        let look = step.look(&folder, script);
        if let Some(server) = made_by(&look, &step)? {
            return Ok(Some(server));
        }
    }
    Ok(None)
}

fn made_by(look: &Look<'_, '_>, step: &Step) -> Result<Option<BuiltServer>, WorkspaceError> {
    let (folder, program) = (look.folder, step.command.program.as_str());
    // What runs it names files from the package's folder.
    if *look.directory != folder.package.path {
        return Ok(None);
    }
    match (program, look.subcommand()) {
        ("next", "build") => next(look, step),
        ("nuxt" | "nuxi" | "nitro" | "nitropack" | "vinxi", "build") => nitro(look, program),
        ("nest", "build") => nest(look, step),
        ("astro", "build") if folder.depends_on("@astrojs/node") => astro(look, step),
        ("vite", _) if look.builds_with_vite() && folder.depends_on("@sveltejs/adapter-node") => {
            let why = "its build is SvelteKit's with the adapter for Node".to_owned();
            Ok(Some(BuiltServer { port: Some(3000), ..served(&["node", "build"], why) }))
        }
        ("react-router", "build") if folder.depends_on("@react-router/serve") => {
            let config = folder.config(&folder.package.path, "react-router.config")?;
            let ssr = config.and_then(|file| javascript::option(file.path.as_str(), &file.text, &["ssr"]));
            if matches!(ssr, Some((Literal::Bool(false), _))) {
                return Ok(None);
            }
            let why = "its build is React Router's, and it depends on @react-router/serve".to_owned();
            Ok(Some(served(&["react-router-serve", "./build/server/index.js"], why)))
        }
        ("remix", "vite:build") if folder.depends_on("@remix-run/serve") => {
            let why = "its build is Remix's, and it depends on @remix-run/serve".to_owned();
            Ok(Some(served(&["remix-serve", "./build/server/index.js"], why)))
        }
        _ => Ok(None),
    }
}

/// What is run with the production dependencies of its package.
fn served(command: &[&str], why: String) -> BuiltServer {
    BuiltServer {
        command: command.iter().map(|&word| word.to_owned()).collect(),
        why,
        instead_of: Vec::new(),
        inside: None,
        env: Vec::new(),
        port: None,
        writable: Vec::new(),
        rewritten: Vec::new(),
        packed: None,
        not_packed: None,
    }
}

/// Next's own server, with what it needs of its dependencies where `output: 'standalone'` says so.
fn next(look: &Look<'_, '_>, step: &Step) -> Result<Option<BuiltServer>, WorkspaceError> {
    let (folder, package) = (look.folder, &look.folder.package.path);
    let Writes::Except(outputs, _) = &step.writes else { return Ok(None) };
    let Some(built) = outputs.first().map(|output| output.path.clone()) else { return Ok(None) };
    let below = |name: &str| built.join(name).expect("a plain name stays inside");
    let mut server = BuiltServer {
        port: Some(3000),
        writable: vec![below("cache")],
        // Pages that are to be made again after a time.
        rewritten: vec![below("server")],
        ..served(&["next", "start"], "its build is Next's (`next build`)".to_owned())
    };
    let config = folder.config(package, "next.config")?;
    let at = config.as_ref().map_or_else(|| package.to_string(), |file| file.path.to_string());
    let option =
        |keys: &[&str]| config.as_ref().and_then(|file| javascript::option(file.path.as_str(), &file.text, keys));
    let line = match option(&["output"]) {
        Some((Literal::Text(output), line)) if output == "standalone" => line,
        Some((Literal::Computed, line)) => {
            server.not_packed = Some(format!("{at}:{line} computes `output`"));
            return Ok(Some(server));
        }
        _ => {
            let says = "with `output: 'standalone'` in its configuration `next build` would copy the few files that its \
                        server reads of them, and nothing else would be installed";
            server.not_packed = Some(says.to_owned());
            return Ok(Some(server));
        }
    };
    // Below which folder the files are that it copies: it keeps their places.
    let roots: [&[&str]; 3] =
        [&["outputFileTracingRoot"], &["experimental", "outputFileTracingRoot"], &["turbopack", "root"]];
    let traced = match roots.iter().find_map(|keys| option(keys)) {
        // It looks for the lockfile, which lies at the workspace's root.
        None => Some(WorkspacePath::root()),
        Some((Literal::Text(text), _)) => package.join(&text).ok(),
        Some(_) => None,
    };
    let Some(root) = traced.filter(|root| package.is_within(root)) else {
        server.not_packed = Some(format!("{at} computes the root of the files that `next build` copies"));
        return Ok(Some(server));
    };
    let mut files =
        vec![Placed { from: below("standalone"), to: root }, Placed { from: below("static"), to: below("static") }];
    let public = package.join("public").expect("a plain name stays inside");
    if folder.is_source_directory(&public)? {
        files.push(Placed { from: public.clone(), to: public });
    }
    let why = format!("{at}:{line} has `output: 'standalone'`, so `next build` copies what its server reads of them");
    server.why = format!("`next build` packs its server into {}", below("standalone"));
    server.command = ["node", "server.js"].map(str::to_owned).to_vec();
    server.instead_of = vec![["next", "start"]];
    server.inside = Some(below("standalone"));
    // Docker sets it to the container's name, and only that address would be listened on.
    server.env = vec![("HOSTNAME", "0.0.0.0")];
    server.packed = Some(Packed { files, why });
    Ok(Some(server))
}

/// Nitro, and the frameworks that leave their server to it: Nuxt, and those of vinxi.
fn nitro(look: &Look<'_, '_>, program: &str) -> Result<Option<BuiltServer>, WorkspaceError> {
    let (folder, package) = (look.folder, &look.folder.package.path);
    let (stem, keys): (&str, &[&str]) = match program {
        "nuxt" | "nuxi" => ("nuxt.config", &["nitro"]),
        "vinxi" => ("app.config", &["server"]),
        _ => ("nitro.config", &[]),
    };
    let config = folder.config(package, stem)?;
    let option = |key: &str| {
        let file = config.as_ref()?;
        javascript::option(file.path.as_str(), &file.text, &[keys, &[key]].concat()).map(|(value, _)| value)
    };
    let told = || {
        let of_environment = |(name, _): &&(String, String)| matches!(name.as_str(), "NITRO_PRESET" | "SERVER_PRESET");
        look.command.environment.iter().find(of_environment).map(|(_, preset)| preset.clone())
    };
    let preset = match value(&look.command.arguments, &["--preset"]).map(str::to_owned).or_else(told) {
        Some(preset) => Some(Literal::Text(preset)),
        None => option("preset"),
    };
    let for_node = match &preset {
        None => true,
        Some(Literal::Text(preset)) => NODE_PRESETS.contains(&preset.as_str()),
        Some(_) => false,
    };
    let elsewhere = plain(&look.command.arguments, &["--preset", "--dotenv", "--envName"]).len() > 1;
    if !for_node || elsewhere || option("output").is_some() {
        return Ok(None);
    }
    let output = package.join(".output").expect("a plain name stays inside");
    let why = format!("`{program} build` writes a server with all that it needs to {output}");
    let instead_of = match program {
        "nuxt" | "nuxi" => vec![["nuxt", "start"], ["nuxt", "preview"], ["nuxi", "preview"]],
        "vinxi" => vec![["vinxi", "start"]],
        _ => vec![["nitro", "preview"], ["nitropack", "preview"]],
    };
    Ok(Some(BuiltServer {
        instead_of,
        inside: output.join("server").ok(),
        port: Some(3000),
        packed: Some(Packed { files: vec![Placed { from: output.clone(), to: output }], why: why.clone() }),
        ..served(&["node", ".output/server/index.mjs"], why)
    }))
}

/// What `nest start` would run.
fn nest(look: &Look<'_, '_>, step: &Step) -> Result<Option<BuiltServer>, WorkspaceError> {
    let (folder, package) = (look.folder, &look.folder.package.path);
    let Writes::These(outputs) = &step.writes else { return Ok(None) };
    let Some(written) = outputs.first().and_then(|output| output.path.strip_prefix(package)) else { return Ok(None) };
    let settings = match folder.read(&package.join("nest-cli.json").expect("a plain name stays inside"))? {
        Some(file) => serde_json::from_str::<serde_json::Value>(&file.text).unwrap_or_default(),
        None => serde_json::Value::Null,
    };
    // Several servers in one package: nothing tells which is meant.
    if settings.get("monorepo").is_some_and(|value| *value == serde_json::Value::Bool(true)) {
        return Ok(None);
    }
    let entry = settings.get("entryFile").and_then(serde_json::Value::as_str).unwrap_or("main");
    let file = if written.is_empty() { format!("{entry}.js") } else { format!("{written}/{entry}.js") };
    let why = format!("`nest build` writes {file}, which `nest start` runs");
    Ok(Some(BuiltServer { instead_of: vec![["nest", "start"]], ..served(&["node", &file], why) }))
}

/// Astro's server for Node, where it listens by itself.
fn astro(look: &Look<'_, '_>, step: &Step) -> Result<Option<BuiltServer>, WorkspaceError> {
    let (folder, package) = (look.folder, &look.folder.package.path);
    let Writes::These(outputs) = &step.writes else { return Ok(None) };
    let Some(written) = outputs.first().and_then(|output| output.path.strip_prefix(package)) else { return Ok(None) };
    let Some(config) = folder.config(package, "astro.config")? else { return Ok(None) };
    let strings = javascript::strings(config.path.as_str(), &config.text);
    let Some((_, line)) = strings.into_iter().find(|(text, _)| text == "standalone") else { return Ok(None) };
    let why = format!("its build is Astro's, and {}:{line} makes it a server of its own", config.path);
    Ok(Some(BuiltServer {
        env: vec![("HOST", "0.0.0.0")],
        port: Some(4321),
        ..served(&["node", &format!("{written}/server/entry.mjs")], why)
    }))
}
