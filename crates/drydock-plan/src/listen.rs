//! Where a service listens, as far as its command and its first file tell.

use drydock_lockfile::WorkspacePath;
use drydock_workspace::inspect::Service;
use drydock_workspace::{Package, Workspace};

use crate::error::PlanError;
use crate::launch::Launch;

/// How much of a source file is looked at, in bytes.
const LOOKED_AT: usize = 256 * 1024;

/// How far behind the word `PORT` its default is looked for, in bytes.
const NEAR: usize = 80;

/// What tells where a service listens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listening {
    /// The port and what told it.
    pub(crate) port: Option<(u16, String)>,
    /// The environment variable that the address is read from, and what told so.
    pub(crate) host: Option<(&'static str, String)>,
    /// The file and 1-based line that listen on an address which only what is in the container reaches.
    pub(crate) loopback: Option<(WorkspacePath, usize)>,
}

/// Reads where `launch` listens: its words, then the source of the file it runs, then what its framework does.
pub(crate) fn listening(
    workspace: &Workspace,
    package: &Package,
    service: &Service,
    launch: &Launch,
) -> Result<Listening, PlanError> {
    let mut found = Listening::default();
    if let Some(port) = launch.port {
        found.port = Some((port, "its command says so".to_owned()));
    }
    let server = launch.server.as_ref();
    // What the build packs is no file of the tree by another name.
    let is_packed = server.is_some_and(|server| server.packed.is_some());
    let entry = if is_packed { None } else { entry_source(workspace, package, launch)? };
    let mut sources = Vec::new();
    if let Some((path, text)) = entry {
        sources.extend(beside(workspace, package, &path, &text)?);
        sources.insert(0, (path, text));
    }
    for (path, text) in sources {
        if let Some((port, line)) = port_in(&text).filter(|_| found.port.is_none()) {
            found.port = Some((port, format!("{path}:{line} takes it when PORT is not set")));
        }
        if let Some(line) = host_in(&text).filter(|_| found.host.is_none()) {
            found.host = Some(("HOST", format!("{path}:{line} reads the address to listen on from it")));
        }
        if found.loopback.is_none() {
            found.loopback = loopback_in(&text).map(|line| (path, line));
        }
    }
    let addressed = launch.command.iter().any(|word| word == "-a" || word.starts_with("--address"));
    if launch.command[0] == "fastify" && !addressed {
        let because = "fastify-cli listens on localhost unless it knows that it is in a container";
        found.host = Some(("FASTIFY_ADDRESS", because.to_owned()));
    }
    if let (None, Some(port)) = (&found.port, server.and_then(|server| server.port)) {
        found.port = Some((port, "the server that its build makes listens on it by default".to_owned()));
    }
    if found.port.is_none() {
        found.port = by_framework(launch, service);
    }
    Ok(found)
}

/// The source of the file that is run: itself when it is in the tree, else the one it was probably built from.
fn entry_source(
    workspace: &Workspace,
    package: &Package,
    launch: &Launch,
) -> Result<Option<(WorkspacePath, String)>, PlanError> {
    // `fastify start dist/app.js` names a file too.
    let named = || {
        launch.command.iter().skip(1).rev().find_map(|word| {
            let script = [".js", ".mjs", ".cjs", ".ts"].iter().any(|extension| word.ends_with(extension));
            if script { launch.workdir.join(word).ok() } else { None }
        })
    };
    let Some(entry) = launch.entry.clone().or_else(named) else { return Ok(None) };
    let Some(inside) = entry.strip_prefix(&package.path) else { return Ok(None) };
    let stem =
        inside.rsplit_once('.').filter(|(_, extension)| !extension.contains('/')).map_or(inside, |(stem, _)| stem);
    let below = stem.split_once('/').map_or(stem, |(_, below)| below);
    let mut candidates = vec![inside.to_owned(), format!("{inside}/index.js"), format!("{inside}.js")];
    for place in [format!("src/{below}"), below.to_owned(), stem.to_owned()] {
        candidates.extend(["ts", "mts", "cts", "js", "mjs", "cjs"].map(|extension| format!("{place}.{extension}")));
    }
    for candidate in candidates {
        let Ok(path) = package.path.join(&candidate) else { continue };
        if let Some(text) = text_of(workspace, &path)? {
            return Ok(Some((path, text)));
        }
    }
    Ok(None)
}

