//! What runs once, what comes from the cache, and what is sent.

use crate::Bench;
use crate::bench::generated;

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_stage_runs_once() {
    let bench = Bench::new().await;
    let mut request = bench.request(
        "FROM BASE AS deps\nRUN echo NONCE && sleep 1 && head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \\n' > /id && cat /id && echo\n\
         FROM deps AS one\nRUN echo one=$(cat /id)\n\
         FROM deps AS two\nRUN echo two=$(cat /id)\n",
        &["one", "two"],
    );
    request.context = vec![generated("x", "x")];
    let told = bench.build(request).await;
    let log = told.log();
    let value = |prefix: &str| log.iter().find_map(|line| line.strip_prefix(prefix)).map(str::to_owned);
    assert!(value("one=").is_some(), "{log:?}");
    assert_eq!(value("one="), value("two="), "{log:?}");
    assert_eq!(log.iter().filter(|line| line.contains(&bench.nonce)).count(), 1, "{log:?}");
    assert_eq!(told.finished("/dev/urandom"), [false]);
    assert_eq!((told.built("one").cached_steps, told.built("one").run_steps), (0, 2));
}
