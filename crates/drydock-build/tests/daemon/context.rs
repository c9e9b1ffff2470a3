//! How entries of the context arrive in a build.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use drydock_build::{
    Address, BuildError, Builder, CancellationToken, ContextContent, ContextEntry, Endpoint, Environment, Event,
    ListedContext,
};

use crate::bench::{Bench, file, generated, sha256};
use crate::relay::hold_sessions;

#[tokio::test(flavor = "multi_thread")]
async fn names_modes_and_links_arrive_as_they_are() {
    let bench = Bench::new().await;
    let entry = |path: &str, mode, content| ContextEntry { path: path.to_owned(), mode, content };
    let bytes = |text: &str| ContextContent::Bytes(Arc::from(text.as_bytes()));
    let mut request = bench.request(
        "FROM BASE AS x\nCOPY . /x/\nRUN cd /x && find . -mindepth 1 -printf '%y %m %p -> %l\\n' | sort && cat -- */* && echo NONCE\n",
        &["x"],
    );
    request.context = vec![
        entry("run me.sh", 0o755, bytes("#!")),
        entry("späce dir/été 日本 $HOME \"q\" 'q'", 0o640, bytes("unicode")),
        entry("dir-x", 0o644, bytes("")),
        entry("dir/z", 0o644, bytes("z")),
        entry("link", 0o777, ContextContent::Symlink("dir/z".to_owned())),
        entry("empty", 0o755, ContextContent::Directory),
        entry("-dash", 0o600, bytes("")),
    ];
    let told = bench.build(request).await;
    let mut log = told.log().join("\n").replace(&bench.nonce, "NONCE");
    log.push('\n');
    assert_eq!(
        log,
        "d 755 ./dir -> \n\
         d 755 ./empty -> \n\
         d 755 ./späce dir -> \n\
         f 600 ./-dash -> \n\
         f 640 ./späce dir/été 日本 $HOME \"q\" 'q' -> \n\
         f 644 ./dir-x -> \n\
         f 644 ./dir/z -> \n\
         f 755 ./run me.sh -> \n\
         l 777 ./link -> dir/z\n\
         zunicodeNONCE\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_arrive_whole() {
    let bench = Bench::new().await;
    let tree = tempfile::tempdir().unwrap();
    let path = tree.path().join("large");
    // Not a multiple of any chunk, and different in each.
    let content: Vec<u8> = (0..5_000_003_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs_err::write(&path, &content).unwrap();
    let mut request = bench.request("FROM BASE AS x\nCOPY a b /\nRUN sha256sum /a /b && echo NONCE\n", &["x"]);
    let copy =
        ContextEntry { path: "b".to_owned(), mode: 0o644, content: ContextContent::Bytes(content.clone().into()) };
    request.context = vec![file("a", &path), copy];
    let told = bench.build(request).await;
    let sum = sha256(&content);
    assert_eq!(told.log()[..2], [format!("{sum}  /a"), format!("{sum}  /b")]);
    assert_eq!(told.outcome.transfer.bytes, 2 * 5_000_003);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_vanishes_is_named() {
    let bench = Bench::new().await;
    let tree = tempfile::tempdir().unwrap();
    let mut request = bench.request("FROM BASE AS x\nCOPY . /x/\nRUN echo NONCE\n", &["x"]);
    request.context = vec![generated("a", "a"), file("b", &tree.path().join("missing"))];
    let error = bench.try_build(request).await.err();
    match error {
        Some(BuildError::UnreadableContext { source }) => assert!(source.to_string().contains("missing"), "{source}"),
        other => panic!("unexpected {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_after_it_was_listed_is_named() {
    let error = build_meanwhile(|path| fs_err::write(path, "after").unwrap()).await;
    assert!(matches!(&error, BuildError::ContextChanged { path } if path == "folder/file"), "{error:?}");
    assert_eq!(error.to_string(), "`folder/file` changed while the build was reading it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_vanishes_after_it_was_listed_is_named() {
    let error = build_meanwhile(|path| fs_err::remove_file(path).unwrap()).await;
    assert!(
        matches!(&error, BuildError::UnreadableContext { source } if source.to_string().contains("tree-file")),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_shrinks_after_it_was_listed_is_named() {
    let error = build_meanwhile(|path| fs_err::write(path, "").unwrap()).await;
    assert!(matches!(&error, BuildError::ContextChanged { path } if path == "folder/file"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_what_the_caller_read_is_named() {
    let bench = Bench::new().await;
    let tree = tempfile::tempdir().unwrap();
    let path = tree.path().join("a");
    let build = async |content: &str, read: &str| {
        let mut request = bench.request("FROM BASE AS x\nCOPY . /x/\nRUN echo NONCE\n", &["x"]);
        fs_err::write(&path, read).unwrap();
        let listed = ListedContext::list(vec![file("a", &path), generated("b", "any")], None, |_| None).unwrap();
        assert_eq!(listed.digest("a"), Some(*blake3::hash(read.as_bytes()).as_bytes()));
        assert_eq!((listed.digest("b"), listed.digest("c")), (None, None));
        fs_err::write(&path, content).unwrap();
        request.listed = Some(listed);
        bench.try_build(request).await
    };
    let error = build("new", "old").await.err();
    assert!(matches!(&error, Some(BuildError::ContextChanged { path }) if path == "a"), "{error:?}");
    assert!(build("old", "old").await.unwrap().outcome.is_success());
}

/// Builds a context of one file, to which something happens after it was listed and before it can be sent.
async fn build_meanwhile(change: impl FnOnce(&Path)) -> BuildError {
    let bench = Bench::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (socket, path) = (folder.path().join("relay.sock"), folder.path().join("tree-file"));
    fs_err::write(&path, "first").unwrap();
    let go = CancellationToken::new();
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    tokio::spawn(hold_sessions(listener, bench.builder.endpoint().clone(), go.clone()));
    let endpoint = Endpoint { address: Address::Unix(socket), tls: None, origin: "the test".to_owned() };
    let builder = Builder::connect(endpoint, &Environment::of_process()).await.unwrap();
    let mut request = bench.request("FROM BASE AS x\nCOPY . /x/\nRUN echo NONCE\n", &["x"]);
    request.context = vec![file("folder/file", &path)];
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let running = tokio::spawn(async move { builder.build(request, sender, CancellationToken::new()).await });
    while !matches!(receiver.recv().await.expect("the context is listed"), Event::ContextReady(_)) {}
    change(&path);
    go.cancel();
    let result = tokio::time::timeout(Duration::from_secs(30), running).await.expect("it ends").unwrap();
    result.expect_err("the context cannot be served as listed")
}
