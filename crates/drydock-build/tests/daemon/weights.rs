//! Stages that need much are solved ahead of targets, and never together with more than there is room for.

use std::collections::BTreeMap;
use std::time::Duration;

use drydock_build::{BuildRequest, Event, TargetResult, VertexName};

use crate::bench::{Bench, Told};

const DOCKERFILE: &str = "\
FROM BASE AS heavy-one
RUN echo NONCE > /one && sleep 1
FROM BASE AS heavy-two
RUN echo NONCE > /two && sleep 1
FROM BASE AS one
COPY --from=heavy-one /one /one
COPY --from=heavy-two /two /two
FROM heavy-one AS two
RUN echo two NONCE
FROM BASE AS three
RUN echo three NONCE
";

fn request(bench: &Bench, dockerfile: &str, weight: u32) -> BuildRequest {
    let mut request = bench.request(dockerfile, &["one", "two", "three"]);
    request.jobs = 2;
    request.keep_going = true;
    request.stage_weights = ["heavy-one", "heavy-two", "unknown"].map(|stage| (stage.to_owned(), weight)).into();
    request
}

/// When the steps of a stage ran, by the daemon's clock: start and end, in seconds since the first.
fn spans(told: &Told, stages: &[&str]) -> BTreeMap<String, (f64, f64)> {
    let mut spans = BTreeMap::new();
    let mut zero = None;
    for event in &told.events {
        let Event::VertexFinished(finished) = event else { continue };
        let VertexName::Step(step) = &finished.name else { continue };
        let stage = step.stage.clone().unwrap_or_default();
        if stages.contains(&stage.as_str()) && step.instruction.starts_with("RUN") {
            let begun = finished.at - finished.duration;
            let zero = *zero.get_or_insert(begun);
            let seconds = |time: std::time::SystemTime| match time.duration_since(zero) {
                Ok(later) => later.as_secs_f64(),
                Err(earlier) => -earlier.duration().as_secs_f64(),
            };
            spans.insert(stage, (seconds(begun), seconds(finished.at)));
        }
    }
    spans
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_of_one_target_that_need_all_jobs_run_one_after_the_other() {
    let bench = Bench::new().await;
    let told = bench.build(request(&bench, DOCKERFILE, 2)).await;
    assert!(told.outcome.is_success(), "{:?}", told.outcome);
    let spans = spans(&told, &["heavy-one", "heavy-two"]);
    let ((first, end), (second, last)) = (spans["heavy-one"], spans["heavy-two"]);
    assert!(end <= second || last <= first, "they ran together: {spans:?}");
    // What ran ahead ran for those that need it, and each step is told once.
    assert_eq!((told.built("one").run_steps, told.built("one").cached_steps), (4, 0));
    assert_eq!((told.built("two").run_steps, told.built("two").cached_steps), (2, 0));
    assert_eq!(told.finished("sleep 1"), [false, false]);

    let again = bench.build(request(&bench, DOCKERFILE, 2)).await;
    assert_eq!((again.built("one").run_steps, again.built("one").cached_steps), (0, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heavy_stage_that_fails_is_told_by_one_target_and_blocks_the_others() {
    let bench = Bench::new().await;
    let dockerfile = DOCKERFILE.replace("RUN echo NONCE > /one && sleep 1", "RUN echo begun NONCE && exit 7");
    let running = tokio::time::timeout(Duration::from_mins(1), bench.build(request(&bench, &dockerfile, 1)));
    let told = running.await.expect("it ends");
    let TargetResult::Failed(failure) = told.result("one") else { panic!("{:?}", told.outcome) };
    assert_eq!((failure.exit_code, failure.dockerfile_lines.as_slice()), (Some(7), &[2..=2][..]));
    assert_eq!(failure.log_tail, [format!("begun {}", bench.nonce)]);
    let blocked = told.result("two");
    assert!(
        matches!(blocked, TargetResult::Blocked { by, stage } if by.as_str() == "one" && stage.as_deref() == Some("heavy-one")),
        "{blocked:?}"
    );
    assert_eq!(told.built("three").run_steps, 1);
    assert_eq!(told.log().iter().filter(|line| line.starts_with("begun")).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_goes_on_though_its_heavy_stages_end_in_another_order_than_it_asks_for_them() {
    let bench = Bench::new().await;
    let dockerfile = DOCKERFILE.replace("/two && sleep 1", "/two");
    let running = tokio::time::timeout(Duration::from_mins(1), bench.build(request(&bench, &dockerfile, 1)));
    let told = running.await.expect("it ends");
    assert!(told.outcome.is_success(), "{:?}", told.outcome);
    assert_eq!((told.built("one").run_steps, told.built("one").cached_steps), (4, 0));
}
