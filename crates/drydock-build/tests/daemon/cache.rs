//! What runs once, what comes from the cache, and what is sent.

use std::time::SystemTime;

use crate::bench::{Bench, file, generated};

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_stage_runs_once() {
    let bench = Bench::new().await;
    let mut request = bench.request(
        "FROM BASE AS deps\n\
         RUN echo NONCE && sleep 1 && head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \\n' > /id && cat /id && echo\n\
         FROM deps AS one\n\
         RUN echo one=$(cat /id)\n\
         FROM deps AS two\n\
         RUN echo two=$(cat /id)\n",
        &["one", "two"],
    );
    request.context = vec![generated("x", "x")];
    let told = bench.build(request).await;
    let log = told.log();
    let value = |prefix: &str| log.iter().find_map(|line| line.strip_prefix(prefix)).map(str::to_owned);
    assert!(value("one=").is_some(), "{log:?}");
    assert_eq!(value("one="), value("two="), "{log:?}");
    assert_eq!(log.iter().filter(|line| **line == bench.nonce).count(), 1, "{log:?}");
    assert_eq!(told.finished("/dev/urandom"), [false]);
    assert_eq!((told.built("one").cached_steps, told.built("one").run_steps), (0, 2));
    assert_eq!((told.built("two").cached_steps, told.built("two").run_steps), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_build_sends_nothing_and_runs_nothing() {
    let bench = Bench::new().await;
    let tree = tempfile::tempdir().unwrap();
    fs_err::write(tree.path().join("a"), format!("in the tree {}", bench.nonce)).unwrap();
    let request = || {
        let mut request = bench.request(
            "FROM BASE AS one\nCOPY a /a\nRUN cat /a && echo NONCE\nFROM BASE AS two\nCOPY b/ /b/\nWORKDIR /w\nRUN cat /b/c && echo NONCE\n",
            &["one", "two"],
        );
        request.context =
            vec![file("a", &tree.path().join("a")), generated("b/c", &format!("generated {}", bench.nonce))];
        request
    };
    let first = bench.build(request()).await;
    let bytes = 22 + 2 * bench.nonce.len() as u64;
    assert_eq!((first.outcome.transfer.files, first.outcome.transfer.bytes), (2, bytes));
    assert_eq!((first.outcome.context.files, first.outcome.context.bytes), (2, bytes));
    assert_eq!((first.built("one").run_steps, first.built("two").run_steps), (2, 3));

    let second = bench.build(request()).await;
    assert_eq!((second.outcome.transfer.files, second.outcome.transfer.bytes), (0, 0));
    assert_eq!((second.built("one").cached_steps, second.built("one").run_steps), (2, 0));
    assert_eq!((second.built("two").cached_steps, second.built("two").run_steps), (3, 0));
    assert_eq!(second.finished("RUN cat /a"), [true]);
    assert_eq!(second.log(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_to_the_same_size_and_time_is_seen() {
    let bench = Bench::new().await;
    let tree = tempfile::tempdir().unwrap();
    let path = tree.path().join("a");
    let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
    let write = |content: &str| {
        fs_err::write(&path, content).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    };
    for (tree_content, generated_content) in [("one", "uno"), ("two", "due"), ("one", "uno")] {
        write(tree_content);
        let mut request = bench.request("FROM BASE AS x\nCOPY a b /\nRUN echo $(cat /a /b) NONCE\n", &["x"]);
        request.context = vec![file("a", &path), generated("b", generated_content)];
        request.no_cache = drydock_build::NoCache::Everything;
        let told = bench.build(request).await;
        assert_eq!(told.log(), [format!("{tree_content}{generated_content} {}", bench.nonce)]);
        assert_eq!(told.outcome.transfer.files, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_checkouts_under_one_key_do_not_mix() {
    let bench = Bench::new().await;
    let build = |content: &'static str| {
        let mut request = bench.request("FROM BASE AS x\nCOPY . /x/\nRUN cat /x/*/* && echo NONCE\n", &["x"]);
        request.context = (0..50).map(|index| generated(&format!("d{}/f{index}", index % 5), content)).collect();
        bench.build(request)
    };
    for _ in 0..3 {
        let (one, two) = tokio::join!(build("1"), build("2"));
        for (told, digit) in [(one, '1'), (two, '2')] {
            let log = told.log().concat();
            let shown = log.split(&bench.nonce).next().unwrap();
            // Nothing is shown when the step came from the cache, which is keyed by the content.
            assert!(shown.chars().all(|character| character == digit), "{log}");
            assert_eq!(told.built("x").cached_steps + told.built("x").run_steps, 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_changed_file_of_a_large_context_is_sent() {
    let bench = Bench::new().await;
    let tree = tempfile::tempdir().unwrap();
    for folder in 0..50 {
        fs_err::create_dir_all(tree.path().join(format!("p{folder}"))).unwrap();
        for index in 0..100 {
            fs_err::write(tree.path().join(format!("p{folder}/f{index}")), format!("{folder} {index}")).unwrap();
        }
    }
    let paths: Vec<String> = (0..5000).map(|index| format!("p{}/f{}", index / 100, index % 100)).collect();
    let request = || {
        let mut request = bench
            .request("FROM BASE AS x\nCOPY . /x/\nRUN find /x -type f | wc -l && cat /x/p7/f7 && echo NONCE\n", &["x"]);
        request.context = paths.iter().map(|path| file(path, &tree.path().join(path))).collect();
        request
    };
    let first = bench.build(request()).await;
    assert_eq!(first.outcome.transfer.files, 5000);
    assert_eq!(first.log()[0], "5000");
    assert_eq!(bench.build(request()).await.outcome.transfer.files, 0);

    fs_err::write(tree.path().join("p7/f7"), "7 X").unwrap();
    let third = bench.build(request()).await;
    assert_eq!((third.outcome.transfer.files, third.outcome.transfer.bytes), (1, 3));
    assert_eq!(third.log()[1], format!("7 X{}", bench.nonce));
}
