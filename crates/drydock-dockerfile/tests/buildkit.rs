//! BuildKit itself as the judge of what is written. Needs a daemon (`DOCKER_HOST` or the default one), a `docker` client
//! that builds with BuildKit, and the images `debian:bookworm-slim`, `node:22-bookworm-slim` and
//! `nginxinc/nginx-unprivileged:stable-bookworm`, which `cargo xtask test` brings.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hostile;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command as Process;

use drydock_dockerfile::syntax::{
    Argument, Base, Command, Copy, EnvValue, Healthcheck, Image, Instruction, Key, Line, Run, Script, ShellValue,
    Stage, StageName, Syntax, Variable,
};
use drydock_dockerfile::{ignore_file, validate, written};
use drydock_plan::{BuildPlan, ImageRef, StageKind, WorkspacePath};
use serde_json::Value;
use tempfile::TempDir;

use hostile::{hostile_names, hostile_texts};
use support::{chat, generated, path, plan, strings, tree};

/// Runs `docker` and gives what it wrote to stdout.
fn docker(arguments: &[&str], directory: &Path, environment: &[(&str, &str)]) -> String {
    let output = Process::new("docker")
        .args(arguments)
        .current_dir(directory)
        .env("DOCKER_BUILDKIT", "1")
        .env("BUILDKIT_PROGRESS", "plain")
        .envs(environment.iter().copied())
        .output()
        .expect("a docker client is on PATH");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "docker {arguments:?} failed\n{stdout}\n{stderr}");
    stdout.into_owned()
}

fn write(root: &Path, name: &str, content: impl AsRef<[u8]>) {
    let place = root.join(name);
    fs_err::create_dir_all(place.parent().unwrap()).unwrap();
    fs_err::write(place, content).unwrap();
}

/// Builds a Dockerfile in `context` and gives the image's files: path → content.
fn build_files(syntax: &Syntax, context: &Path) -> BTreeMap<String, String> {
    let out = TempDir::new().unwrap();
    write(out.path(), "Dockerfile", syntax.to_string());
    let dockerfile = out.path().join("Dockerfile");
    let files = out.path().join("files");
    let output = format!("type=local,dest={}", files.display());
    docker(&["build", "--file", dockerfile.to_str().unwrap(), "--output", &output, "."], context, &[]);
    listing(&files)
}

/// Files below `root` with their content, and empty folders with `/` at the end.
fn listing(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(directory) = open.pop() {
        let mut empty = true;
        for entry in fs_err::read_dir(&directory).unwrap() {
            empty = false;
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs_err::read_to_string(entry.path()).unwrap());
            }
        }
        if empty {
            found.insert(format!("{}/", directory.strip_prefix(root).unwrap().to_str().unwrap()), String::new());
        }
    }
    found
}

fn name(text: &str) -> StageName {
    StageName::new(text).unwrap()
}

fn line(text: &str) -> Line {
    Line::new(text).unwrap()
}

fn from_scratch(stage: &str, instructions: Vec<Instruction>) -> Stage {
    Stage { name: name(stage), base: Base::Scratch, comment: None, instructions }
}

fn copy(from: Option<&str>, sources: Vec<String>, destination: &str) -> Instruction {
    Instruction::Copy(Copy { from: from.map(name), owner: None, sources, destination: destination.to_owned() })
}

fn one_stage(stage: Stage) -> Syntax {
    Syntax { stages: vec![stage], ..Syntax::default() }
}

