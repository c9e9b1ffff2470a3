//! `drydock replay` on a real history: how long a commit takes, and whether it is right.
//!
//! The judge is not what replay itself works with. A sample of commits is checked out, each beside the commit before it, and
//! the whole command is run in both: a target is another when the text of its Dockerfile, its list of files, or any byte of
//! one of them is, those that are generated for its installs included. A target that replay tells of and that is the same
//! is a false alarm; one that is another and that replay does not tell of is missed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;
use serde_json::Value;

use crate::state::StateDir;
use crate::{demo, host};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A git repository with a workspace; it is cloned, not touched
    #[arg(long, env = "DRYDOCK_LIBRECHAT")]
    repository: PathBuf,
    /// The newest commit to look at
    #[arg(long, default_value = "HEAD")]
    until: String,
    /// How many commits to go back
    #[arg(long, default_value_t = 200)]
    last: usize,
    /// A configuration for all commits, where the repository has none
    #[arg(long)]
    config: Option<PathBuf>,
    /// How often the replay is timed
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// How many commits are judged by checkouts of them
    #[arg(long, default_value_t = 40)]
    sample: usize,
    /// The `cargo-drydock` to measure; without it, it is built
    #[arg(long)]
    program: Option<PathBuf>,
}

struct Bench<'a> {
    program: PathBuf,
    folder: PathBuf,
    config: Option<&'a Path>,
}

/// What every target of a commit is made of, as one digest each. `None` when the commit has no plan.
type State = Option<BTreeMap<String, String>>;

/// What the sample came to.
#[derive(Default)]
struct Verdict {
    targets: usize,
    affected: usize,
    false_alarms: Vec<String>,
    missed: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.runs > 0 && args.last > 0, "there must be something to measure");
    let program = match &args.program {
        Some(program) => fs::canonicalize(program)?,
        None => demo::release_program()?,
    };
    let folder = StateDir::locate()?.join("bench-replay");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let config = args.config.as_deref().map(fs::canonicalize).transpose()?;
    let bench = Bench { program, folder, config: config.as_deref() };
    let until = git(&args.repository, &["rev-parse", "--verify", &format!("{}^{{commit}}", args.until)])?;
    let (now, before) = (bench.folder.join("now"), bench.folder.join("before"));
    for clone in [&now, &before] {
        let mut command = Command::new("git");
        command.args(["clone", "--quiet", "--shared", "--no-checkout"]).arg(fs::canonicalize(&args.repository)?);
        host::run_quiet(command.arg(clone))?;
    }
    bench.checkout(&now, &until)?;

    let last = args.last.to_string();
    let mut document = Value::Null;
    let mut walls = Vec::new();
    for _ in 0..args.runs {
        let begun = Instant::now();
        let text = bench.drydock(&now, &["replay", "--last", &last, "--format", "json"])?;
        walls.push(begun.elapsed());
        document = serde_json::from_str(&text)?;
    }
    let commits = document["commits"].as_array().context("a replay has commits")?.clone();
    walls.sort();
    let wall = walls[walls.len() / 2];
    let each = wall / u32::try_from(commits.len().max(1))?;
    println!("{} commits up to {}, the median of {} runs", commits.len(), &until[..12], args.runs);
    println!("whole command {:.2} s, {:.1} ms a commit", wall.as_secs_f64(), each.as_secs_f64() * 1e3);
    println!(
        "{} commits affect an image, by what replay says; {} of them without a reason",
        document["affecting_commits"], document["unfounded_commits"]
    );

    let step = commits.len().div_ceil(args.sample.max(1)).max(1);
    let mut verdict = Verdict::default();
    let judged: Vec<&Value> = commits.iter().step_by(step).filter(|_| args.sample > 0).collect();
    for commit in &judged {
        bench.judge(commit, &now, &before, &mut verdict)?;
    }
    if !judged.is_empty() {
        println!(
            "judged {} commits by their checkouts: {} targets, {} of them another; {} false alarms, {} missed",
            judged.len(),
            verdict.targets,
            verdict.affected,
            verdict.false_alarms.len(),
            verdict.missed.len()
        );
        for (what, found) in [("false alarm", &verdict.false_alarms), ("missed", &verdict.missed)] {
            for one in found {
                println!("  {what}: {one}");
            }
        }
    }
    fs::remove_dir_all(&bench.folder)?;
    ensure!(verdict.false_alarms.is_empty() && verdict.missed.is_empty(), "replay and the checkouts do not agree");
    Ok(())
}

