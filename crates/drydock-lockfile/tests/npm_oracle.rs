//! npm itself is the judge: what its resolver loads from the sealed files is exactly what it would install of the
//! whole lockfile for the same packages.
//!
//! Without settings a sample of the corpus is judged by the npm on the PATH. With `DRYDOCK_ORACLE=all` every package of
//! every repository is judged, by the newest npm 10 and npm 11; `DRYDOCK_ORACLE_REPOSITORIES` names a folder with
//! further ones. `cargo xtask oracle` sets both.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail and speak")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use drydock_lockfile::{ClosureKind, InstallGraph, PruneInput, Selection, Shape, WorkspacePath};
use serde_json::{Value, json};
use support::npm::{npm_cache, npms, write, write_whole};
use support::{Workspace, corpus_workspaces, further_workspaces, path};

/// One closure to be judged.
struct Case {
    repository: String,
    name: String,
    keep: BTreeSet<String>,
    sealed: PathBuf,
    whole: PathBuf,
    omit_dev: bool,
    tops: BTreeSet<String>,
    /// Where the lockfile contradicts a kept manifest: npm 10 and npm 11 resolve that differently.
    contradictions: Vec<String>,
}

/// What became of a repository's closures with one npm.
#[derive(Default)]
struct Tally {
    tried: usize,
    identical: usize,
    /// Differ where the lockfile contradicts itself.
    explained: usize,
    differ: usize,
    /// Not pruned: the whole lockfile is used, and a warning says why.
    fallbacks: usize,
    /// This npm refuses the whole lockfile, so there is nothing to compare with: the closure is an error too, or what
    /// npm says of the sealed files it says of the whole as well.
    refused: usize,
}

/// By repository and version of npm.
type Tallies = BTreeMap<(String, String), Tally>;

#[test]
fn npm_loads_from_sealed_files_what_it_would_install() {
    let all = support::npm::all();
    let scratch = tempfile::tempdir().unwrap();
    let mut cases = Vec::new();
    let mut fallbacks: BTreeMap<String, usize> = BTreeMap::new();
    let mut refusals: Vec<Refusal> = Vec::new();
    for (repository, folder) in corpus_workspaces().into_iter().chain(further_workspaces()) {
        let workspace = Workspace::load(&folder);
        let members: Vec<WorkspacePath> = workspace.members.keys().cloned().collect();
        // The sample: the smallest repository whole, of the others the first member.
        let sample = if all || repository == "mcp-servers" { members.len() } else { 1 };
        for member in members.iter().take(sample) {
            for kind in [ClosureKind::Build, ClosureKind::Production] {
                let selection = Selection { kind, ..Selection::build(vec![member.clone()]) };
                let name = format!("{repository}/{member} {kind:?}");
                let prepare =
                    |input: PruneInput<'_>| prepare(&repository, name, input, &selection, scratch.path(), cases.len());
                match workspace.with(prepare) {
                    Ok(Some(case)) => cases.push(case),
                    Ok(None) => *fallbacks.entry(repository.clone()).or_default() += 1,
                    Err(refused) => {
                        let whole = scratch.path().join(&repository);
                        workspace.with(|input| write_repository(input, &whole));
                        refusals.push(Refusal { repository: repository.clone(), refused, whole });
                    }
                }
            }
        }
    }
    let mut failures = Vec::new();
    let mut tallies = Tallies::new();
    for npm in npms() {
        let version = version(&npm);
        for (repository, count) in &fallbacks {
            let tally = tallies.entry((repository.clone(), version.clone())).or_default();
            tally.tried += count;
            tally.fallbacks += count;
        }
        failures.extend(judge_refusals(&npm, &version, &refusals, &mut tallies));
        failures.extend(judge_all(&npm, &version, &cases, &mut tallies));
    }
    println!("{}", table(&tallies));
    assert!(failures.is_empty(), "{} closures differ:\n  {}", failures.len(), failures.join("\n  "));
}

/// A closure that is an error.
struct Refusal {
    repository: String,
    /// Which, and why.
    refused: String,
    /// The folder with the whole lockfile and all manifests.
    whole: PathBuf,
}

