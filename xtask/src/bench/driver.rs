//! The driver against `docker buildx bake`: the same Dockerfile, the same files, the same daemon, in one run.
//!
//! The daemon is one of the measurement's own, so that cold builds can be cold. Both candidates are whole commands, as
//! a person runs them. The files that bake needs on disk (`drydock dockerfile --out-dir .drydock`) are written
//! beforehand and that time is not counted; the tree holds nothing that is not built, so bake needs no
//! `.dockerignore`, and gets none. Where nothing changed, drydock finds that the images are there and solves nothing;
//! with `--force` it asks the daemon as bake does. Times are taken without a stopover; what is sent is counted in runs of their own,
//! through a relay that reads along.

mod repository;
mod wire;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;

use self::repository::{Repository, Shape};
use self::wire::{Relay, Sent};
use crate::daemon::{Beside, Source, Store};
use crate::measure::{self, Candidate, Sample};
use crate::state::StateDir;
use crate::{daemon, demo, host, images};

/// What the generated packages are built on.
const BASE: &str = "node:22-bookworm-slim";
/// What our images are called; bake's have the bare name of the target.
const TAG: &str = "drydock/{target}";
/// The package that is edited.
const EDITED: usize = 17;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often each command is timed
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Files of the large context
    #[arg(long, default_value_t = 50_000)]
    files: usize,
    /// Bytes of the large context
    #[arg(long, default_value_t = 500_000_000)]
    bytes: usize,
    /// Which parts to measure; all without it
    #[arg(long, value_enum)]
    part: Vec<Part>,
    /// Whose Docker to measure on
    #[arg(long)]
    from: Option<Source>,
    /// The `cargo-drydock` to measure; without it, it is built
    #[arg(long)]
    program: Option<PathBuf>,
    /// Measure on containerd's image store instead of overlay2
    #[arg(long)]
    containerd: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Unchanged rebuilds of one and of sixty targets
    Noop,
    /// One target with the large context
    Context,
    /// Six targets that share half of fifty packages
    Shared,
}

/// The two candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Bake,
    Drydock,
}

const BOTH: [Who; 2] = [Who::Bake, Who::Drydock];

/// The daemon, and what both candidates are run with.
struct Bench {
    beside: Beside,
    program: PathBuf,
    folder: PathBuf,
    runs: usize,
    load: Cell<f64>,
    /// Whether drydock solves targets whose images are there already.
    force: Cell<bool>,
}

/// One line of the results: the times of both, and what both sent in each counted run.
struct Row {
    name: String,
    times: Option<[Sample; 2]>,
    sent: Option<[Vec<Sent>; 2]>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.runs > 0 && args.files >= 50 && args.bytes >= args.files, "there must be something to measure");
    let state = StateDir::locate()?;
    let program = match &args.program {
        Some(program) => fs::canonicalize(program)?,
        None => demo::release_program()?,
    };
    let machine = daemon::up(&state)?.engine;
    images::ensure_named(&machine, &state, &[BASE])?;
    let store = if args.containerd { Store::Containerd } else { Store::Overlay2 };
    let beside = Beside::start(&state, "bench", args.from, store)?;
    beside.copy_image(BASE, &machine)?;
    let folder = beside.join("repositories");
    let bench = Bench { beside, program, folder, runs: args.runs, load: Cell::new(load()), force: Cell::new(false) };
    let versions = bench.versions()?;
    let size = args.bytes / args.files;
    let large = Shape { packages: 50, files: args.files / 50, bytes: size, build: false, targets: 1, shared: 50 };
    let wants = |part| args.part.is_empty() || args.part.contains(&part);

    let mut rows = Vec::new();
    if wants(Part::Noop) {
        let small = Shape { packages: 6, files: 20, bytes: 2_000, build: true, targets: 1, shared: 6 };
        bench.noop("no-op, 10 stages, 1 target", small, Some(10), &mut rows)?;
        bench.noop("no-op, 60 targets", Shape { targets: 60, ..small }, None, &mut rows)?;
    }
    if wants(Part::Context) {
        bench.context(large, &mut rows)?;
    }
    if wants(Part::Shared) {
        bench.shared(Shape { targets: 6, shared: 25, ..large }, &mut rows)?;
    }
    println!("{versions}; {} runs each; highest load average {:.1}\n", args.runs, bench.load.get());
    println!("{}", report(&rows));
    Ok(())
}