#[test]
fn copied_names_stand_for_themselves() {
    let names = hostile_names(150);
    let context = TempDir::new().unwrap();
    // Each name is there as a file, as a folder with a file, and beside files that it would match as a pattern.
    for (index, name) in names.iter().enumerate() {
        write(context.path(), &format!("files/{name}"), index.to_string());
        write(context.path(), &format!("folders/{name}/{name}"), index.to_string());
        write(context.path(), name, index.to_string());
    }
    let decoys = ["b", "x", "ab", "aXb", "a1", "EOF", "HOME", "other"];
    for decoy in decoys.into_iter().filter(|decoy| !names.iter().any(|name| name == decoy)) {
        write(context.path(), &format!("files/{decoy}"), "decoy");
        write(context.path(), &format!("folders/{decoy}/decoy"), "decoy");
    }
    let mut stages = Vec::new();
    let mut last = Vec::new();
    // A stage may not have too many layers.
    for (index, names) in names.chunks(40).enumerate() {
        let folders = names.iter().map(|name| copy(None, vec![format!("folders/{name}")], &format!("./{name}")));
        stages.push(from_scratch(&format!("folders-{index}"), folders.collect()));
        let renamed = names.iter().map(|name| copy(None, vec![name.clone()], &format!("renamed/{name}")));
        stages.push(from_scratch(&format!("renamed-{index}"), renamed.collect()));
        let files = names.iter().map(|name| format!("files/{name}")).collect();
        last.push(copy(None, files, "from-context/"));
        let files = names.iter().map(|name| format!("/{name}/{name}")).collect();
        last.push(copy(Some(&format!("folders-{index}")), files, "from-stage/"));
        last.push(copy(Some(&format!("renamed-{index}")), vec!["/renamed".to_owned()], "renamed"));
    }
    stages.push(from_scratch("last", last));

    let found = build_files(&Syntax { stages, ..Syntax::default() }, context.path());

    let expected = |folder: &str| {
        names
            .iter()
            .enumerate()
            .map(|(index, name)| (format!("{folder}/{name}"), index.to_string()))
            .collect::<Vec<_>>()
    };
    let expected: BTreeMap<String, String> =
        ["from-context", "from-stage", "renamed"].iter().flat_map(|folder| expected(folder)).collect();
    similar_maps(&found, &expected);
}

/// Fails with what differs, not with two long maps.
fn similar_maps(found: &BTreeMap<String, String>, expected: &BTreeMap<String, String>) {
    let missing: Vec<_> = expected.iter().filter(|(key, value)| found.get(*key) != Some(value)).collect();
    let surplus: Vec<_> = found.iter().filter(|(key, value)| expected.get(*key) != Some(value)).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:#?}\nsurplus: {surplus:#?}");
}

