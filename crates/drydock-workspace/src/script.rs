//! Reads the commands out of a package script, as far as a shell line can be read without a shell.

use drydock_lockfile::Manifest;

/// One simple command of a script, wrappers such as `cross-env`, `npx` and environment assignments taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// The program's name without folder: `vite`, `node`, `tsc`.
    pub(crate) program: String,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// The environment set on the line.
    pub(crate) environment: Vec<(String, String)>,
}

/// The commands of a script line in order, those behind `&&`, `||`, `;`, `|` and `&` included.
pub(crate) fn commands(script: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut words = Vec::new();
    for word in words_of(script) {
        match word {
            Word::Text(text) => words.push(text),
            Word::Operator => commands.extend(command(std::mem::take(&mut words))),
        }
    }
    commands.extend(command(words));
    commands
}

/// The commands that a script of `manifest` comes to when the scripts it calls are followed (`npm run x`, `yarn x`,
/// `run-s a b`, `concurrently "npm:x:*"`), its `pre` and `post` scripts included.
pub(crate) fn commands_of(manifest: &Manifest, script: &str) -> Vec<Command> {
    let mut found = Vec::new();
    collect(manifest, script, &mut Vec::new(), &mut found);
    found
}

/// The same of a line that is no script itself, such as one that a program starts.
pub(crate) fn commands_in(manifest: &Manifest, line: &str) -> Vec<Command> {
    let mut found = Vec::new();
    collect_line(manifest, line, &mut Vec::new(), &mut found);
    found
}

fn collect(manifest: &Manifest, script: &str, within: &mut Vec<String>, found: &mut Vec<Command>) {
    if within.iter().any(|name| name == script) {
        return;
    }
    within.push(script.to_owned());
    for name in [format!("pre{script}"), script.to_owned(), format!("post{script}")] {
        if let Some(text) = manifest.script(&name) {
            collect_line(manifest, text, within, found);
        }
    }
    within.pop();
}

fn collect_line(manifest: &Manifest, line: &str, within: &mut Vec<String>, found: &mut Vec<Command>) {
    for command in commands(line) {
        for run in runs(manifest, command) {
            match run {
                Run::Script(name) => collect(manifest, &name, within, found),
                Run::Command(command) => found.push(command),
            }
        }
    }
}

/// What a command comes to.
enum Run {
    /// A script of the same manifest.
    Script(String),
    /// Something else.
    Command(Command),
}

/// The scripts of the same manifest that a command runs, and the commands it starts; itself when it does neither.
fn runs(manifest: &Manifest, command: Command) -> Vec<Run> {
    let exists = |name: &str| manifest.script(name).is_some();
    let plain = || command.arguments.iter().filter(|argument| !argument.starts_with('-'));
    let runs: Vec<Run> = match command.program.as_str() {
        "npm" | "pnpm" | "yarn" | "bun" if !command.arguments.iter().any(|argument| names_other_packages(argument)) => {
            let mut words = plain().map(String::as_str);
            let name = match words.next() {
                Some("run" | "run-script" | "rum") => words.next(),
                // Bun's own bundler and test runner, whatever scripts there are.
                Some("build" | "test") if command.program == "bun" => None,
                other => other,
            };
            name.filter(|name| exists(name)).map(|name| Run::Script(name.to_owned())).into_iter().collect()
        }
        // `run-p typecheck "build-only {@}" --`: a name with arguments for it.
        "run-s" | "run-p" | "npm-run-all" | "npm-run-all2" => plain()
            .filter_map(|argument| argument.split_whitespace().next())
            .flat_map(|pattern| expand(manifest, pattern))
            .map(Run::Script)
            .collect(),
        "concurrently" => plain()
            .flat_map(|argument| match argument.strip_prefix("npm:") {
                Some(pattern) => {
                    let pattern = pattern.split_whitespace().next().unwrap_or_default();
                    expand(manifest, pattern).into_iter().map(Run::Script).collect()
                }
                // A word alone is more often the value of an option (`--names web`) than a command.
                None if !argument.contains(' ') && !exists(argument) && argument != "tsc" => Vec::new(),
                None => commands(argument).into_iter().flat_map(|inner| runs(manifest, inner)).collect::<Vec<_>>(),
            })
            .collect(),
        _ => Vec::new(),
    };
    if runs.is_empty() { vec![Run::Command(command)] } else { runs }
}