impl Bench<'_> {
    fn judge(&self, commit: &Value, now: &Path, before: &Path, verdict: &mut Verdict) -> Result<()> {
        let name = commit["commit"].as_str().context("a commit has a name")?;
        self.checkout(now, name)?;
        self.checkout(before, &format!("{name}^1"))?;
        let told: BTreeSet<&str> =
            commit["targets"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (Some(is), Some(was)) = (self.state(now)?, self.state(before)?) else {
            ensure!(told.is_empty(), "{name} cannot be planned, and replay tells of targets");
            return Ok(());
        };
        for (target, digest) in &is {
            verdict.targets += 1;
            let is_another = was.get(target) != Some(digest);
            verdict.affected += usize::from(is_another);
            let found = match (told.contains(target.as_str()), is_another) {
                (true, false) => &mut verdict.false_alarms,
                (false, true) => &mut verdict.missed,
                _ => continue,
            };
            found.push(format!("{target} at {name}, {}", commit["subject"].as_str().unwrap_or_default()));
        }
        Ok(())
    }

    fn checkout(&self, clone: &Path, revision: &str) -> Result<()> {
        git(clone, &["checkout", "--quiet", "--force", "--detach", revision])?;
        git(clone, &["clean", "-xdffq"])?;
        if let Some(config) = self.config {
            fs::copy(config, clone.join("drydock.toml"))?;
        }
        Ok(())
    }

    fn state(&self, root: &Path) -> Result<State> {
        let Ok(listed) = self.drydock(root, &["targets", "--format", "json"]) else { return Ok(None) };
        let listed: Value = serde_json::from_str(&listed)?;
        let mut state = BTreeMap::new();
        for target in listed["targets"].as_array().into_iter().flatten() {
            let target = target["name"].as_str().context("a target has a name")?;
            let Ok(digest) = self.digest(root, target) else { return Ok(None) };
            state.insert(target.to_owned(), digest);
        }
        Ok(Some(state))
    }

    /// Of all that a target is made of.
    fn digest(&self, root: &Path, target: &str) -> Result<String> {
        let written = root.join(".drydock");
        if written.exists() {
            fs::remove_dir_all(&written)?;
        }
        self.drydock(root, &["dockerfile", target, "--out-dir", ".drydock"])?;
        let files: Value = serde_json::from_str(&self.drydock(root, &["files", target, "--format", "json"])?)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&fs::read(written.join("Dockerfile"))?);
        for file in files["files"].as_array().context("a target has files")? {
            let path = file["path"].as_str().context("a file has a path")?;
            let content = if file["from"] == "symlink" {
                fs::read_link(root.join(path))?.to_string_lossy().into_owned().into_bytes()
            } else {
                fs::read(root.join(path))?
            };
            hasher.update(file.to_string().as_bytes()).update(blake3::hash(&content).as_bytes());
        }
        Ok(hasher.finalize().to_string())
    }

    fn drydock(&self, root: &Path, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.current_dir(root).env("DRYDOCK_CACHE_DIR", self.folder.join("cache")).arg("drydock").args(arguments);
        host::run_quiet(command.arg("--quiet"))
    }
}

fn git(repository: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    Ok(host::run_quiet(command.arg("-C").arg(repository).args(arguments))?.trim().to_owned())
}
