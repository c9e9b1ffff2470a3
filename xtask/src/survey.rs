//! `cargo xtask survey`: real repositories, as they are and without configuration.
//!
//! Each is checked out at a fixed commit; `init`, `plan` and `dockerfile` are run; with `--build` its images are built and
//! started, in the time they are given. What was seen is kept in the state folder, so that one repository can be tried at
//! a time, and `docs/zero-configuration.md` is written of all that is known.

mod page;
mod said;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::engine::{self, Engine};
use crate::state::StateDir;
use crate::{host, test};

/// Repositories on GitHub with npm workspaces, the commit that is tried, and what they are.
const REPOSITORIES: &[(&str, &str, &str)] = &[
    ("Azure-Samples/azure-openai-rag-workshop", "44d4b63", "two Fastify services and a Vite site"),
    ("modelcontextprotocol/servers", "76d64c82", "servers on standard input and output"),
    ("Varkoff/remix-nestjs-monorepo", "2d7d558", "NestJS that serves Remix"),
    ("Azure-Samples/contoso-real-estate", "e4c3bd8", "Next, Strapi, Fastify, Angular"),
    ("documenso/documenso", "75330166c", "React Router with Hono, Next, Prisma"),
    ("google-gemini/gemini-cli", "5411f113ca", "a command, a server, an editor's extension"),
    ("open-telemetry/opentelemetry-js", "61126358cb", "a hundred libraries and two examples"),
    ("aws-powertools/powertools-lambda-typescript", "1e5fe1b49", "libraries, and a stack for the cloud"),
    ("apollographql/apollo-server", "4f154060b", "libraries alone"),
    ("tapjs/tapjs", "6f774b11", "libraries and their site"),
    ("lit/lit", "6c051d517", "libraries and examples"),
];

/// How long an image may take until it answers.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// What is said of a container that came to its end well.
const ENDED: &str = "ends with 0";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these of the repositories, each as `owner/name` or `name`; all without it
    #[arg(long, value_name = "NAME")]
    repository: Vec<String>,
    /// A folder with clones, `owner+name` each, to fetch from instead of GitHub
    #[arg(long, value_name = "FOLDER")]
    mirror: Option<PathBuf>,
    /// Build the images and start them
    #[arg(long)]
    build: bool,
    /// How many seconds the builds of one repository may take
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    limit: u64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let state = StateDir::locate()?;
    let results = state.join("survey/results");
    fs_err::create_dir_all(&results)?;
    let known = |name: &String| {
        REPOSITORIES.iter().any(|(repository, ..)| repository == name || repository.ends_with(&format!("/{name}")))
    };
    if let Some(unknown) = args.repository.iter().find(|name| !known(name)) {
        bail!("`{unknown}` is none of the survey's repositories");
    }
    let program = program()?;
    let engine = if args.build { Some(Engine::find(&state)?) } else { None };
    for (repository, commit, _) in REPOSITORIES {
        let short = repository.rsplit('/').next().unwrap_or(repository);
        if !args.repository.is_empty() && !args.repository.iter().any(|name| name == repository || name == short) {
            continue;
        }
        let folder = check_out(&state.join("survey"), repository, commit, args.mirror.as_deref())?;
        eprintln!("     Trying {repository}");
        let survey = Survey { program: &program, folder: &folder, engine: engine.as_ref(), limit: args.limit };
        let seen = survey.run()?;
        fs_err::write(results.join(format!("{short}.json")), serde_json::to_string_pretty(&seen)?)?;
    }
    let page = test::root().join("docs/zero-configuration.md");
    fs_err::write(&page, page::written(&results)?)?;
    eprintln!("      Wrote {}", page.display());
    Ok(())
}

/// The binary of this checkout.
fn program() -> Result<PathBuf> {
    let mut build = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    build.current_dir(test::root()).args(["build", "--quiet", "--package", "cargo-drydock", "--bin", "drydock"]);
    host::run(&mut build)?;
    Ok(test::root().join("target/debug/drydock"))
}

