//! Makes one linear story of the status streams of all solves of a run.
//!
//! Every solve tells of every vertex it needs, so a shared one is told several times, each time with the same digest.
//! BuildKit also reports a vertex as started and completed while it only computes cache keys, before it loads the
//! result from the cache or runs the step. So messages only change a state, and [`Progress::flush`], called every
//! [`TICK`], tells what the state has come to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1 as api;

use crate::event::{BuildWarning, Event, LogLine, LogStream, VertexFinished, VertexProgress, VertexStarted};
use crate::outcome::LOG_TAIL_LINES;
use crate::request::TargetName;
use crate::vertex::{StepName, VertexDigest, VertexName};

mod log;

use log::Log;

/// How often to flush.
pub(crate) const TICK: Duration = Duration::from_millis(80);

/// What is known of all vertices of a run.
#[derive(Debug)]
pub(crate) struct Progress {
    targets: Vec<TargetName>,
    vertices: BTreeMap<VertexDigest, Vertex>,
    /// Vertices that have something to tell, in the order in which they came to.
    changed: Vec<VertexDigest>,
    warnings: Vec<BuildWarning>,
    told_warnings: usize,
}

#[derive(Debug)]
struct Vertex {
    name: VertexName,
    /// How each target that needs it sees it.
    views: BTreeMap<usize, View>,
    /// When it was at work, by start: until when, if it ended. Nanoseconds since 1970.
    intervals: BTreeMap<i64, Option<i64>>,
    error: String,
    log: Log,
    parts: BTreeMap<String, Part>,
    /// What was told last.
    told: Told,
    /// Whether it stands in `changed`.
    changed: bool,
    /// Whether it was at rest at the last flush, and nothing came since.
    resting: bool,
}

#[derive(Debug, Default)]
struct View {
    completed: bool,
    cached: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Started,
    /// Finished, with as many intervals, from the cache or not.
    Finished {
        intervals: usize,
        cached: bool,
    },
}

#[derive(Debug)]
struct Part {
    progress: VertexProgress,
    told: bool,
}

impl Progress {
    /// Nothing is known yet; targets are called by their index from here on. Higher indices are stages that are solved
    /// ahead of the targets.
    pub(crate) fn new(targets: Vec<TargetName>) -> Self {
        Self { targets, vertices: BTreeMap::new(), changed: Vec::new(), warnings: Vec::new(), told_warnings: 0 }
    }

