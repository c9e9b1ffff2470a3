//! Steps that fail, runs that are cancelled, connections that break.

use std::time::Duration;

use drydock_build::{Address, BuildError, Builder, CancellationToken, Endpoint, Environment, Event, TargetResult};

use crate::bench::{Bench, generated};
use crate::relay::relay;

const SHARED: &str = "\
FROM BASE AS deps
RUN echo NONCE \\
    && echo second \\
    && sleep 1 && exit 42
FROM deps AS one
RUN echo one
FROM deps AS two
RUN echo two
FROM BASE AS three
RUN sleep 3 && echo three NONCE
";

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_shared_stage_is_told_once() {
    let bench = Bench::new().await;
    let mut request = bench.request(SHARED, &["one", "two", "three"]);
    request.keep_going = true;
    let told = bench.build(request).await;
    let (failure, blocked, by) = match (told.result("one"), told.result("two")) {
        (TargetResult::Failed(failure), blocked) => (failure, blocked, "one"),
        (blocked, TargetResult::Failed(failure)) => (failure, blocked, "two"),
        other => panic!("none failed: {other:?}"),
    };
    assert_eq!(failure.exit_code, Some(42));
    assert_eq!(failure.dockerfile_lines, [2..=4]);
    assert_eq!(failure.log_tail, [bench.nonce.as_str(), "second"]);
    let step = failure.step.as_ref().unwrap();
    assert_eq!((step.stage.as_deref(), step.step, step.steps), (Some("deps"), 2, 2));
    assert!(failure.command.as_ref().unwrap().contains("&& exit 42"), "{failure:?}");
    match blocked {
        TargetResult::Blocked { by: told, stage } => {
            assert_eq!((told.as_str(), stage.as_deref()), (by, Some("deps")));
        }
        other => panic!("not blocked: {other:?}"),
    }
    assert_eq!(told.built("three").run_steps, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_failure_stops_the_others() {
    let bench = Bench::new().await;
    let told = bench.build(bench.request(SHARED, &["one", "two", "three"])).await;
    assert!(matches!(told.result("three"), TargetResult::Cancelled), "{:?}", told.result("three"));
    let results = [told.result("one"), told.result("two")];
    assert_eq!(results.iter().filter(|result| matches!(result, TargetResult::Failed(_))).count(), 1, "{results:?}");
    assert_eq!(
        results.iter().filter(|result| matches!(result, TargetResult::Blocked { .. })).count(),
        1,
        "{results:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_step_fails_with_the_daemons_words() {
    let bench = Bench::new().await;
    let told = bench.build(bench.request("FROM BASE AS x\nCOPY missing /\n", &["x", "y"])).await;
    let messages: Vec<_> = ["x", "y"]
        .iter()
        .filter_map(|target| match told.result(target) {
            TargetResult::Failed(failure) => Some((failure.message.as_str(), failure.exit_code)),
            _ => None,
        })
        .collect();
    assert!(!messages.is_empty());
    for (message, exit_code) in messages {
        assert!(message.contains("missing") || message.contains('y'), "{message}");
        assert_eq!(exit_code, None);
    }
}

/// While one step has a locked cache, no other gets it: that the second run gets it shows that the first step is gone,
/// wherever the daemon runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_leaves_no_step_behind() {
    let bench = Bench::new().await;
    let cancel = CancellationToken::new();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let request = bench.request(&(locking_step("begun") + " && sleep 600"), &["x"]);
    let builder = bench.builder.clone();
    let running = {
        let cancel = cancel.clone();
        tokio::spawn(async move { builder.build(request, sender, cancel).await })
    };
    while let Some(event) = receiver.recv().await {
        if matches!(&event, Event::Log(line) if line.text.starts_with("begun")) {
            break;
        }
    }
    cancel.cancel();
    let outcome = tokio::time::timeout(Duration::from_secs(10), running).await.expect("it ends").unwrap().unwrap();
    assert!(matches!(outcome.targets[0].result, TargetResult::Cancelled), "{outcome:?}");
    assert_step_is_gone(&bench).await;
}

fn locking_step(words: &str) -> String {
    format!("FROM BASE AS x\nRUN --mount=type=cache,id=NONCE,target=/c,sharing=locked echo {words} NONCE")
}

async fn assert_step_is_gone(bench: &Bench) {
    let second = bench.build(bench.request(&locking_step("again"), &["x"]));
    let second = tokio::time::timeout(Duration::from_secs(30), second).await.expect("the step is gone");
    assert_eq!(second.log(), [format!("again {}", bench.nonce)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_that_wait_for_a_job_are_cancelled_too() {
    let bench = Bench::new().await;
    let mut request =
        bench.request("FROM BASE AS one\nRUN exit 1 NONCE\nFROM BASE AS two\nRUN echo NONCE\n", &["one", "two"]);
    request.jobs = 1;
    let told = bench.build(request).await;
    assert!(matches!(told.result("one"), TargetResult::Failed(_)));
    assert!(matches!(told.result("two"), TargetResult::Cancelled));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_goes_away_is_an_error_and_no_hang() {
    cut_while_running(b"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_killed_is_an_error_and_no_hang() {
    cut_while_running(b"POST /session").await;
}

/// Cuts the connections that begin so while a step runs: all of them is also what the daemon sees of a client that was
/// killed.
async fn cut_while_running(which: &'static [u8]) {
    let bench = Bench::new().await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("relay.sock");
    let cut = CancellationToken::new();
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    tokio::spawn(relay(listener, bench.builder.endpoint().clone(), b"", which, cut.clone()));
    let endpoint = Endpoint { address: Address::Unix(socket), tls: None, origin: "the test".to_owned() };
    let builder = Builder::connect(endpoint, &Environment::of_process()).await.unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let mut request = bench.request(&(locking_step("begun") + " && sleep 600"), &["x"]);
    request.context = vec![generated("x", "x")];
    let running = tokio::spawn(async move { builder.build(request, sender, CancellationToken::new()).await });
    while let Some(event) = receiver.recv().await {
        if matches!(&event, Event::Log(line) if line.text.starts_with("begun")) {
            break;
        }
    }
    cut.cancel();
    let result = tokio::time::timeout(Duration::from_secs(20), running).await.expect("it ends").unwrap();
    assert!(matches!(result, Err(BuildError::ConnectionLost { .. })), "{result:?}");
    assert_step_is_gone(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_not_there_is_told_with_its_address() {
    let environment = Environment::of_process();
    let endpoint = Endpoint::parse("unix:///nowhere/docker.sock", "a test", &environment).unwrap();
    match Builder::connect(endpoint, &environment).await.err() {
        Some(BuildError::DaemonUnreachable { tried }) => {
            assert_eq!(tried[0].address, "unix:///nowhere/docker.sock");
            assert!(tried[0].reason.contains("No such file"), "{tried:?}");
        }
        other => panic!("unexpected {other:?}"),
    }
}