/// npm must refuse the whole lockfile where a closure of it is an error.
fn judge_refusals(npm: &Path, version: &str, refusals: &[Refusal], tallies: &mut Tallies) -> Vec<String> {
    let mut failures = Vec::new();
    let mut verdicts: BTreeMap<&Path, Value> = BTreeMap::new();
    for Refusal { repository, refused, whole } in refusals {
        let verdict = verdicts.entry(whole).or_insert_with(|| {
            let case =
                json!({ "name": repository, "directory": whole, "offline": false, "omitDev": false, "tops": [""] });
            ask(npm, vec![case]).remove(0)
        });
        let tally = tallies.entry((repository.clone(), version.to_owned())).or_default();
        tally.tried += 1;
        if let Some(reason) = problems(verdict).first() {
            tally.refused += 1;
            println!("npm {version}: {refused}; npm says of the whole lockfile: {reason}");
        } else {
            tally.differ += 1;
            failures.push(format!("npm {version} takes the whole lockfile, but {refused}"));
        }
    }
    failures
}

/// The whole lockfile and all manifests of a repository.
fn write_repository(input: PruneInput<'_>, directory: &Path) {
    write(&directory.join("package-lock.json"), input.lockfile.text().as_bytes());
    if let Some(npmrc) = input.npmrc {
        write(&directory.join(".npmrc"), npmrc.as_bytes());
    }
    for manifest in std::iter::once(input.root).chain(input.members.values().copied()) {
        write(&directory.join(manifest.path().as_str()), manifest.text().as_bytes());
    }
}

fn version(npm: &Path) -> String {
    let manifest = fs_err::read_to_string(npm.join("package.json")).unwrap();
    serde_json::from_str::<Value>(&manifest).unwrap()["version"].as_str().unwrap().to_owned()
}

