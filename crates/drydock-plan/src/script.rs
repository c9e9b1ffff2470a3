//! Scripts of a `package.json`, read as a shell would where no shell is needed.

use indexmap::IndexMap;

/// How many scripts may call one another before the chain counts as a circle.
const MAX_DEPTH: usize = 8;

/// One command that needs no shell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Simple {
    /// Assignments before it, also those that `cross-env` and `env` make.
    pub(crate) env: IndexMap<String, String>,
    /// The program and its arguments; never empty.
    pub(crate) words: Vec<String>,
}

/// What a script comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Script {
    /// One command.
    Simple(Simple),
    /// It needs a shell or its package manager; why, in words.
    Shell(&'static str),
}

/// What running a command is, judged by its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// It may well be a service.
    Run,
    /// It says something and ends.
    Says,
    /// It serves sources while someone develops, or watches, tests or builds.
    Develops,
    /// It runs TypeScript or restarts on change: a service, run by a tool for development.
    DevelopmentRunner,
}

/// Reads `text` as one command. What only a shell could do makes it [`Script::Shell`].
pub(crate) fn parse(text: &str) -> Script {
    let words = match split(text) {
        Ok(words) => words,
        Err(why) => return Script::Shell(why),
    };
    let simple = unwrapped(Simple { env: IndexMap::new(), words });
    match simple.words.first() {
        None => Script::Shell("it names no program"),
        Some(program) if program.starts_with('-') => Script::Shell("options stand before its program"),
        Some(_) => Script::Simple(simple),
    }
}

/// Takes what stands around a program away: `VAR=x cross-env VAR=y env VAR=z program …` only sets more, and what
/// `dotenv -e .env -- program …` loads is no file of an image.
fn unwrapped(mut simple: Simple) -> Simple {
    loop {
        let Some(word) = simple.words.first() else { return simple };
        let taken = match word.as_str() {
            "cross-env" | "env" | "exec" => 1,
            "dotenv" => match simple.words.iter().position(|word| word == "--") {
                Some(at) if at + 1 < simple.words.len() => at + 1,
                _ => return simple,
            },
            word => {
                let Some((name, value)) = assignment(word) else { return simple };
                simple.env.insert(name.to_owned(), value.to_owned());
                1
            }
        };
        simple.words.drain(..taken);
    }
}

/// Follows `npm run other` and the like through `scripts` until a command remains. `None` when there is no script `name`.
pub(crate) fn follow<'a>(name: &str, scripts: &impl Fn(&str) -> Option<&'a str>) -> Option<(Script, Vec<String>)> {
    let mut chain = vec![name.to_owned()];
    let mut env = IndexMap::new();
    let mut script = parse(scripts(name)?);
    loop {
        let Script::Simple(simple) = &mut script else { return Some((script, chain)) };
        env.extend(std::mem::take(&mut simple.env));
        let Some((next, arguments)) = delegate(&simple.words) else {
            simple.env = env;
            return Some((script, chain));
        };
        let Some(text) = scripts(&next).filter(|_| chain.len() < MAX_DEPTH) else {
            return Some((Script::Shell("it calls a script that is not there"), chain));
        };
        chain.push(next);
        script = parse(text);
        if let Script::Simple(mut simple) = script {
            simple.words.extend(arguments);
            script = Script::Simple(unwrapped(simple));
        }
    }
}

/// The script of the same package that a command runs, with the arguments it passes on.
fn delegate(words: &[String]) -> Option<(String, Vec<String>)> {
    let (manager, rest) = words.split_first()?;
    if !matches!(manager.as_str(), "npm" | "pnpm" | "yarn" | "bun") {
        return None;
    }
    let mut rest = rest.iter().map(String::as_str).filter(|word| !matches!(*word, "-s" | "--silent" | "--if-present"));
    let script = match rest.next()? {
        "run" | "run-script" => rest.next()?,
        "start" => "start",
        _ => return None,
    };
    if script.starts_with('-') {
        return None;
    }
    let mut arguments: Vec<String> = rest.map(str::to_owned).collect();
    match arguments.iter().position(|word| word == "--") {
        Some(0) => drop(arguments.remove(0)),
        // Options of the package manager itself (`--workspace=x`) change what runs.
        _ if arguments.iter().any(|word| word.starts_with('-')) => return None,
        _ => {}
    }
    Some((script.to_owned(), arguments))
}

