//! A build as JSON lines: one object a line, each with a `reason`.

use drydock_build::{Event, LogStream, StepFailure, StepName, TargetName, TargetResult, VertexDigest, VertexName};
use serde::Serialize;
use std::collections::BTreeMap;

use super::failure::FailureContext;
use super::{BuiltState, Ending, Explained, Reporter, RowSpec};
use crate::shell::Shell;

/// The version of the stream. It changes when something that is there changes its meaning or goes away.
const VERSION: u32 = 1;

/// Writes events to stdout.
pub(crate) struct JsonStream {
    steps: BTreeMap<VertexDigest, StepName>,
}

/// One line of the stream.
#[derive(Debug, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub(crate) enum Stream<'a> {
    /// The first line.
    BuildStarted { version: u32, targets: Vec<&'a str>, stages: Vec<StageLine<'a>> },
    /// The context is listed.
    ContextReady { files: u64, bytes: u64 },
    /// A target's solve has begun.
    TargetStarted { target: &'a str },
    /// A step began, or was found in the cache.
    StepStarted {
        #[serde(flatten)]
        step: StepLine<'a>,
        targets: Vec<&'a str>,
    },
    /// A step has ended; a step that BuildKit opens again ends again.
    StepFinished {
        #[serde(flatten)]
        step: StepLine<'a>,
        targets: Vec<&'a str>,
        cached: bool,
        seconds: f64,
        error: Option<&'a str>,
    },
    /// A step wrote a line.
    Log {
        #[serde(flatten)]
        step: StepLine<'a>,
        stream: &'static str,
        text: &'a str,
    },
    /// BuildKit's opinion on the Dockerfile.
    BuilderWarning { message: &'a str, detail: &'a [String], url: Option<&'a str> },
    /// A registry has an image.
    Pushed { tag: &'a str, digest: Option<&'a str> },
    /// What became of a target.
    TargetFinished {
        target: &'a str,
        #[serde(flatten)]
        result: ResultLine<'a>,
        seconds: f64,
        /// Why it was to be built.
        why: &'a [String],
    },
    /// What was foretold of a stage, and what came of it.
    StageExplained {
        #[serde(flatten)]
        explained: &'a Explained,
    },
    /// The last line.
    BuildFinished {
        success: bool,
        seconds: f64,
        critical_path: Vec<LinkLine<'a>>,
        context_files: u64,
        context_bytes: u64,
        sent_files: u64,
        sent_bytes: u64,
    },
}

#[derive(Debug, Serialize)]
pub(crate) struct StageLine<'a> {
    stage: &'a str,
    kind: &'static str,
    label: &'a str,
}

/// A stage of the chain that the build waited for.
#[derive(Debug, Serialize)]
pub(crate) struct LinkLine<'a> {
    stage: &'a str,
    seconds: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct StepLine<'a> {
    stage: Option<&'a str>,
    step: u32,
    steps: u32,
    instruction: &'a str,
}

/// What became of a target.
#[derive(Debug, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub(crate) enum ResultLine<'a> {
    /// The image is there.
    Built {
        /// `built`, or `fresh` and `retagged` for an image that was there.
        state: &'static str,
        tags: &'a [String],
        image_id: Option<&'a str>,
        digest: Option<&'a str>,
        output: Option<&'a str>,
        builder: Option<&'a str>,
        size: Option<u64>,
        cached_steps: u32,
        run_steps: u32,
    },
    /// A step failed.
    Failed {
        message: &'a str,
        stage: Option<&'a str>,
        package: Option<&'a str>,
        instruction: Option<&'a str>,
        exit_code: Option<i32>,
        dockerfile_lines: Vec<[u32; 2]>,
        log_tail: &'a [String],
    },
    /// A step failed that another target tells of.
    Blocked { by: &'a str, stage: Option<&'a str> },
    /// It was stopped, or never begun.
    Cancelled,
}

impl<'a> From<&'a StepName> for StepLine<'a> {
    fn from(step: &'a StepName) -> Self {
        Self { stage: step.stage.as_deref(), step: step.step, steps: step.steps, instruction: &step.instruction }
    }
}

impl JsonStream {
    /// Writes the first line.
    pub(crate) fn begin(specs: &[RowSpec], targets: &[String], shell: &mut Shell) -> Self {
        let stages =
            specs.iter().map(|spec| StageLine { stage: &spec.stage, kind: spec.kind.as_str(), label: &spec.label });
        let targets = targets.iter().map(String::as_str).collect();
        write(&Stream::BuildStarted { version: VERSION, targets, stages: stages.collect() }, shell);
        Self { steps: BTreeMap::new() }
    }