fn table(tallies: &Tallies) -> String {
    let mut text = String::from(
        "\n| repository | npm | closures | identical | lockfile contradicts itself | whole lockfile used | npm refuses the whole | \
         differ |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let mut sum = Tally::default();
    let mut row = |repository: &str, npm: &str, tally: &Tally| {
        let Tally { tried, identical, explained, differ, fallbacks, refused } = tally;
        writeln!(
            text,
            "| {repository} | {npm} | {tried} | {identical} | {explained} | {fallbacks} | {refused} | {differ} |"
        )
        .unwrap();
    };
    for ((repository, npm), tally) in tallies {
        row(repository, npm, tally);
        sum.tried += tally.tried;
        sum.identical += tally.identical;
        sum.explained += tally.explained;
        sum.differ += tally.differ;
        sum.fallbacks += tally.fallbacks;
        sum.refused += tally.refused;
    }
    row("all", "", &sum);
    text
}

/// Counts how many closures are the same, and returns what differs without a reason.
fn judge_all(npm: &Path, version: &str, cases: &[Case], tallies: &mut Tallies) -> Vec<String> {
    let request = |case: &Case, directory: &Path, offline: bool| {
        json!({
            "name": case.name, "directory": directory, "offline": offline,
            "omitDev": case.omit_dev && !offline, "tops": case.tops,
        })
    };
    let sealed = ask(npm, cases.iter().map(|case| request(case, &case.sealed, true)).collect());
    let whole = ask(npm, cases.iter().map(|case| request(case, &case.whole, false)).collect());
    let mut failures = Vec::new();
    let mut with_optional_peers = 0;
    for ((case, sealed), whole) in cases.iter().zip(&sealed).zip(&whole) {
        let differences = differences(case, sealed, whole);
        with_optional_peers +=
            usize::from(whole["superfluous"].as_array().is_some_and(|left_out| !left_out.is_empty()));
        let tally = tallies.entry((case.repository.clone(), version.to_owned())).or_default();
        tally.tried += 1;
        let refused = problems(whole);
        if differences.is_empty() {
            tally.identical += 1;
        } else if !refused.is_empty() && problems(sealed).is_subset(&refused) {
            tally.refused += 1;
            let reasons: Vec<&str> = refused.into_iter().collect();
            println!("npm {version}: {}: npm refuses the whole lockfile: {}", case.name, reasons.join("; "));
        } else if !case.contradictions.is_empty() {
            tally.explained += 1;
            println!(
                "npm {version}: {} differs where the lockfile contradicts itself: {}",
                case.name,
                case.contradictions.join("; ")
            );
        } else {
            tally.differ += 1;
            failures.push(format!(
                "npm {version}, {}: {} differences\n    {}",
                case.name,
                differences.len(),
                differences.iter().take(12).cloned().collect::<Vec<_>>().join("\n    ")
            ));
        }
    }
    println!("npm {version}: {with_optional_peers} identical after leaving out what only optional peers account for");
    failures
}

/// What npm makes of the sealed files that it does not make of the whole lockfile, or the other way round.
fn differences(case: &Case, sealed: &Value, whole: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    for (side, verdict) in [("sealed", sealed), ("whole", whole)] {
        differences.extend(problems(verdict).into_iter().map(|problem| format!("{side}: {problem}")));
    }
    let empty = serde_json::Map::new();
    let (loaded, expected) =
        (sealed["nodes"].as_object().unwrap_or(&empty), whole["nodes"].as_object().unwrap_or(&empty));
    let locations: BTreeSet<&str> = loaded.keys().map(String::as_str).collect();
    let kept: BTreeSet<&str> = case.keep.iter().map(String::as_str).collect();
    differences.extend(kept.symmetric_difference(&locations).map(|at| format!("sealed files and closure: {at}")));
    let installed: BTreeSet<&str> = expected.keys().map(String::as_str).collect();
    for at in installed.symmetric_difference(&locations) {
        let side = if installed.contains(at) { "whole" } else { "sealed" };
        differences.push(format!("only {side}: {at}"));
    }
    for (at, node) in loaded {
        let Some(other) = expected.get(at) else { continue };
        differences.extend(differs(at, node, other));
    }
    differences
}

/// What differs between the loaded and the expected package at a location.
fn differs(at: &str, loaded: &Value, expected: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for key in ["version", "name", "resolved", "integrity", "bin", "script", "inert"] {
        if loaded[key] != expected[key] {
            found.push(format!("{at}: {key} {} instead of {}", loaded[key], expected[key]));
        }
    }
    let (Some(loaded), Some(expected)) = (loaded["edges"].as_object(), expected["edges"].as_object()) else {
        return found;
    };
    for (name, to) in loaded {
        if expected.get(name) != Some(to) {
            found.push(format!("{at}: {name} leads to {to} instead of {:?}", expected.get(name)));
        }
    }
    found
}

/// Why npm would install nothing.
fn problems(verdict: &Value) -> BTreeSet<&str> {
    verdict["error"].as_str().into_iter().chain(texts(&verdict["errors"])).collect()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Writes the two sides of a case; `None`, after saying why, when the closure falls back to the whole lockfile. An error
/// is said with the closure it is about.
fn prepare(
    repository: &str,
    name: String,
    input: PruneInput<'_>,
    selection: &Selection,
    scratch: &Path,
    number: usize,
) -> Result<Option<Case>, String> {
    let graph = InstallGraph::new(input).unwrap();
    let install = graph.prune(selection).map_err(|error| format!("{name} is refused: {error}"))?;
    if install.shape != Shape::Sealed {
        let reasons: Vec<&str> = install.warnings.iter().map(|warning| warning.message.as_str()).collect();
        println!("{name}: the whole lockfile is used: {}", reasons.join("; "));
        return Ok(None);
    }
    let sealed = scratch.join(format!("{number}/sealed"));
    for (path, file) in &install.files {
        write(&sealed.join(path.as_str()), &file.bytes);
    }
    // Production is decided on the tree with development dependencies: their members are on disk too.
    let survey = Selection::build(install.members.iter().cloned().collect());
    let on_disk = graph.closure(&survey).unwrap().members().clone();
    let whole = scratch.join(format!("{number}/whole"));
    write_whole(input, &install, &on_disk, &whole);
    let mut tops: BTreeSet<String> = install.members.iter().map(|member| member.as_str().to_owned()).collect();
    tops.insert(String::new());
    let omit_dev = selection.kind == ClosureKind::Production;
    let contradictions = graph.check_sync().unwrap_or_default().into_iter().filter(|warning| {
        let member = warning.snippets[0].path.strip_suffix("/package.json").map(path);
        member.is_none_or(|member| install.members.contains(&member))
    });
    let contradictions = contradictions.map(|warning| warning.message).collect();
    let repository = repository.to_owned();
    Ok(Some(Case { repository, name, keep: install.entries, sealed, whole, omit_dev, tops, contradictions }))
}

fn ask(npm: &Path, cases: Vec<Value>) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/judge.cjs");
    let mut child = Command::new("node")
        .arg(script)
        .arg(npm)
        .env("DRYDOCK_NPM_CACHE", npm_cache())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    let mut stdin = child.stdin.take().unwrap();
    let text = Value::from(cases).to_string();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "the judge failed: {}", output.status);
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