/// `build:*` as npm-run-all and concurrently read it.
fn expand(manifest: &Manifest, pattern: &str) -> Vec<String> {
    match pattern.split_once('*') {
        None => manifest.script(pattern).map(|_| vec![pattern.to_owned()]).unwrap_or_default(),
        Some((before, after)) => {
            let fits = |name: &&str| {
                name.strip_prefix(before).is_some_and(|rest| rest.ends_with(after.trim_start_matches('*')))
            };
            manifest.scripts().filter(fits).map(str::to_owned).collect()
        }
    }
}

/// Whether an argument of a package manager turns its command to other packages.
pub(crate) fn names_other_packages(argument: &str) -> bool {
    let name = argument.split('=').next().unwrap_or(argument);
    matches!(
        name,
        "-w" | "--workspace"
            | "-ws"
            | "--ws"
            | "--workspaces"
            | "--prefix"
            | "-C"
            | "--cwd"
            | "-r"
            | "--recursive"
            | "--filter"
            | "-F"
            | "workspace"
            | "workspaces"
            | "-W"
    )
}

/// Takes wrappers off the front of a command line.
fn command(words: Vec<String>) -> Option<Command> {
    let mut environment = Vec::new();
    let mut words = words.into_iter().peekable();
    let program = loop {
        let word = words.next()?;
        if let Some((name, value)) = assignment(&word) {
            environment.push((name.to_owned(), value.to_owned()));
            continue;
        }
        let name = word.rsplit('/').next().unwrap_or(&word);
        match name {
            "cross-env" | "cross-env-shell" | "env" | "exec" | "time" | "command" | "(" | ")" => {}
            "npx" | "bunx" | "pnpx" => {
                while let Some(option) = words.peek().filter(|word| word.starts_with('-')).cloned() {
                    words.next();
                    if matches!(option.as_str(), "-p" | "--package" | "-c" | "--call") {
                        words.next();
                    }
                }
            }
            "dotenv" | "dotenvx" => {
                for word in words.by_ref() {
                    if word == "--" {
                        break;
                    }
                }
            }
            _ => break name.to_owned(),
        }
    };
    let mut arguments: Vec<String> = words.collect();
    // `yarn exec x`, `pnpm exec x`, `npm exec -- x`, `bun --bun run x`: the tool behind is what runs.
    if matches!(program.as_str(), "npm" | "pnpm" | "yarn")
        && arguments.first().is_some_and(|first| matches!(first.as_str(), "exec" | "dlx" | "x"))
    {
        arguments.remove(0);
        if arguments.first().is_some_and(|first| first == "--") {
            arguments.remove(0);
        }
        return command(arguments)
            .map(|inner| Command { environment: environment.into_iter().chain(inner.environment).collect(), ..inner });
    }
    Some(Command { program, arguments, environment })
}

fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let valid = !name.is_empty()
        && !name.starts_with(|char: char| char.is_ascii_digit())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
    valid.then_some((name, value))
}

enum Word {
    Text(String),
    Operator,
}