fn text_of(workspace: &Workspace, path: &WorkspacePath) -> Result<Option<String>, PlanError> {
    let bytes = workspace.tree.read(path)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes[..bytes.len().min(LOOKED_AT)]).into_owned()))
}

/// The files beside the first one that it loads and that listen: `server.ts` often only calls what is in `app.ts`.
fn beside(
    workspace: &Workspace,
    package: &Package,
    entry: &WorkspacePath,
    text: &str,
) -> Result<Vec<(WorkspacePath, String)>, PlanError> {
    let mut found = Vec::new();
    if text.contains(".listen(") {
        return Ok(found);
    }
    let folder = entry.parent().unwrap_or_else(|| package.path.clone());
    for specifier in loads(text) {
        let stem = [".js", ".mjs", ".cjs", ".ts"].iter().find_map(|ending| specifier.strip_suffix(ending));
        let stem = stem.unwrap_or(specifier);
        let endings = ["ts", "mts", "cts", "js", "mjs", "cjs"].map(|ending| format!("{stem}.{ending}"));
        for candidate in endings.into_iter().chain([format!("{stem}/index.ts"), format!("{stem}/index.js")]) {
            let Some(path) = folder.join(&candidate).ok().filter(|path| path.is_within(&package.path)) else {
                continue;
            };
            if let Some(text) = text_of(workspace, &path)? {
                if text.contains(".listen(") {
                    found.push((path, text));
                }
                break;
            }
        }
    }
    Ok(found)
}

/// What a text loads by a relative path, as written.
fn loads(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !is_comment(line)).filter_map(|line| {
        let at = ["from ", "import ", "import(", "require("].iter().find_map(|word| {
            let after = &line[line.find(word)? + word.len()..];
            let quote = after.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
            after[1..].split(quote).next()
        })?;
        (at.starts_with("./") || at.starts_with("../")).then_some(at)
    })
}

/// The 1-based line of a call that listens on the loopback address, as written.
fn loopback_in(text: &str) -> Option<usize> {
    text.match_indices(".listen(").find_map(|(at, _)| {
        let line = text[..at].matches('\n').count();
        if text.lines().nth(line).is_some_and(is_comment) {
            return None;
        }
        let arguments = &text[at..];
        let ends = ["=>", "function", ");"].iter().filter_map(|end| arguments.find(end)).min();
        let arguments = &arguments[..ends?];
        let named = ["'localhost'", "\"localhost\"", "'127.0.0.1'", "\"127.0.0.1\""];
        named.iter().any(|address| arguments.contains(address)).then_some(line + 1)
    })
}

/// The number that stands shortly behind the word `PORT` on its line (`process.env.PORT || 3080`, `PORT = '8080'`,
/// `isNaN(Number(PORT)) ? 3080 : …`), or that is listened on, with its 1-based line.
fn port_in(text: &str) -> Option<(u16, usize)> {
    let code = || text.lines().enumerate().filter(|(_, line)| !is_comment(line));
    let after_word = code().find_map(|(number, line)| {
        let at = words(line, "PORT").next()?;
        first_number(near(line, at + "PORT".len())).map(|port| (port, number + 1))
    });
    after_word.or_else(|| {
        code().find_map(|(number, line)| {
            let (_, arguments) = line.split_once(".listen(")?;
            let arguments = arguments.trim_start().trim_start_matches("{ port:").trim_start();
            let digits: String = arguments.chars().take_while(char::is_ascii_digit).collect();
            Some((plausible(&digits)?, number + 1))
        })
    })
}

