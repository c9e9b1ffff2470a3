//! Runs of the binary, and what a build told.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use drydock_test::Fixture;
use serde_json::Value;

use crate::docker::Images;

/// A word that no other test, run or machine has used: inputs with it in them are in no cache yet.
pub(crate) fn nonce() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set").as_micros();
    format!("t{time}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// `drydock` with `arguments` in the fixture's root, with an environment in which only the arguments and the daemon
/// matter.
pub(crate) fn drydock(fixture: &Fixture, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drydock"));
    command.args(arguments).current_dir(fixture.root());
    for name in [
        "DRYDOCK_JOBS",
        "BUILDKIT_PROGRESS",
        "GITHUB_ACTIONS",
        "SOURCE_DATE_EPOCH",
        "CARGO_TERM_COLOR",
        "RUST_BACKTRACE",
        "COLUMNS",
    ] {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1");
    command
}

/// Runs `drydock`, which must end with `code`, and gives what it wrote.
pub(crate) fn run(fixture: &Fixture, arguments: &[&str], code: i32) -> Said {
    Said::of(&drydock(fixture, arguments).output().expect("the binary runs"), arguments, code)
}

/// What a run wrote.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// Panics when the exit code is not `code`.
    pub(crate) fn of(output: &Output, arguments: &[&str], code: i32) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
        let said = Self { stdout: text(&output.stdout), stderr: text(&output.stderr) };
        assert_eq!(
            output.status.code(),
            Some(code),
            "drydock {arguments:?}\n--- stdout\n{}\n--- stderr\n{}",
            said.stdout,
            said.stderr
        );
        said
    }
}

/// A run of `drydock build --format json`, as its lines tell it.
#[derive(Debug)]
pub(crate) struct Build {
    /// Every line of the stream.
    lines: Vec<Value>,
    /// How many runs it took; more than one when npm stumbled over a file that it was still writing.
    pub(crate) runs: usize,
    /// Removed with this value.
    pub(crate) images: Images,
}

impl Build {
    /// Builds `targets` (all when empty), which must work. The images get tags that nobody else has.
    pub(crate) fn of(fixture: &Fixture, targets: &[&str]) -> Self {
        Self::with(fixture, targets, &[], 0)
    }

    /// Builds with further arguments; the run must end with `code`.
    pub(crate) fn with(fixture: &Fixture, targets: &[&str], more: &[&str], code: i32) -> Self {
        let template = format!("drydock-test/{{target}}:{}", nonce());
        // BuildKit is asked, whether or not the image is there already.
        let mut arguments = vec!["build", "--format", "json", "--force", "--tag", &template];
        arguments.extend(more);
        arguments.extend(targets);
        let mut runs = 1;
        let mut output = drydock(fixture, &arguments).output().expect("the binary runs");
        while code == 0 && runs < 3 && npm_was_busy(&output) {
            runs += 1;
            output = drydock(fixture, &arguments).output().expect("the binary runs");
        }
        let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect();
        let tags = lines
            .iter()
            .filter(|line| line["reason"] == "target-finished" && line["result"] == "built")
            .map(|line| (text(&line["target"]), text(&line["tags"][0])));
        // Made before the exit code is judged: images of a run that should have failed are removed too.
        let images = Images::new(tags.collect());
        Said::of(&output, &arguments, code);
        Self { lines, runs, images }
    }

    /// The lines of a kind.
    pub(crate) fn lines(&self, reason: &str) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(move |line| line["reason"] == reason)
    }

    /// The places in the stream of the lines of a kind that `is` holds for.
    pub(crate) fn places(&self, reason: &str, is: impl Fn(&Value) -> bool) -> Vec<usize> {
        let places = self.lines.iter().enumerate().filter(|(_, line)| line["reason"] == reason && is(line));
        places.map(|(place, _)| place).collect()
    }

    /// The last line.
    pub(crate) fn summary(&self) -> &Value {
        self.lines("build-finished").next().expect("a build tells its end")
    }

    /// The reference of a target's image.
    pub(crate) fn image(&self, target: &str) -> &str {
        self.images.of(target)
    }

    /// The stages in which BuildKit ran a `RUN` step, by its word on whether a step came from its cache. That a step
    /// ran also shows in what it wrote: when the two disagree, this panics. The base that services share is left out: it
    /// holds nothing of a workspace, so it is one step in all builds at once. Whether it was there already depends on
    /// what else was built, and while builds overlap, BuildKit repeats to each what the first one's step wrote.
    pub(crate) fn stages_run(&self) -> BTreeSet<String> {
        // A step that is opened again ends again; its last end counts.
        let mut cached = BTreeMap::new();
        for line in self.lines("step-finished").filter(|line| is_own_run(line)) {
            cached.insert((text(&line["stage"]), line["step"].as_u64()), line["cached"] == true);
        }
        let ran: BTreeSet<String> =
            cached.into_iter().filter(|(_, cached)| !cached).map(|((stage, _), _)| stage).collect();
        let wrote: BTreeSet<String> =
            self.lines("log").filter(|line| is_own_run(line)).map(|line| text(&line["stage"])).collect();
        assert_eq!(ran, wrote, "which stages ran, by BuildKit's flags and by what steps wrote");
        ran
    }
}

/// On a busy machine, npm now and then starts the install script of a package while the program that the script runs is
/// still open for writing. That is between npm, Node and the kernel (see the many reports of `ETXTBSY` of esbuild's
/// `install.js`), and says nothing about a plan.
fn npm_was_busy(output: &Output) -> bool {
    !output.status.success() && String::from_utf8_lossy(&output.stdout).contains("ETXTBSY")
}

/// Tells a `RUN` step that holds something of a workspace.
fn is_own_run(line: &Value) -> bool {
    line["stage"] != "runtime-base"
        && line["instruction"].as_str().is_some_and(|instruction| instruction.starts_with("RUN "))
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