fn words_of(script: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut current: Option<String> = None;
    let mut chars = script.chars().peekable();
    let mut quote: Option<char> = None;
    while let Some(char) = chars.next() {
        match (quote, char) {
            (Some(open), char) if char == open => quote = None,
            (Some('"') | None, '\\') => {
                if let Some(next) = chars.next() {
                    current.get_or_insert_default().push(next);
                }
            }
            (None, '"' | '\'') => {
                quote = Some(char);
                current.get_or_insert_default();
            }
            (None, char) if char.is_whitespace() && char != '\n' => words.extend(current.take().map(Word::Text)),
            (None, '&' | '|' | ';' | '\n') => {
                words.extend(current.take().map(Word::Text));
                words.push(Word::Operator);
                while chars.peek().is_some_and(|next| matches!(next, '&' | '|' | ';')) {
                    chars.next();
                }
            }
            // A redirection and its file are no arguments.
            (None, '>' | '<') => {
                if current.as_deref().is_some_and(|text| text.chars().all(|char| char.is_ascii_digit())) {
                    current = None;
                }
                words.extend(current.take().map(Word::Text));
                while chars.peek().is_some_and(|next| matches!(next, '>' | '&' | ' ')) {
                    chars.next();
                }
                while chars.peek().is_some_and(|next| !next.is_whitespace() && !matches!(next, '&' | '|' | ';')) {
                    chars.next();
                }
            }
            (None, '(' | ')') => {
                words.extend(current.take().map(Word::Text));
            }
            (_, char) => current.get_or_insert_default().push(char),
        }
    }
    words.extend(current.map(Word::Text));
    words
}

#[cfg(test)]
mod tests {
    use drydock_lockfile::WorkspacePath;

    use super::*;

    fn shown(commands: Vec<Command>) -> Vec<String> {
        commands
            .into_iter()
            .map(|command| std::iter::once(command.program).chain(command.arguments).collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn takes_wrappers_off() {
        let check = |script: &str, expected: &[&str]| assert_eq!(shown(commands(script)), expected, "{script}");
        check(
            "cross-env NODE_ENV=production NODE_OPTIONS=--x=1 vite build && node ./scripts/post-build.cjs",
            &["vite build", "node ./scripts/post-build.cjs"],
        );
        check("npx --yes -p typescript tsc -p tsconfig.build.json", &["tsc -p tsconfig.build.json"]);
        check("vite build --debug > out.log 2>&1", &["vite build --debug"]);
        check("./node_modules/.bin/tsc; echo 'a && b'", &["tsc", "echo a && b"]);
        check("dotenv -e .env -- next build", &["next build"]);
        check("pnpm exec tsup src/index.ts --out-dir lib", &["tsup src/index.ts --out-dir lib"]);
        check("", &[]);
    }

    #[test]
    fn follows_scripts_of_the_same_package() {
        let manifest = Manifest::parse(
            WorkspacePath::new("package.json").unwrap(),
            r#"{"scripts":{"prebuild":"rimraf dist","build":"npm run clean && run-s build:*","clean":"rm -rf lib",
            "build:js":"tsup","build:types":"tsc -p .","start":"concurrently \"npm:start:*\" --kill-others",
            "start:a":"npm run dev --workspace=a","loop":"npm run loop"}}"#,
        )
        .unwrap();
        assert_eq!(shown(commands_of(&manifest, "build")), ["rimraf dist", "rm -rf lib", "tsup", "tsc -p ."]);
        assert_eq!(shown(commands_of(&manifest, "start")), ["npm run dev --workspace=a"]);
        assert!(commands_of(&manifest, "loop").is_empty());
        let manifest = |scripts: &str| {
            let text = format!(r#"{{"scripts":{scripts}}}"#);
            Manifest::parse(WorkspacePath::new("package.json").unwrap(), &text).unwrap()
        };
        let vue = manifest(
            r#"{"build":"run-p type-check \"build-only {@}\" --","build-only":"vite build","type-check":"vue-tsc --build"}"#,
        );
        assert_eq!(shown(commands_of(&vue, "build")), ["vue-tsc --build", "vite build"]);
        let bun = manifest(r#"{"build":"bun build src/index.ts --outdir dist"}"#);
        assert_eq!(shown(commands_of(&bun, "build")), ["bun build src/index.ts --outdir dist"]);
        let together =
            manifest(r#"{"build":"concurrently -n a,b \"tsc -p .\" \"npm run css\"","css":"sass src:dist"}"#);
        assert_eq!(shown(commands_of(&together, "build")), ["tsc -p .", "sass src:dist"]);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(script in ".{0,40}") {
            commands(&script);
        }
    }
}