impl Bench {
    fn versions(&self) -> Result<String> {
        let buildx = host::run_quiet(self.beside.docker().args(["buildx", "version"]))
            .context("the packages bring no buildx, which is what to compare with")?;
        let info = host::run_quiet(self.beside.docker().args(["info", "--format", "{{.ServerVersion}}, {{.Driver}}"]))?;
        Ok(format!("Docker {}; {}", info.trim(), buildx.trim()))
    }

    fn noop(&self, name: &str, shape: Shape, stages: Option<usize>, rows: &mut Vec<Row>) -> Result<()> {
        let repository = self.repository(name, shape, stages)?;
        self.reset()?;
        for who in BOTH {
            self.count(who, &repository)?;
        }
        self.check_same(&repository)?;
        self.warm(&repository, name, 1, |_| Ok(()), rows)?;
        self.force.set(true);
        self.warm(&repository, &format!("{name}, `--force`"), 1, |_| Ok(()), rows)?;
        self.force.set(false);
        self.clear(&repository)
    }

    fn context(&self, shape: Shape, rows: &mut Vec<Row>) -> Result<()> {
        let repository = self.repository("context", shape, None)?;
        let (files, bytes) = repository.size();
        let name = |case: &str| format!("{files} files, {} MB: {case}", bytes / 1_000_000);
        self.cold(&repository, &name("cold"), rows)?;
        // Each run edits anew: what one candidate built would be in the cache for the other.
        let edition = Cell::new(1);
        let next = || edition.replace(edition.get() + 1);
        let edit_file = |_| repository.write_file(EDITED, 1, next());
        let edit_package = |_| repository.write_package(EDITED, next());
        self.warm(&repository, &name("unchanged"), 1, |_| Ok(()), rows)?;
        self.listing(&repository)?;
        self.warm(&repository, &name("one file changed"), 1, edit_file, rows)?;
        self.warm(&repository, &name("one package of fifty changed"), 1, edit_package, rows)?;
        self.clear(&repository)
    }

    /// How long drydock says that it takes to plan an unchanged tree, its walk among it, and to list what the context holds.
    fn listing(&self, repository: &Repository) -> Result<()> {
        let mut times: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for _ in 0..self.runs {
            let mut command = self.drydock(&["--verbose", "--progress=plain"]);
            self.place(&mut command, repository, &self.beside.engine.host);
            let output = command.stdin(Stdio::null()).output()?;
            let text = String::from_utf8_lossy(&output.stderr);
            for word in ["Planned", "Listed"] {
                let time = milliseconds(&text, word).with_context(|| format!("no time of `{word}` in:\n{text}"))?;
                times.entry(word).or_default().push(time);
            }
        }
        for (word, times) in &mut times {
            times.sort_unstable();
            println!("{word} in {} ms ({} … {})", times[times.len() / 2], times[0], times[times.len() - 1]);
        }
        Ok(())
    }

    fn shared(&self, shape: Shape, rows: &mut Vec<Row>) -> Result<()> {
        let repository = self.repository("shared", shape, None)?;
        let name = |case: &str| format!("{} targets, half of 50 packages shared: {case}", shape.targets);
        self.cold(&repository, &name("cold"), rows)?;
        // What bake sends when nothing changed is another amount each time.
        self.warm(&repository, &name("unchanged"), self.runs, |_| Ok(()), rows)?;
        self.clear(&repository)
    }

    fn cold(&self, repository: &Repository, name: &str, rows: &mut Vec<Row>) -> Result<()> {
        let sent = self.count_both(repository, 1, |_| self.reset())?;
        let times = self.time(repository, name, |_| self.reset())?;
        // The last reset was for the second candidate, and met what the first had built.
        self.run(BOTH[0], repository, &self.beside.engine.host)?;
        self.check_same(repository)?;
        rows.push(Row { name: name.to_owned(), times: Some(times), sent: Some(sent) });
        Ok(())
    }

