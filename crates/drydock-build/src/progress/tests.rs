use bollard_buildkit_proto::moby::buildkit::v1::{StatusResponse, Vertex, VertexLog, VertexStatus, VertexWarning};

use super::*;

const STEP: &str = "[deps 2/2] RUN npm ci";

/// A vertex at work from `started` to `completed`, in seconds.
fn vertex(name: &str, started: Option<i64>, completed: Option<i64>, cached: bool) -> StatusResponse {
    let at = |seconds: i64| Timestamp { seconds, nanos: 0 };
    let vertex = Vertex {
        digest: format!("sha256:{name}"),
        name: name.to_owned(),
        cached,
        started: started.map(at),
        completed: completed.map(at),
        ..Vertex::default()
    };
    StatusResponse { vertexes: vec![vertex], ..StatusResponse::default() }
}

fn log(name: &str, seconds: i64, text: &str) -> StatusResponse {
    let log = VertexLog {
        vertex: format!("sha256:{name}"),
        timestamp: Some(Timestamp { seconds, nanos: 0 }),
        stream: 1,
        msg: text.as_bytes().to_vec(),
    };
    StatusResponse { logs: vec![log], ..StatusResponse::default() }
}

fn progress() -> Progress {
    Progress::new(vec!["one".into(), "two".into()])
}