/// The repository's files at a commit, from an earlier run if there was one.
fn check_out(cache: &Path, repository: &str, commit: &str, mirror: Option<&Path>) -> Result<PathBuf> {
    let name = repository.replace('/', "+");
    let folder = cache.join(format!("{name}-{commit}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    let partial = folder.with_extension("partial");
    if partial.exists() {
        fs_err::remove_dir_all(&partial)?;
    }
    let source = match mirror {
        None => format!("https://github.com/{repository}.git"),
        Some(mirror) => {
            let places = [mirror.join(&name).join("repo"), mirror.join(format!("{name}.git")), mirror.join(&name)];
            let found = places.into_iter().find(|place| place.is_dir());
            found.with_context(|| format!("`{}` has no clone of {repository}", mirror.display()))?.display().to_string()
        }
    };
    eprintln!("   Fetching {repository}");
    host::run_quiet(Command::new("git").args(["clone", "--quiet", "--no-checkout", &source]).arg(&partial))?;
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(&partial).args(["-c", "advice.detachedHead=false"]).args(arguments);
        host::run_quiet(&mut command)
    };
    if let Err(error) = git(&["checkout", "--quiet", commit]) {
        // A mirror may lack the contents of the largest files; git writes the others.
        if mirror.is_none() || git(&["checkout-index", "--all", "--force"]).is_ok() {
            return Err(error);
        }
        git(&["update-ref", "--no-deref", "HEAD", commit])?;
        eprintln!("    Lacking {error:#}");
    }
    fs_err::rename(&partial, &folder)?;
    Ok(folder)
}

/// One repository that is tried.
struct Survey<'s> {
    program: &'s Path,
    folder: &'s Path,
    engine: Option<&'s Engine>,
    limit: u64,
}

impl Survey<'_> {
    fn run(&self) -> Result<Value> {
        let steps = [vec!["init", "--print"], vec!["plan"], vec!["dockerfile"]];
        let mut works = Vec::new();
        for arguments in steps {
            let output = self.drydock(&arguments, None)?;
            works.push(json!({
                "command": arguments[0],
                "works": output.status.success(),
                "says": errors(&output).into_iter().next(),
            }));
        }
        let targets = self.drydock(&["targets", "--format", "json"], None)?;
        let found: Value = serde_json::from_slice(&targets.stdout).unwrap_or_default();
        let mut targets = Vec::new();
        for target in found["targets"].as_array().into_iter().flatten() {
            let name = target["name"].as_str().context("a target has a name")?;
            let tried = match self.engine {
                Some(engine) if works[1]["works"] == true => self.image(engine, name, target)?,
                _ => Value::Null,
            };
            eprintln!("            {name}: {tried}");
            targets.push(json!({ "name": name, "kind": target["kind"], "tried": tried }));
        }
        Ok(json!({ "works": works, "targets": targets }))
    }

    /// Builds the image of a target, and starts it.
    fn image(&self, engine: &Engine, name: &str, target: &Value) -> Result<Value> {
        let tag = format!("drydock-survey/{name}:{}", std::process::id());
        let output = self.drydock(&["build", name, "--tag", &tag, "--format", "json"], Some(engine))?;
        if output.status.code() == Some(124) {
            return Ok(json!({ "builds": false, "says": format!("it takes longer than {} seconds", self.limit) }));
        }
        if !output.status.success() {
            let says = failed_step(&output, name).or_else(|| errors(&output).into_iter().next());
            return Ok(json!({ "builds": false, "says": says }));
        }
        let is_command = target["kind"] == "cli";
        let mut started = started(engine, &tag, target["port"].as_u64(), &[]);
        if let (Ok((false, first)), true) = (&started, is_command) {
            // Without arguments a command may have nothing to do.
            let first = first.clone();
            started = self::started(engine, &tag, None, &["--help"])
                .map(|(helps, _)| if helps { (true, format!("{first}; `--help` {ENDED}")) } else { (false, first) });
        }
        let _ = engine.docker().args(["image", "rm", "--force", &tag]).output();
        let (mut starts, says) = started?;
        starts &= is_command || !says.starts_with(ENDED);
        Ok(json!({ "builds": true, "starts": starts, "says": says }))
    }

    fn drydock(&self, arguments: &[&str], engine: Option<&Engine>) -> Result<Output> {
        let mut command = Command::new("timeout");
        command.arg("--signal=INT").arg(self.limit.to_string()).arg(self.program).args(arguments);
        command.current_dir(self.folder).env("NO_COLOR", "1").stdin(Stdio::null());
        if let Some(engine) = engine {
            engine.set_environment(&mut command);
        }
        command.output().with_context(|| format!("cannot run `{}`", host::shown(&command)))
    }
}