    /// After both have built: counts, then times.
    fn warm(
        &self,
        repository: &Repository,
        name: &str,
        counts: usize,
        prepare: impl Fn(Who) -> Result<()>,
        rows: &mut Vec<Row>,
    ) -> Result<()> {
        let sent = self.count_both(repository, counts, &prepare)?;
        let times = self.time(repository, name, prepare)?;
        rows.push(Row { name: name.to_owned(), times: Some(times), sent: Some(sent) });
        Ok(())
    }

    fn repository(&self, name: &str, shape: Shape, stages: Option<usize>) -> Result<Repository> {
        eprintln!("=== {name}");
        let root = self.folder.join(name.replace([' ', ','], "-"));
        let repository = Repository::generate(&root, shape)?;
        let mut write = Command::new(&self.program);
        write.args(["drydock", "dockerfile", "--out-dir", ".drydock"]).current_dir(&root);
        host::run_quiet(&mut write)?;
        fs::remove_file(root.join(".drydock/Dockerfile.dockerignore"))?;
        let text = fs::read_to_string(root.join(".drydock/Dockerfile"))?;
        let found = text.lines().filter(|line| line.starts_with("FROM ")).count();
        eprintln!("  {found} stages, {} targets", shape.targets);
        if let Some(stages) = stages {
            ensure!(found == stages, "the plan has {found} stages, not {stages}");
        }
        Ok(repository)
    }

    fn command(&self, who: Who, repository: &Repository, address: &str) -> Command {
        let mut command = match who {
            Who::Bake => {
                let mut docker = self.beside.docker();
                docker.args(["buildx", "bake", "--progress=quiet", "--file", ".drydock/docker-bake.json"]);
                docker
            }
            Who::Drydock => self.drydock(&["--progress=quiet"]),
        };
        self.place(&mut command, repository, address);
        command
    }

    fn drydock(&self, arguments: &[&str]) -> Command {
        let mut drydock = Command::new(&self.program);
        self.beside.set_environment(&mut drydock);
        drydock.args(["drydock", "build", "--tag", TAG]).args(arguments);
        drydock.args(self.force.get().then_some("--force"));
        drydock
    }

    fn place(&self, command: &mut Command, repository: &Repository, address: &str) {
        command.current_dir(&repository.root).env("DOCKER_HOST", address);
        command.env("DRYDOCK_CACHE_DIR", self.cache());
    }

    fn cache(&self) -> PathBuf {
        self.beside.join("drydock-cache")
    }