/// What running these words is.
pub(crate) fn nature(words: &[String]) -> Nature {
    let program = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    let argument = words.get(1).map_or("", String::as_str);
    let watches = words.iter().any(|word| matches!(word.as_str(), "--watch" | "-w" | "watch"));
    match program {
        "echo" | "printf" | "exit" | "true" | "false" | ":" => Nature::Says,
        "vite" | "react-scripts" | "react-app-rewired" | "craco" | "webpack" | "webpack-dev-server" | "parcel"
        | "vue-cli-service" | "rollup" | "esbuild" | "tsc" | "tsup" | "tsdown" | "unbuild" | "jest" | "vitest"
        | "mocha" | "cypress" | "playwright" | "turbo" | "nx" | "wireit" | "lerna" | "concurrently" | "npm-run-all"
        | "run-s" | "run-p" | "docker" | "docker-compose" | "storybook" | "start-storybook" | "docusaurus"
        | "vitepress" | "vuepress" | "eleventy" | "gatsby" | "expo" | "electron" | "react-native" | "ng"
        | "stencil" | "rimraf" | "eslint" | "prettier" | "http-server" | "live-server" | "serve" | "wrangler"
        | "serverless" | "sls" | "firebase" | "storyblok" | "open" | "cd" => Nature::Develops,
        "next" | "nuxt" | "nuxi" | "astro" | "remix" | "react-router" | "svelte-kit" | "medusa" | "strapi"
            if !matches!(argument, "start") =>
        {
            Nature::Develops
        }
        "nodemon" | "ts-node" | "ts-node-dev" | "ts-node-esm" | "tsx" | "tsnd" | "babel-node" | "swc-node" | "nest"
        | "esno" | "esmo" | "vite-node" => Nature::DevelopmentRunner,
        _ if watches => Nature::DevelopmentRunner,
        _ => Nature::Run,
    }
}

/// Whether a command does nothing but fail.
pub(crate) fn fails(words: &[String]) -> bool {
    match words.first().map(String::as_str) {
        Some("exit") => words.get(1).is_some_and(|code| code != "0"),
        Some("false") => true,
        _ => false,
    }
}

/// The position of the file that `node …` runs. `None` when it runs none (`node -e …`) or the program is not Node.
pub(crate) fn node_entry(words: &[String]) -> Option<usize> {
    if words.first()?.as_str() != "node" {
        return None;
    }
    let mut index = 1;
    while let Some(word) = words.get(index) {
        match word.as_str() {
            "-e" | "--eval" | "-p" | "--print" | "-i" | "--test" | "-" | "--run" => return None,
            // These take their value as the next word (node(1)).
            "-r"
            | "--require"
            | "--import"
            | "--loader"
            | "--experimental-loader"
            | "-C"
            | "--conditions"
            | "--env-file"
            | "--env-file-if-exists"
            | "--title"
            | "--inspect-port"
            | "--openssl-config" => index += 2,
            option if option.starts_with('-') => index += 1,
            _ => return Some(index),
        }
    }
    None
}

/// The port that the words or the environment of a command name.
pub(crate) fn port(command: &Simple) -> Option<u16> {
    // Before the file it runs, `-p` is Node's own option.
    let start = match command.words.first()?.as_str() {
        "node" => node_entry(&command.words).map_or(command.words.len(), |entry| entry + 1),
        _ => 1,
    };
    let words = command.words.get(start..).unwrap_or_default();
    let named = words.iter().enumerate().find_map(|(index, word)| {
        let value = match word.as_str() {
            "-p" | "--port" => words.get(index + 1)?,
            other => other.strip_prefix("--port=").or_else(|| other.strip_prefix("-p"))?,
        };
        value.parse().ok()
    });
    named.or_else(|| command.env.get("PORT")?.parse().ok())
}

fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let valid = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|other| other.is_ascii_alphanumeric() || other == '_');
    valid.then_some((name, value))
}