/// Whether a container of the image goes on running, and answers where it has a port.
fn started(engine: &Engine, image: &str, port: Option<u64>, arguments: &[&str]) -> Result<(bool, String)> {
    let name = format!("drydock-survey-{}", std::process::id());
    let mut run = engine.docker();
    run.args(["run", "--detach", "--interactive", "--name", &name]);
    if let Some(port) = port {
        run.arg("--publish").arg(format!("127.0.0.1::{port}"));
    }
    let begun = host::run_quiet(run.arg(image).args(arguments));
    let seen = begun.and_then(|_| watch(engine, &name, port));
    let _ = engine.docker().args(["rm", "--force", "--volumes", &name]).output();
    seen
}

fn watch(engine: &Engine, name: &str, port: Option<u64>) -> Result<(bool, String)> {
    let begin = Instant::now();
    let ask = |arguments: &[&str]| host::run_quiet(engine.docker().args(arguments));
    let published = match port {
        Some(port) => {
            ask(&["port", name, &port.to_string()])?.trim().rsplit(':').next().and_then(|port| port.parse().ok())
        }
        None => None,
    };
    let logs = || -> Result<Option<said::Said>> {
        let logs = engine.docker().args(["logs", "--tail", "200", name]).output()?;
        let text = [logs.stdout, logs.stderr].concat();
        Ok(said::reason(String::from_utf8_lossy(&text).lines()))
    };
    loop {
        let state = ask(&["inspect", "--format", "{{.State.Running}} {{.State.ExitCode}}", name])?;
        if !state.starts_with("true") {
            let code = state.trim().rsplit(' ').next().unwrap_or_default();
            return Ok(match logs()? {
                Some(said) if code == "0" => (true, format!("{ENDED}: {}", said.line)),
                None if code == "0" => (true, ENDED.to_owned()),
                Some(said) => (false, format!("ends with {code}: {}", said.line)),
                None => (false, format!("ends with {code}, and says nothing")),
            });
        }
        if let Some(Ok(response)) = published.map(|port| engine::http_get(port, "/")) {
            let answer = format!("answers {}", response.status);
            return Ok(match logs()? {
                Some(said) if response.status >= 500 => (false, format!("{answer}: {}", said.line)),
                _ => (response.status < 500, answer),
            });
        }
        if begin.elapsed() > READY_WITHIN {
            let says = if port.is_some() { "runs, and does not answer" } else { "runs" };
            return Ok((port.is_none(), says.to_owned()));
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// The step that a build failed in, and what it said.
fn failed_step(output: &Output, target: &str) -> Option<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ended = events.filter(|event| event["reason"] == "target-finished").find(|event| event["target"] == target)?;
    let log = ended["log_tail"].as_array()?.iter().filter_map(Value::as_str);
    let message = ended["message"].as_str().unwrap_or_default();
    let said = said::reason(log).or_else(|| said::reason(message.lines())).map(|said| with_cause(&said))?;
    let step = ended["instruction"].as_str().map(|instruction| {
        let command = instruction.rsplit_once("--mount=").map_or(instruction, |(_, rest)| rest);
        let command = command.split_once(' ').map_or(command, |(_, command)| command);
        format!("`{}`: ", command.trim().replace('`', "'"))
    });
    let package = ended["package"].as_str().map(|package| format!("`{package}`, ")).unwrap_or_default();
    Some(format!("{package}{}{said}", step.unwrap_or_default()))
}

/// A line of a build, with what it is about where that is not the repository's.
fn with_cause(said: &said::Said) -> String {
    let cause = if said.network { " (no such host is reached from where this was tried)" } else { "" };
    format!("{}{cause}", said.line)
}

/// The errors of a run, each with its code.
fn errors(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    let errors = text.lines().filter_map(|line| line.strip_prefix("error"));
    errors.map(|line| line.trim_start_matches([':', ' ']).to_owned()).collect()
}