    /// Takes in what a target's solve says.
    pub(crate) fn apply(&mut self, target: usize, status: api::StatusResponse) {
        let api::StatusResponse { vertexes, statuses, logs, warnings } = status;
        for vertex in vertexes {
            self.apply_vertex(target, &vertex);
        }
        for status in statuses {
            self.apply_part(&status);
        }
        for log in logs {
            let digest = VertexDigest::from(log.vertex.as_str());
            let stream = if log.stream == 2 { LogStream::Stderr } else { LogStream::Stdout };
            if let Some(vertex) = self.vertices.get_mut(&digest)
                && vertex.log.append(stream, nanoseconds(log.timestamp.as_ref()).unwrap_or_default(), &log.msg)
            {
                self.mark(&digest);
            }
        }
        for warning in warnings {
            let warning = warning_of(warning);
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }

    fn apply_vertex(&mut self, target: usize, message: &api::Vertex) {
        let digest = VertexDigest::from(message.digest.as_str());
        let vertex = self.vertices.entry(digest.clone()).or_insert_with(|| Vertex::new(&message.name));
        let view = vertex.views.entry(target).or_default();
        let Some(started) = nanoseconds(message.started.as_ref()) else { return };
        let completed = nanoseconds(message.completed.as_ref());
        view.completed = completed.is_some();
        view.cached = message.cached;
        vertex.error.clone_from(&message.error);
        let known = vertex.intervals.insert(started, completed);
        if known != Some(completed) {
            vertex.resting = false;
            self.mark(&digest);
        }
    }

    fn apply_part(&mut self, status: &api::VertexStatus) {
        let digest = VertexDigest::from(status.vertex.as_str());
        let Some(vertex) = self.vertices.get_mut(&digest) else { return };
        let progress = VertexProgress {
            vertex: digest.clone(),
            part: if status.name.is_empty() { status.id.clone() } else { status.name.clone() },
            current: status.current.try_into().unwrap_or(0),
            total: u64::try_from(status.total).ok().filter(|total| *total > 0),
            done: status.completed.is_some(),
        };
        let part =
            vertex.parts.entry(status.id.clone()).or_insert_with(|| Part { progress: progress.clone(), told: false });
        // A target that joined later hears the beginning again.
        if part.progress != progress && !part.progress.done {
            *part = Part { progress, told: false };
        }
        if !part.told {
            self.mark(&digest);
        }
    }

    fn mark(&mut self, digest: &VertexDigest) {
        if let Some(vertex) = self.vertices.get_mut(digest)
            && !std::mem::replace(&mut vertex.changed, true)
        {
            self.changed.push(digest.clone());
        }
    }

    /// What there is to tell since the last call. A vertex that came to rest is told of at the next call, because it may
    /// only have computed its cache key, and go on; unless it belongs to the target that has just `ended`.
    pub(crate) fn flush(&mut self, ended: Option<usize>) -> Vec<Event> {
        let mut events = Vec::new();
        for digest in std::mem::take(&mut self.changed) {
            let Some(vertex) = self.vertices.get_mut(&digest) else { continue };
            vertex.changed = false;
            let last = ended.is_some_and(|target| vertex.views.contains_key(&target));
            if !vertex.tell(&digest, &self.targets, last, &mut events) {
                self.mark(&digest);
            }
        }
        events.extend(self.warnings[self.told_warnings..].iter().cloned().map(Event::Warning));
        self.told_warnings = self.warnings.len();
        events
    }

    /// The vertex whose failure made a target's solve fail, as its status stream tells it.
    pub(crate) fn failed_vertex(&self, target: usize) -> Option<VertexDigest> {
        self.vertices
            .iter()
            .filter(|(_, vertex)| vertex.views.contains_key(&target) && vertex.failed())
            .max_by_key(|(_, vertex)| vertex.ended())
            .map(|(digest, _)| digest.clone())
    }

    /// Whether a target needs a vertex.
    pub(crate) fn needs(&self, target: usize, digest: &VertexDigest) -> bool {
        self.vertices.get(digest).is_some_and(|vertex| vertex.views.contains_key(&target))
    }

    /// The step that a vertex is.
    pub(crate) fn step(&self, digest: &VertexDigest) -> Option<&StepName> {
        self.vertices.get(digest)?.name.step()
    }

    /// The last lines that a vertex wrote.
    pub(crate) fn log_tail(&self, digest: &VertexDigest) -> Vec<String> {
        self.vertices.get(digest).map(|vertex| vertex.log.tail()).unwrap_or_default()
    }

    /// How many of a target's steps came from the cache, and how many ran. `FROM` is no step here: whether a base image
    /// had to be unpacked says nothing of what was rebuilt. What ran ahead of the targets ran for each of them.
    pub(crate) fn steps(&self, target: usize) -> (u32, u32) {
        let mut counts = (0, 0);
        for vertex in self.vertices.values() {
            let Some(view) = vertex.views.get(&target).filter(|view| view.completed) else { continue };
            if vertex.name.step().is_none_or(|step| step.instruction.starts_with("FROM ")) {
                continue;
            }
            let ahead = vertex.views.range(self.targets.len()..).any(|(_, view)| view.completed && !view.cached);
            let count = if view.cached && !ahead { &mut counts.0 } else { &mut counts.1 };
            *count += 1;
        }
        counts
    }
}

impl Vertex {
    fn new(name: &str) -> Self {
        Self {
            name: VertexName::parse(name),
            views: BTreeMap::new(),
            intervals: BTreeMap::new(),
            error: String::new(),
            log: Log::new(LOG_TAIL_LINES),
            parts: BTreeMap::new(),
            told: Told::Nothing,
            changed: false,
            resting: false,
        }
    }

    fn failed(&self) -> bool {
        !self.error.is_empty() && !is_cancellation(&self.error)
    }

    /// Whether no interval is open.
    fn at_rest(&self) -> bool {
        !self.intervals.is_empty() && self.intervals.values().all(Option::is_some)
    }