/// The 1-based line that reads `HOST` from the environment.
fn host_in(text: &str) -> Option<usize> {
    let reads_environment = text.contains("process.env");
    text.lines().enumerate().filter(|(_, line)| reads_environment && !is_comment(line)).find_map(|(number, line)| {
        let from_environment = line.contains("env") && words(line, "HOST").next().is_some();
        from_environment.then_some(number + 1)
    })
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("//") || line.starts_with('*') || line.starts_with("/*")
}

/// Where `word` stands alone in `line`.
fn words<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part_of_name = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '$';
    line.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| !line[..*at].ends_with(part_of_name) && !line[at + word.len()..].starts_with(part_of_name))
}

fn near(line: &str, from: usize) -> &str {
    let mut end = line.len().min(from + NEAR);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[from..end]
}

fn first_number(text: &str) -> Option<u16> {
    text.split(|character: char| !character.is_ascii_digit()).find_map(plausible)
}

/// A port that a service would listen on: what is small is more likely a radix or a count.
fn plausible(digits: &str) -> Option<u16> {
    digits.parse().ok().filter(|port| *port == 80 || *port == 443 || *port >= 1000)
}

fn by_framework(launch: &Launch, service: &Service) -> Option<(u16, String)> {
    let program = launch.command.first().map_or("", String::as_str);
    let by_program = match program {
        "fastify" | "next" | "nuxt" | "nuxi" | "remix-serve" | "react-router-serve" | "nest" => 3000,
        "strapi" => 1337,
        "directus" => 8055,
        "medusa" => 9000,
        "astro" => 4321,
        _ => 0,
    };
    if by_program != 0 {
        return Some((by_program, format!("`{program}` listens on it by default")));
    }
    let framework = service.framework.as_ref()?;
    Some((3000, format!("nothing names its port, and {framework} is most often given this one")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_stand_behind_the_word() {
        let check = |text: &str, expected: Option<(u16, usize)>| assert_eq!(port_in(text), expected, "{text}");
        check("const port = Number(process.env.PORT ?? 3080);", Some((3080, 1)));
        check(
            "const { PORT, HOST } = process.env;\nconst port = isNaN(Number(PORT)) ? 3080 : Number(PORT);",
            Some((3080, 2)),
        );
        check("// PORT 1234\nlisten(parseInt(process.env.PORT, 10) || 8080)", Some((8080, 2)));
        check("const SUPPORTED = 3000; REPORT = 4000", None);
        check("server.listen(5000, () => {})", Some((5000, 1)));
        check("app.listen({ port: 4100 })", Some((4100, 1)));
        check("retries(process.env.PORT, 10)", None);
    }

    #[test]
    fn an_address_that_nobody_else_reaches_is_seen() {
        let check = |text: &str, expected: Option<usize>| assert_eq!(loopback_in(text), expected, "{text}");
        check("x\nconst server = app.listen(port, 'localhost', () => {});", Some(2));
        check("await app.listen({\n  port,\n  host: \"127.0.0.1\",\n});", Some(1));
        check("app.listen(port, () => console.log('http://localhost:3000', 'localhost'));", None);
        check("// app.listen(port, 'localhost');\n", None);
        check("app.listen(port);\nconst host = 'localhost';", None);
    }

    #[test]
    fn what_a_file_loads_beside_it() {
        let text = "import { main } from './app.js';\nimport \"./env\";\nconst x = require('../x');\nimport y from 'y';\n// from './z'\n";
        assert_eq!(loads(text).collect::<Vec<_>>(), ["./app.js", "./env", "../x"]);
    }

    #[test]
    fn the_address_is_read_from_the_environment() {
        assert_eq!(host_in("x\nconst { PORT, HOST } = process.env ?? {};"), Some(2));
        assert_eq!(host_in("const HOST = 'localhost'"), None);
        assert_eq!(host_in("const a = process.env.LOCALHOST"), None);
    }
}