    /// Writes what became of the targets, and the last line.
    pub(crate) fn end(ending: &Ending<'_>, shell: &mut Shell) {
        let Ending { outcome, built, elapsed, chain, push_failed, context, why, explained } = ending;
        for target in &outcome.targets {
            let name = target.target.as_str();
            let result = match &target.result {
                TargetResult::Built(image) => {
                    let details = built.iter().find(|built| built.target == name);
                    ResultLine::Built {
                        state: details.map_or(BuiltState::Built, |built| built.state).as_str(),
                        tags: details.map(|built| built.tags.as_slice()).unwrap_or_default(),
                        image_id: details.and_then(|built| built.image_id.as_deref()),
                        digest: details.and_then(|built| built.digest.as_deref()),
                        output: details.and_then(|built| built.place.as_deref()),
                        builder: details.and_then(|built| built.builder.as_deref()),
                        size: details.and_then(|built| built.size),
                        cached_steps: image.cached_steps,
                        run_steps: image.run_steps,
                    }
                }
                TargetResult::Failed(failure) => failed(failure, context),
                TargetResult::Blocked { by, stage } => ResultLine::Blocked { by: by.as_str(), stage: stage.as_deref() },
                TargetResult::Cancelled => ResultLine::Cancelled,
            };
            let seconds = target.duration.as_secs_f64();
            let why = why.get(name).map(Vec::as_slice).unwrap_or_default();
            write(&Stream::TargetFinished { target: name, result, seconds, why }, shell);
        }
        for explained in *explained {
            write(&Stream::StageExplained { explained }, shell);
        }
        let last = Stream::BuildFinished {
            success: outcome.is_success() && !push_failed,
            seconds: elapsed.as_secs_f64(),
            critical_path: chain
                .iter()
                .map(|link| LinkLine { stage: &link.stage, seconds: link.ran.as_secs_f64() })
                .collect(),
            context_files: outcome.context.files,
            context_bytes: outcome.context.bytes,
            sent_files: outcome.transfer.files,
            sent_bytes: outcome.transfer.bytes,
        };
        write(&last, shell);
    }
}

fn failed<'a>(failure: &'a StepFailure, context: &'a FailureContext) -> ResultLine<'a> {
    let step = failure.step.as_ref();
    let origin = step.and_then(|step| context.stages.get(step.stage.as_deref()?));
    ResultLine::Failed {
        message: &failure.message,
        stage: step.and_then(|step| step.stage.as_deref()),
        package: origin.and_then(|origin| origin.package.as_deref()),
        instruction: step.map(|step| step.instruction.as_str()),
        exit_code: failure.exit_code,
        dockerfile_lines: failure.dockerfile_lines.iter().map(|lines| [*lines.start(), *lines.end()]).collect(),
        log_tail: &failure.log_tail,
    }
}

impl Reporter for JsonStream {
    fn begins(&mut self, _verb: &'static str, _what: &str, _shell: &mut Shell) {}

    fn event(&mut self, event: &Event, shell: &mut Shell) {
        match event {
            Event::ContextReady(summary) => {
                write(&Stream::ContextReady { files: summary.files, bytes: summary.bytes }, shell);
            }
            Event::TargetStarted(target) => write(&Stream::TargetStarted { target: target.as_str() }, shell),
            Event::VertexStarted(started) => {
                if let VertexName::Step(step) = &started.name {
                    self.steps.insert(started.vertex.clone(), step.clone());
                    write(&Stream::StepStarted { step: step.into(), targets: names(&started.targets) }, shell);
                }
            }
            Event::VertexFinished(finished) => {
                if let VertexName::Step(step) = &finished.name {
                    let line = Stream::StepFinished {
                        step: step.into(),
                        targets: names(&finished.targets),
                        cached: finished.cached,
                        seconds: finished.duration.as_secs_f64(),
                        error: finished.error.as_deref(),
                    };
                    write(&line, shell);
                }
            }
            Event::Log(log) => {
                if let Some(step) = self.steps.get(&log.vertex) {
                    let stream = match log.stream {
                        LogStream::Stdout => "stdout",
                        LogStream::Stderr => "stderr",
                    };
                    write(&Stream::Log { step: step.into(), stream, text: &log.text }, shell);
                }
            }
            Event::Warning(warning) => {
                let line = Stream::BuilderWarning {
                    message: &warning.message,
                    detail: &warning.detail,
                    url: warning.url.as_deref(),
                };
                write(&line, shell);
            }
            Event::Pushed(pushed) => {
                write(&Stream::Pushed { tag: &pushed.reference, digest: pushed.digest.as_deref() }, shell);
            }
            // The outcome of a target is told in full at the end; the rest changes too often to be of use in a log.
            _ => {}
        }
    }

    fn tick(&mut self, _shell: &mut Shell) {}

    fn finish(&mut self, _shell: &mut Shell) {}
}

fn names(targets: &[TargetName]) -> Vec<&str> {
    targets.iter().map(TargetName::as_str).collect()
}

fn write(line: &Stream<'_>, shell: &mut Shell) {
    let text = serde_json::to_string(line).expect("lines hold only text, numbers and lists");
    // Whoever read the stream has gone; the build goes on, and its exit code tells how it ended.
    let _ = shell.println(&text);
}
