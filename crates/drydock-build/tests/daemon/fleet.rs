//! Several builders for one run. The second is the BuildKit of the same daemon, behind a relay.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use drydock_build::{
    Address, BuildError, BuildRequest, CancellationToken, DaemonKind, Endpoint, Environment, Event, Fleet,
    FleetOutcome, TargetResult,
};

use crate::bench::{Bench, generated};
use crate::buildkitd::UPGRADE;
use crate::relay::relay;

/// A fleet of the daemon and of its BuildKit. The folder holds the relay's socket.
async fn fleet(bench: &Bench) -> (Fleet, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("buildkitd.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    tokio::spawn(relay(listener, bench.builder.endpoint().clone(), UPGRADE, b"", CancellationToken::new()));
    let second = Endpoint { address: Address::Unix(socket), tls: None, origin: "the test".to_owned() };
    let endpoints = vec![bench.builder.endpoint().clone(), second];
    (Fleet::connect(endpoints, &Environment::of_process()).await.unwrap(), folder)
}

async fn build(fleet: &Fleet, request: BuildRequest) -> Result<(FleetOutcome, Vec<Event>), BuildError> {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let outcome = fleet.build(request, &BTreeMap::new(), sender, CancellationToken::new()).await?;
    let events = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
    Ok((outcome, events))
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_are_spread_and_told_as_one_run() {
    let bench = Bench::new().await;
    let (fleet, _folder) = fleet(&bench).await;
    let kinds: Vec<DaemonKind> = fleet.builders().iter().map(|builder| builder.info().kind).collect();
    assert_eq!(kinds, [DaemonKind::Docker, DaemonKind::BuildKit]);
    let mut request = bench.request(
        "FROM BASE AS one\nCOPY a /\nRUN echo one NONCE\n\
         FROM BASE AS two\nCOPY a /\nRUN echo two NONCE\n\
         FROM BASE AS three\nCOPY a /\nRUN echo three NONCE\n",
        &["one", "two", "three"],
    );
    request.context = vec![generated("a", &bench.nonce)];
    let places = fleet.places(&request, &BTreeMap::new());
    assert_eq!(places, [0, 1, 0]);
    let heavy = BTreeMap::from([("one".to_owned(), Duration::from_secs(1000))]);
    assert_eq!(fleet.places(&request, &heavy), [0, 1, 1]);

    let (told, events) = build(&fleet, request).await.unwrap();
    assert_eq!(told.places, places);
    let names: Vec<&str> = told.outcome.targets.iter().map(|target| target.target.as_str()).collect();
    assert_eq!(names, ["one", "two", "three"]);
    assert!(told.outcome.is_success(), "{told:?}");
    assert_eq!(told.outcome.context.files, 1);
    let ready = events.iter().filter(|event| matches!(event, Event::ContextReady(_))).count();
    assert_eq!(ready, 1);
    let lines: BTreeSet<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Log(line) => line.text.split(' ').next(),
            _ => None,
        })
        .collect();
    assert_eq!(lines, BTreeSet::from(["one", "two", "three"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_on_one_builder_stops_the_others() {
    let bench = Bench::new().await;
    let (fleet, _folder) = fleet(&bench).await;
    let dockerfile = "FROM BASE AS one\nRUN echo NONCE && sleep 600\nFROM BASE AS two\nRUN echo NONCE && exit 3\n";
    let request = bench.request(dockerfile, &["one", "two"]);
    let running = tokio::time::timeout(Duration::from_mins(1), build(&fleet, request));
    let (told, _) = running.await.expect("the sleeping step is stopped").unwrap();
    assert_eq!(told.places, [0, 1]);
    assert!(matches!(told.outcome.targets[0].result, TargetResult::Cancelled), "{told:?}");
    assert!(matches!(&told.outcome.targets[1].result, TargetResult::Failed(failure) if failure.exit_code == Some(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_that_is_not_there_is_named() {
    let environment = Environment::of_process();
    let bench = Bench::new().await;
    let nowhere = Endpoint::parse("unix:///nowhere/buildkitd.sock", "a test", &environment).unwrap();
    let error = Fleet::connect(vec![bench.builder.endpoint().clone(), nowhere], &environment).await.err().unwrap();
    assert!(
        matches!(&error, BuildError::DaemonUnreachable { tried } if tried[0].address.contains("/nowhere/")),
        "{error:?}"
    );
}