/// A line for each event.
fn told(events: &[Event]) -> Vec<String> {
    let names = |targets: &[TargetName]| targets.iter().map(TargetName::as_str).collect::<Vec<_>>().join("+");
    events
        .iter()
        .map(|event| match event {
            Event::VertexStarted(started) => format!("started {} for {}", started.name, names(&started.targets)),
            Event::VertexFinished(finished) => {
                let how = if finished.cached { "cached" } else { "run" };
                let error = finished.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
                format!(
                    "finished {} for {}, {how} in {:?}{error}",
                    finished.name,
                    names(&finished.targets),
                    finished.duration
                )
            }
            Event::Log(line) => format!("log {}", line.text),
            Event::VertexProgress(part) => {
                format!("part {} {}/{:?} {}", part.part, part.current, part.total, part.done)
            }
            Event::Warning(warning) => format!("warning {} {:?}", warning.message, warning.dockerfile_lines),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_vertex_of_two_targets_is_told_once() {
    let mut progress = progress();
    for target in 0..2 {
        progress.apply(target, vertex(STEP, None, None, false));
    }
    assert_eq!(told(&progress.flush(None)), [""; 0]);
    for target in 0..2 {
        progress.apply(target, vertex(STEP, Some(1), None, false));
        progress.apply(target, log(STEP, 2, "added\n"));
    }
    assert_eq!(told(&progress.flush(None)), ["started [deps 2/2] RUN npm ci for one+two", "log added"]);
    for target in 0..2 {
        progress.apply(target, vertex(STEP, Some(1), Some(5), false));
    }
    assert_eq!(told(&progress.flush(None)), [""; 0], "it may go on");
    assert_eq!(told(&progress.flush(None)), ["finished [deps 2/2] RUN npm ci for one+two, run in 4s"]);
    assert_eq!(told(&progress.flush(None)), [""; 0]);
    assert_eq!((progress.steps(0), progress.steps(1)), ((0, 1), (0, 1)));
}

#[test]
fn computing_a_cache_key_is_no_run() {
    let mut progress = progress();
    progress.apply(0, vertex(STEP, Some(1), Some(2), false));
    assert_eq!(told(&progress.flush(None)), [""; 0]);
    progress.apply(0, vertex(STEP, Some(3), Some(3), true));
    assert_eq!(
        told(&progress.flush(None)),
        ["started [deps 2/2] RUN npm ci for one", "finished [deps 2/2] RUN npm ci for one, cached in 1s"]
    );
    assert_eq!(progress.steps(0), (1, 0));
}

#[test]
fn a_vertex_that_is_opened_again_is_told_again_with_all_its_time() {
    let mut progress = progress();
    progress.apply(0, vertex(STEP, Some(1), Some(2), false));
    progress.flush(None);
    assert_eq!(told(&progress.flush(None)).last().unwrap(), "finished [deps 2/2] RUN npm ci for one, run in 1s");
    progress.apply(0, vertex(STEP, Some(10), None, false));
    assert_eq!(told(&progress.flush(None)), ["started [deps 2/2] RUN npm ci for one"]);
    progress.apply(0, vertex(STEP, Some(10), Some(15), false));
    assert_eq!(told(&progress.flush(Some(0))), ["finished [deps 2/2] RUN npm ci for one, run in 6s"]);
}

#[test]
fn what_one_target_ran_and_another_found_is_told_as_run() {
    let mut progress = progress();
    progress.apply(0, vertex(STEP, Some(1), Some(5), false));
    assert_eq!(told(&progress.flush(Some(0))).last().unwrap(), "finished [deps 2/2] RUN npm ci for one, run in 4s");
    progress.apply(1, vertex(STEP, Some(6), Some(6), true));
    assert_eq!(told(&progress.flush(Some(1))), [""; 0]);
    assert_eq!((progress.steps(0), progress.steps(1)), ((0, 1), (1, 0)));
}

#[test]
fn base_images_are_no_steps() {
    let mut progress = progress();
    progress.apply(0, vertex("[deps 1/2] FROM docker.io/library/node:22", Some(1), Some(2), false));
    progress.apply(0, vertex("[internal] load build context", Some(1), Some(2), false));
    assert_eq!(progress.steps(0), (0, 0));
}

#[test]
fn the_failed_vertex_is_not_one_that_was_stopped() {
    let mut progress = progress();
    let mut failed = vertex(STEP, Some(1), Some(5), false);
    failed.vertexes[0].error = "exit code: 1".to_owned();
    let mut stopped = vertex("[other 1/1] RUN x", Some(1), Some(6), false);
    stopped.vertexes[0].error = "context canceled".to_owned();
    progress.apply(0, failed);
    progress.apply(0, stopped);
    progress.apply(0, log(STEP, 2, "no line end"));
    progress.flush(Some(0));
    let digest = progress.failed_vertex(0).unwrap();
    assert_eq!(progress.step(&digest).unwrap().to_string(), STEP);
    assert_eq!(progress.log_tail(&digest), ["no line end"]);
    assert!(progress.needs(0, &digest) && !progress.needs(1, &digest));
    assert_eq!(progress.failed_vertex(1), None);
}

#[test]
fn parts_and_warnings_are_told_when_they_change() {
    let mut progress = progress();
    let part = |current, completed: Option<i64>| {
        let status = VertexStatus {
            id: "sha256:layer".to_owned(),
            vertex: format!("sha256:{STEP}"),
            current,
            total: 10,
            completed: completed.map(|seconds| Timestamp { seconds, nanos: 0 }),
            ..VertexStatus::default()
        };
        let warning = VertexWarning { short: b"old syntax".to_vec(), ..VertexWarning::default() };
        StatusResponse { statuses: vec![status], warnings: vec![warning], ..StatusResponse::default() }
    };
    progress.apply(0, vertex(STEP, Some(1), None, false));
    progress.apply(0, part(4, None));
    let events = told(&progress.flush(None));
    assert_eq!(events[1..], ["part sha256:layer 4/Some(10) false", "warning old syntax []"]);
    progress.apply(1, part(4, None));
    assert_eq!(told(&progress.flush(None)), [""; 0]);
    progress.apply(0, part(10, Some(3)));
    assert_eq!(told(&progress.flush(None)), ["part sha256:layer 10/Some(10) true"]);
    progress.apply(1, part(4, None));
    assert_eq!(told(&progress.flush(None)), [""; 0], "what another target hears late is no news");
}