    fn run(&self, who: Who, repository: &Repository, address: &str) -> Result<()> {
        let mut command = self.command(who, repository, address);
        let output = command.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            bail!("{who:?} failed:\n{}", host::tail(&String::from_utf8_lossy(&output.stderr), 30));
        }
        Ok(())
    }

    /// One run through the relay.
    fn count(&self, who: Who, repository: &Repository) -> Result<Sent> {
        let daemon = self.beside.join("docker.sock");
        let relay = Relay::start(&self.beside.join("relay.sock"), &daemon)?;
        let result = self.run(who, repository, &relay.host());
        let sent = relay.finish();
        eprintln!("  {who:?} sent {} files, {} bytes; {} bytes in all", sent.files, sent.bytes, sent.wire);
        result.map(|()| sent)
    }

    fn count_both(
        &self,
        repository: &Repository,
        times: usize,
        prepare: impl Fn(Who) -> Result<()>,
    ) -> Result<[Vec<Sent>; 2]> {
        let mut counts = [Vec::new(), Vec::new()];
        for _ in 0..times {
            for (who, counts) in BOTH.into_iter().zip(&mut counts) {
                prepare(who)?;
                counts.push(self.count(who, repository)?);
            }
        }
        Ok(counts)
    }

    fn time(&self, repository: &Repository, name: &str, prepare: impl Fn(Who) -> Result<()>) -> Result<[Sample; 2]> {
        let prepare = &prepare;
        let candidates = BOTH.map(|who| Candidate {
            name: format!("{who:?}, {name}"),
            command: Box::new(move || self.command(who, repository, &self.beside.engine.host)),
            prepare: Box::new(move || {
                self.load.set(self.load.get().max(load()));
                prepare(who)
            }),
        });
        let samples = measure::interleaved(&candidates, self.runs)?;
        Ok(samples.try_into().expect("two candidates have two samples"))
    }

    /// Empties the daemon of everything but the base image, and our memory of what files hold.
    fn reset(&self) -> Result<()> {
        let format = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"];
        let listed = host::run_quiet(self.beside.docker().args(format))?;
        let images: Vec<&str> = listed.lines().filter(|name| *name != BASE && !name.contains("<none>")).collect();
        if !images.is_empty() {
            host::run_quiet(self.beside.docker().args(["image", "rm", "--force"]).args(images))?;
        }
        host::run_quiet(self.beside.docker().args(["image", "prune", "--force"]))?;
        host::run_quiet(self.beside.docker().args(["builder", "prune", "--all", "--force"]))?;
        if self.cache().exists() {
            fs::remove_dir_all(self.cache())?;
        }
        Ok(())
    }

    fn clear(&self, repository: &Repository) -> Result<()> {
        self.reset()?;
        Ok(fs::remove_dir_all(&repository.root)?)
    }

    /// Both must have made the same images.
    fn check_same(&self, repository: &Repository) -> Result<()> {
        for entry in fs::read_dir(repository.root.join("services"))? {
            let target = entry?.file_name().to_string_lossy().into_owned();
            let layers = |image: &str| {
                let format = "{{json .RootFS.Layers}}";
                host::run_quiet(self.beside.docker().args(["image", "inspect", "--format", format, image]))
            };
            let [theirs, ours] = [layers(&target)?, layers(&TAG.replace("{target}", &target))?];
            ensure!(theirs == ours, "the images of `{target}` differ: {} and {}", theirs.trim(), ours.trim());
        }
        Ok(())
    }
}

/// The time in the line of what drydock tells that begins with `word`: `Listed 46 files, 79.7 kB, in 3 ms; …`.
fn milliseconds(text: &str, word: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.trim_start().starts_with(word))?;
    let (_, time) = line.rsplit_once(" in ")?;
    time.split_once(" ms")?.0.parse().ok()
}

/// The load average of the last minute; 0 where the system does not say.
fn load() -> f64 {
    let text = fs::read_to_string(Path::new("/proc/loadavg")).unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn report(rows: &[Row]) -> String {
    let mut text = String::from("| | docker buildx bake | drydock build | faster |\n| --- | ---: | ---: | ---: |\n");
    for row in rows {
        let Some([theirs, ours]) = &row.times else { continue };
        let ratio = theirs.median().as_secs_f64() / ours.median().as_secs_f64();
        text.push_str(&format!("| {} | {} | {} | {ratio:.1} × |\n", row.name, range(theirs), range(ours)));
    }
    text.push_str("\n| sent: files, their content, all bytes | docker buildx bake | drydock build | content of bake's |\n| --- | ---: | ---: | ---: |\n");
    for row in rows {
        let Some([theirs, ours]) = row.sent.as_ref().map(|sent| [median(&sent[0]), median(&sent[1])]) else { continue };
        let share = match (theirs.bytes, ours.bytes) {
            (0, 0) => "both nothing".to_owned(),
            (0, _) => "bake nothing".to_owned(),
            (theirs, ours) => format!("{:.0} %", megabytes(ours) / megabytes(theirs) * 100.0),
        };
        text.push_str(&format!("| {} | {} | {} | {share} |\n", row.name, shown(theirs), shown(ours)));
    }
    text
}

fn range(sample: &Sample) -> String {
    let seconds = |time: Option<&std::time::Duration>| time.copied().map(measure::seconds).unwrap_or_default();
    let (least, most) = (seconds(sample.times.iter().min()), seconds(sample.times.iter().max()));
    format!("{} ({least} … {most})", measure::seconds(sample.median()))
}

fn median(sent: &[Sent]) -> Sent {
    let mut sorted = sent.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn shown(sent: Sent) -> String {
    format!("{}, {:.1} MB, {:.1} MB", sent.files, megabytes(sent.bytes), megabytes(sent.wire))
}

#[allow(clippy::cast_precision_loss, reason = "amounts of bytes fit a float's 53 bits")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
