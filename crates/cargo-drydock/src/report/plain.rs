//! Lines, for logs: every step when it begins to write or ends, with all that it wrote. On GitHub each step is a group.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use drydock_build::{Event, VertexDigest, VertexName};

use super::board::is_cancellation;
use super::{Reporter, units};
use crate::shell::{FAINT, Shell, WRONG};

/// A step that is silent for so long is said to run.
const SILENCE: Duration = Duration::from_millis(300);
/// What is waited for so long is said.
const WAITING: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Plain {
    groups: bool,
    /// Whether what package managers say of every download is shown too.
    all: bool,
    running: BTreeMap<VertexDigest, Running>,
    /// What goes on beside the steps, and since when; nothing once it was said.
    awaited: Option<(&'static str, String, Instant)>,
}

struct Running {
    name: String,
    is_step: bool,
    since: Instant,
    /// Whether the line that says it runs is written.
    said: bool,
    /// What it wrote, where it is kept for a group.
    log: Vec<String>,
}

/// Whether this is a job of GitHub Actions.
pub(super) fn in_github_actions() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

impl Plain {
    pub(super) fn new(groups: bool, all: bool) -> Self {
        Self { groups, all, running: BTreeMap::new(), awaited: None }
    }

    fn log(&mut self, vertex: &VertexDigest, text: &str, shell: &mut Shell) {
        let groups = self.groups;
        let Some(running) = self.running.get_mut(vertex) else { return };
        if groups {
            running.log.push(text.to_owned());
        } else {
            running.say(shell);
            shell.say(&format!("{FAINT}{} |{FAINT:#} {text}", place(&running.name)));
        }
    }
}

/// Whether a line tells of one download that went well: there are hundreds in an install, and none is worth reading.
pub(super) fn is_chatter(line: &str) -> bool {
    ["npm http fetch GET 200 ", "npm http fetch GET 304 ", "npm http cache "]
        .iter()
        .any(|start| line.starts_with(start))
}

impl Running {
    fn say(&mut self, shell: &mut Shell) {
        if !std::mem::replace(&mut self.said, true) {
            shell.say(&self.name);
        }
    }
}

/// `[build-client 4/5]` of `[build-client 4/5] RUN npm run build`.
fn place(name: &str) -> &str {
    match name.find(']') {
        Some(end) if name.starts_with('[') => &name[..=end],
        _ => name,
    }
}

impl Reporter for Plain {
    fn begins(&mut self, verb: &'static str, what: &str, _shell: &mut Shell) {
        self.awaited = Some((verb, what.to_owned(), Instant::now()));
    }

    fn event(&mut self, event: &Event, shell: &mut Shell) {
        if matches!(event, Event::VertexStarted(_) | Event::Pushed(_)) {
            self.awaited = None;
        }
        match event {
            Event::ContextReady(summary) => shell
                .status("Context", format!("{}, {}", units::count(summary.files, "file"), units::bytes(summary.bytes))),
            Event::VertexStarted(started) => {
                let running = Running {
                    name: started.name.to_string(),
                    is_step: matches!(started.name, VertexName::Step(_)),
                    since: Instant::now(),
                    said: false,
                    log: Vec::new(),
                };
                self.running.entry(started.vertex.clone()).or_insert(running);
            }
            Event::Log(line) if line.text.trim().is_empty() || (!self.all && is_chatter(&line.text)) => {}
            Event::Log(line) => self.log(&line.vertex, &line.text, shell),
            Event::VertexFinished(finished) => {
                let Some(running) = self.running.remove(&finished.vertex) else { return };
                let time = units::duration(finished.duration);
                let name = &running.name;
                // Only of a step the place says which it is.
                let short = if running.is_step { place(name) } else { name };
                if finished.error.as_deref().is_some_and(is_cancellation) {
                    shell.say(&format!("{short} {FAINT}STOPPED {time}{FAINT:#}"));
                } else if let Some(error) = &finished.error {
                    open_group(&running, &format!("{name} failed after {time}"), shell);
                    if !self.groups {
                        shell.say(&format!("{short} {WRONG}FAILED{WRONG:#} {time} {error}"));
                    }
                } else if finished.cached {
                    shell.say(&format!("{name} {FAINT}CACHED{FAINT:#}"));
                } else if running.log.is_empty() {
                    // What was never said needs one line only; what was said needs its end.
                    let subject = if running.said { short } else { name };
                    if running.is_step || running.said || name.starts_with("importing cache") {
                        shell.say(&format!("{subject} {FAINT}DONE {time}{FAINT:#}"));
                    }
                } else {
                    open_group(&running, &format!("{name} ({time})"), shell);
                }
            }
            Event::Pushed(pushed) => shell.status("Pushed", &pushed.reference),
            // Too fine for a log, or told at the end.
            _ => {}
        }
    }

    fn tick(&mut self, shell: &mut Shell) {
        if let Some((verb, what, _)) = self.awaited.take_if(|(_, _, since)| since.elapsed() >= WAITING) {
            shell.status(verb, what);
        }
        if self.groups {
            return;
        }
        for running in self.running.values_mut() {
            if running.since.elapsed() >= if running.is_step { SILENCE } else { WAITING } {
                running.say(shell);
            }
        }
    }

    fn finish(&mut self, _shell: &mut Shell) {}
}

/// Writes a step with its log as a group that GitHub folds.
fn open_group(running: &Running, title: &str, shell: &mut Shell) {
    if running.log.is_empty() {
        return;
    }
    shell.say(&format!("::group::{title}"));
    for line in &running.log {
        // A step must not be able to speak to the runner.
        shell.say(&line.replacen("::", ": :", usize::from(line.trim_start().starts_with("::"))));
    }
    shell.say("::endgroup::");
}