#[test]
fn configured_texts_stand_for_themselves() {
    let texts: Vec<String> = hostile_texts(150).into_iter().filter(|text| Line::new(text).is_ok()).collect();
    let all = hostile_texts(150);
    let pairs: Vec<(Key, Line)> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            // Every other name is as hostile as its value.
            let bare = text.replace('=', "");
            let name = if index % 2 == 0 { format!("K{index}") } else { format!("{bare}{index}") };
            (Key::new(&name).unwrap(), line(text))
        })
        .collect();
    let env = pairs.iter().map(|(key, text)| (key.clone(), EnvValue::Text(text.clone()))).collect();
    let argument = |index: usize, text: &String| Argument {
        name: Variable::new(&format!("A{index}")).unwrap(),
        default: Some(line(text)),
    };
    let mut instructions: Vec<Instruction> =
        texts.iter().enumerate().map(|(index, text)| Instruction::Arg(argument(index, text))).collect();
    let variables = (0..texts.len()).map(|index| Variable::new(&format!("A{index}")).unwrap());
    instructions.push(Instruction::Env(
        variables.map(|name| (Key::new(&format!("E{name}")).unwrap(), EnvValue::Variable(name))).collect(),
    ));
    let before = line(r#"a "b" $c:"#);
    instructions.extend([
        Instruction::Env(env),
        Instruction::Env(vec![(Key::new("BEFORE").unwrap(), EnvValue::Before(before, Variable::new("EA0").unwrap()))]),
        Instruction::Label(pairs.clone()),
        Instruction::Workdir(line(r#"/w/$HOME "q" 'q' \ # é"#)),
        Instruction::User(line(r#"us er$HOME"'\"#)),
        Instruction::Expose(8080),
        Instruction::Healthcheck(Healthcheck {
            interval: 1,
            timeout: 2,
            start_period: 3,
            retries: 4,
            command: all.clone(),
        }),
        Instruction::Entrypoint(all.clone()),
        Instruction::Cmd(all.clone()),
    ]);
    let directory = TempDir::new().unwrap();
    write(directory.path(), "Dockerfile", one_stage(from_scratch("configured", instructions)).to_string());
    let tag = format!("drydock-test-configured-{}", std::process::id());
    docker(&["build", "--tag", &tag, "."], directory.path(), &[]);
    let inspected = docker(&["image", "inspect", &tag], directory.path(), &[]);
    docker(&["image", "rm", &tag], directory.path(), &[]);

    let config = &serde_json::from_str::<Value>(&inspected).unwrap()[0]["Config"];
    let list = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let found_env: BTreeMap<String, String> = list(&config["Env"])
        .iter()
        .map(|entry| entry.split_once('=').unwrap())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .filter(|(key, _)| key != "PATH")
        .collect();
    let mut expected_env: BTreeMap<String, String> =
        pairs.iter().map(|(key, text)| (key.to_string(), text.to_string())).collect();
    expected_env.extend(texts.iter().enumerate().map(|(index, text)| (format!("EA{index}"), text.clone())));
    expected_env.insert("BEFORE".to_owned(), format!(r#"a "b" $c:{}"#, texts[0]));
    similar_maps(&found_env, &expected_env);
    let labels = config["Labels"].as_object().unwrap().iter();
    let labels = labels.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect();
    similar_maps(&labels, &pairs.iter().map(|(key, text)| (key.to_string(), text.to_string())).collect());
    assert_eq!(config["WorkingDir"], r#"/w/$HOME "q" 'q' \ # é"#);
    assert_eq!(config["User"], r#"us er$HOME"'\"#);
    assert_eq!(config["ExposedPorts"], serde_json::json!({ "8080/tcp": {} }));
    assert_eq!(list(&config["Cmd"]), all);
    assert_eq!(list(&config["Entrypoint"]), all);
    assert_eq!(list(&config["Healthcheck"]["Test"])[1..], all);
}

#[test]
fn working_directories_stand_for_themselves() {
    let names: Vec<String> = hostile_names(100).into_iter().filter(|name| !name.contains('\n')).collect();
    let mut stages = Vec::new();
    let mut last = Vec::new();
    for (index, names) in names.chunks(40).enumerate() {
        let made = names.iter().map(|name| Instruction::Workdir(line(&format!("/made/{name}"))));
        stages.push(from_scratch(&format!("made-{index}"), made.collect()));
        last.push(copy(Some(&format!("made-{index}")), vec!["/made".to_owned()], "/made"));
    }
    stages.push(from_scratch("last", last));
    let context = TempDir::new().unwrap();
    let found = build_files(&Syntax { stages, ..Syntax::default() }, context.path());
    let expected = names.iter().map(|name| (format!("made/{name}/"), String::new())).collect();
    similar_maps(&found, &expected);
}

#[test]
fn words_of_commands_stand_for_themselves() {
    let all = hostile_texts(150);
    let one_line: Vec<String> = all.iter().filter(|text| !text.contains('\n')).cloned().collect();
    let print = |words: &[String], place: &str| {
        let script = format!("printf '%s\\0' \"$@\" > {place}");
        let head = ["sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()];
        Instruction::Run(Run {
            mounts: Vec::new(),
            script: Script {
                commands: vec![Command::new(["true"]), Command::new(head.into_iter().chain(words.iter().cloned()))],
            },
        })
    };
    let environment = |names: &dyn Fn(usize) -> String, place: &str| {
        let environment = all.iter().enumerate().map(|(index, text)| (names(index), ShellValue::Text(text.clone())));
        // A shell would drop the names that it does not take.
        let words = strings(&["cp", "/proc/self/environ", place]);
        Instruction::Run(Run {
            mounts: Vec::new(),
            script: Command { environment: environment.collect(), words }.into(),
        })
    };
    let run = Stage {
        name: name("run"),
        base: Base::Image(Image::new("debian:bookworm-slim").unwrap()),
        comment: None,
        instructions: vec![
            Instruction::Workdir(line("/out")),
            print(&one_line, "/out/shell"),
            print(&all, "/out/json"),
            environment(&|index| format!("TEST_{index}"), "/out/variables"),
            environment(&|index| format!("TEST @{index}"), "/out/names"),
        ],
    };
    let last = from_scratch("last", vec![copy(Some("run"), vec!["/out".to_owned()], "/")]);
    let context = TempDir::new().unwrap();
    let found = build_files(&Syntax { stages: vec![run, last], ..Syntax::default() }, context.path());
    let words = |place: &str| -> Vec<String> { found[place].split_terminator('\0').map(str::to_owned).collect() };
    assert_eq!(words("shell"), one_line);
    assert_eq!(words("json"), all);
    let sorted = |prefix: &str| -> BTreeSet<String> {
        all.iter().enumerate().map(|(index, text)| format!("{prefix}{index}={text}")).collect()
    };
    let tests = |place: &str| words(place).into_iter().filter(|word| word.starts_with("TEST")).collect::<BTreeSet<_>>();
    assert_eq!(tests("variables"), sorted("TEST_"));
    assert_eq!(tests("names"), sorted("TEST @"));
}

/// Writes what plain Docker needs, and gives the folder.
fn write_out(plan: &BuildPlan, directory: &WorkspacePath, root: &Path) {
    validate(plan).unwrap();
    for (path, file) in written(plan, directory) {
        write(root, path.as_str(), &file.bytes);
    }
}

#[test]
fn plain_docker_sees_exactly_the_planned_context() {
    let names = hostile_names(150);
    let root = TempDir::new().unwrap();
    let mut context = vec![generated(".drydock/install/in/package.json", "{}"), tree("package.json")];
    write(root.path(), "package.json", "{}");
    for (index, name) in names.iter().enumerate() {
        for place in [format!("packages/in/{name}"), format!("packages/in/deep/{name}/{name}")] {
            write(root.path(), &place, index.to_string());
            context.push(tree(&place));
        }
        // What the plan leaves out, beside what it takes.
        write(root.path(), &format!("packages/in/left/{name}"), "left out");
        write(root.path(), &format!("packages/in/deep/{name}.left"), "left out");
    }
    write(root.path(), "packages/in/node_modules/a/index.js", "left out");
    write(root.path(), ".drydock/install/in/stale.json", "left out");
    let expected: BTreeSet<String> =
        context.iter().filter_map(|file| file.path.as_str().strip_prefix("packages/in/").map(str::to_owned)).collect();
    let plan = plan(Vec::new(), Vec::new(), context);
    let ignore = ignore_file(&plan, &path("deploy/x y"));
    write(root.path(), "deploy/x y/Dockerfile.dockerignore", ignore);
    write(root.path(), "deploy/x y/Dockerfile", "FROM scratch\nCOPY packages/in /\nCOPY . /all/\n");
    write(root.path(), "deploy/x y/install/in/package.json", "{}");
    let out = TempDir::new().unwrap();
    let output = format!("type=local,dest={}", out.path().display());
    docker(&["build", "--file", "deploy/x y/Dockerfile", "--output", &output, "."], root.path(), &[]);
    let found = listing(out.path());
    let of_package: BTreeSet<String> = found.keys().filter(|name| !name.starts_with("all/")).cloned().collect();
    let missing: Vec<_> = expected.difference(&of_package).collect();
    let surplus: Vec<_> = of_package.difference(&expected).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:?}\nsurplus: {surplus:?}");
    let rest: Vec<&String> =
        found.keys().filter(|name| name.starts_with("all/") && !name.starts_with("all/packages/")).collect();
    assert_eq!(rest, ["all/deploy/x y/install/in/package.json", "all/package.json"]);
}

#[test]
fn the_linter_finds_nothing() {
    let mut plan = chat();
    for stage in &mut plan.stages {
        // The linter asks for images, and nobody need be able to pull this one.
        if let StageKind::Image(image) = &mut stage.kind {
            *image = ImageRef::new("debian:bookworm-slim");
        }
    }
    let root = TempDir::new().unwrap();
    for file in &plan.context {
        write(root.path(), file.path.as_str(), "");
    }
    write_out(&plan, &path(".drydock"), root.path());
    for target in &plan.targets {
        let arguments = ["build", "--check", "--file", ".drydock/Dockerfile", "--target", target.name.as_str(), "."];
        let said = docker(&arguments, root.path(), &[]);
        assert!(said.contains("no warnings found"), "{said}");
    }
}

#[test]
fn bake_reads_the_bake_file() {
    let plan = chat();
    let root = TempDir::new().unwrap();
    write_out(&plan, &path("deploy ${x}"), root.path());
    write(root.path(), ".npmrc", "");
    let bake = |environment: &[(&str, &str)]| -> Value {
        let said =
            docker(&["buildx", "bake", "--print", "--file", "deploy ${x}/docker-bake.json"], root.path(), environment);
        serde_json::from_str(&said).unwrap()
    };
    let unset = bake(&[]);
    assert_eq!(unset["group"]["default"]["targets"], serde_json::json!(["api", "client", "docs"]));
    let api = &unset["target"]["api"];
    assert_eq!(api["dockerfile"], "deploy ${x}/Dockerfile");
    assert_eq!(api["target"], "api");
    assert_eq!(api["tags"], serde_json::json!(["api"]));
    assert_eq!(api.get("args"), None, "the Dockerfile's defaults hold: {api:#}");
    let set = bake(&[("BUILD_COMMIT", "abc")]);
    assert_eq!(set["target"]["api"]["args"], serde_json::json!({ "BUILD_COMMIT": "abc" }));
    assert_eq!(set["target"]["docs"].get("args"), None);
}