    /// Whether every target that is through with it had it from the cache.
    fn cached(&self) -> bool {
        self.views.values().filter(|view| view.completed).all(|view| view.cached)
    }

    fn ended(&self) -> Option<i64> {
        self.intervals.values().flatten().copied().max()
    }

    /// The time covered by the intervals.
    fn duration(&self) -> Duration {
        let mut total = 0;
        let mut reached = i64::MIN;
        for (start, end) in &self.intervals {
            let Some(end) = *end else { continue };
            total += (end - (*start).max(reached)).max(0);
            reached = reached.max(end);
        }
        Duration::from_nanos(total.unsigned_abs())
    }

    /// Adds what is new. False when it should be asked again at the next flush.
    fn tell(&mut self, digest: &VertexDigest, targets: &[TargetName], last: bool, events: &mut Vec<Event>) -> bool {
        let at_rest = self.at_rest();
        let cached = self.cached();
        if self.intervals.is_empty() || self.is_told(at_rest, cached) {
            return true;
        }
        if at_rest && !cached && self.error.is_empty() && !last && !self.resting {
            self.resting = true;
            return false;
        }
        self.resting = false;
        let targets: Vec<_> = self.views.keys().filter_map(|index| targets.get(*index).cloned()).collect();
        if self.told != Told::Started {
            let started = VertexStarted {
                vertex: digest.clone(),
                name: self.name.clone(),
                targets: targets.clone(),
                at: self.intervals.last_key_value().map_or(UNIX_EPOCH, |(start, _)| time(*start)),
            };
            events.push(Event::VertexStarted(started));
            self.told = Told::Started;
        }
        for (stream, text) in self.log.take(at_rest) {
            events.push(Event::Log(LogLine { vertex: digest.clone(), stream, text }));
        }
        for part in self.parts.values_mut().filter(|part| !part.told) {
            part.told = true;
            events.push(Event::VertexProgress(part.progress.clone()));
        }
        if at_rest {
            self.told = Told::Finished { intervals: self.intervals.len(), cached };
            events.push(Event::VertexFinished(VertexFinished {
                vertex: digest.clone(),
                name: self.name.clone(),
                targets,
                cached,
                duration: self.duration(),
                at: self.ended().map_or(UNIX_EPOCH, time),
                error: (!self.error.is_empty()).then(|| self.error.clone()),
            }));
        }
        true
    }

    /// Whether it was told to have finished, and nothing changed since but that further targets had it from the cache.
    fn is_told(&self, at_rest: bool, cached: bool) -> bool {
        let Told::Finished { intervals, cached: told } = self.told else { return false };
        let found_later = told == cached && self.views.values().any(|view| view.completed && view.cached);
        at_rest && (intervals == self.intervals.len() || found_later)
    }
}

/// Whether a message is about work that was stopped, not work that failed.
pub(crate) fn is_cancellation(message: &str) -> bool {
    ["context canceled", "context cancelled", "Canceled"].iter().any(|words| message.contains(words))
}

fn warning_of(warning: api::VertexWarning) -> BuildWarning {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let lines: BTreeSet<(u32, u32)> = warning.ranges.iter().filter_map(lines_of).collect();
    BuildWarning {
        vertex: (!warning.vertex.is_empty()).then(|| warning.vertex.as_str().into()),
        message: text(warning.short),
        detail: warning.detail.into_iter().map(text).collect(),
        url: (!warning.url.is_empty()).then_some(warning.url),
        dockerfile_lines: lines.into_iter().map(|(start, end)| start..=end).collect(),
    }
}

fn lines_of(range: &bollard_buildkit_proto::pb::Range) -> Option<(u32, u32)> {
    let line = |position: Option<&bollard_buildkit_proto::pb::Position>| u32::try_from(position?.line).ok();
    let start = line(range.start.as_ref())?;
    Some((start, line(range.end.as_ref()).unwrap_or(start).max(start)))
}

fn nanoseconds(timestamp: Option<&Timestamp>) -> Option<i64> {
    let Timestamp { seconds, nanos } = timestamp?;
    seconds.checked_mul(1_000_000_000)?.checked_add((*nanos).into())
}

fn time(nanoseconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanoseconds.max(0).unsigned_abs())
}

#[cfg(test)]
mod tests;