/// The words of a command line by the rules of `sh` for quotes; what else means something to a shell is an error.
fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let current = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some('\'') => break,
                        Some(other) => current.push(other),
                        None => return Err("a quote is not closed"),
                    }
                }
            }
            '"' => {
                let current = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some('"') => break,
                        Some('\\') => match characters.next() {
                            Some(escaped @ ('"' | '\\' | '$' | '`')) => current.push(escaped),
                            Some(other) => current.extend(['\\', other]),
                            None => return Err("a quote is not closed"),
                        },
                        Some('$' | '`') => return Err("it expands variables"),
                        Some(other) => current.push(other),
                        None => return Err("a quote is not closed"),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(characters.next()),
            '$' | '`' => return Err("it expands variables"),
            '&' | ';' | '\n' | '\r' => return Err("it runs several commands"),
            '|' => return Err("it pipes"),
            '<' | '>' => return Err("it redirects"),
            '(' | ')' | '{' | '}' => return Err("it groups commands"),
            '*' | '?' | '[' | '~' => return Err("it expands file names"),
            '#' if word.is_none() => return Err("it holds a comment"),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match parse(text) {
            Script::Simple(simple) => {
                let env: Vec<String> = simple.env.iter().map(|(name, value)| format!("{name}={value} ")).collect();
                let port = port(&simple).map(|port| format!(" :{port}")).unwrap_or_default();
                format!("{}{:?} {:?}{port}", env.concat(), simple.words, nature(&simple.words))
            }
            Script::Shell(why) => format!("shell: {why}"),
        }
    }

    #[test]
    fn scripts_become_commands_where_no_shell_is_needed() {
        let scripts = [
            "node dist/app.js",
            "node -r dotenv/config --max-old-space-size=4096 dist/app.js -p 3001",
            "node -p 4000",
            "cross-env NODE_ENV=production node api/server/index.js",
            "PORT=8080 node .",
            "fastify start -l info dist/app.js -p 3001",
            "next start --port=4000",
            "next dev",
            "echo 'please run this from the root directory'",
            "npm run build && node dist/app.js",
            "node app.js --port $PORT",
            "node \"my server.js\" 'a b'",
            "node app.js | pino-pretty",
            "vite --port 8000",
            "ts-node src/index.ts",
            "node --watch server.js",
            "",
            "node 'open",
            "node src/*.js",
        ];
        let lines: Vec<String> = scripts.iter().map(|script| format!("{script} → {}", shown(script))).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        node dist/app.js → ["node", "dist/app.js"] Run
        node -r dotenv/config --max-old-space-size=4096 dist/app.js -p 3001 → ["node", "-r", "dotenv/config", "--max-old-space-size=4096", "dist/app.js", "-p", "3001"] Run :3001
        node -p 4000 → ["node", "-p", "4000"] Run
        cross-env NODE_ENV=production node api/server/index.js → NODE_ENV=production ["node", "api/server/index.js"] Run
        PORT=8080 node . → PORT=8080 ["node", "."] Run :8080
        fastify start -l info dist/app.js -p 3001 → ["fastify", "start", "-l", "info", "dist/app.js", "-p", "3001"] Run :3001
        next start --port=4000 → ["next", "start", "--port=4000"] Run :4000
        next dev → ["next", "dev"] Develops
        echo 'please run this from the root directory' → ["echo", "please run this from the root directory"] Says
        npm run build && node dist/app.js → shell: it runs several commands
        node app.js --port $PORT → shell: it expands variables
        node "my server.js" 'a b' → ["node", "my server.js", "a b"] Run
        node app.js | pino-pretty → shell: it pipes
        vite --port 8000 → ["vite", "--port", "8000"] Develops :8000
        ts-node src/index.ts → ["ts-node", "src/index.ts"] DevelopmentRunner
        node --watch server.js → ["node", "--watch", "server.js"] DevelopmentRunner
         → shell: it names no program
        node 'open → shell: a quote is not closed
        node src/*.js → shell: it expands file names
        "#);
    }

    #[test]
    fn scripts_that_call_scripts_are_followed() {
        let scripts = |name: &str| match name {
            "start" => Some("NODE_ENV=production npm run serve -- --port 4000"),
            "serve" => Some("node server.js"),
            "circle" => Some("yarn run circle"),
            "other" => Some("npm start --workspace=api"),
            "missing" => Some("npm run nothing"),
            "wrapped" => Some("npm run with:env -- cross-env NODE_ENV=production node build/main.js"),
            "with:env" => Some("dotenv -e ../../.env --"),
            _ => None,
        };
        let lines: Vec<String> = ["start", "circle", "other", "missing", "wrapped", "none"]
            .map(|name| format!("{name}: {:?}", follow(name, &scripts)))
            .into();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        start: Some((Simple(Simple { env: {"NODE_ENV": "production"}, words: ["node", "server.js", "--port", "4000"] }), ["start", "serve"]))
        circle: Some((Shell("it calls a script that is not there"), ["circle", "circle", "circle", "circle", "circle", "circle", "circle", "circle"]))
        other: Some((Simple(Simple { env: {}, words: ["npm", "start", "--workspace=api"] }), ["other"]))
        missing: Some((Shell("it calls a script that is not there"), ["missing"]))
        wrapped: Some((Simple(Simple { env: {"NODE_ENV": "production"}, words: ["node", "build/main.js"] }), ["wrapped", "with:env"]))
        none: None
        "#);
    }
}
