//! Images that go to a registry.

use drydock_build::{BuildError, CacheEntry, CancellationToken, Event, Output};
use drydock_diagnostics::Diagnose;

use crate::bench::{Bench, generated};
use crate::registry::Registry;

/// Builds images with these references.
async fn build(bench: &Bench, references: &[String]) {
    let mut request = bench.request("FROM BASE AS x\nRUN echo NONCE > /nonce\n", &["x"]);
    request.targets[0].output = Output::Image;
    request.targets[0].tags = references.to_vec();
    bench.build(request).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reference_arrives() {
    let bench = Bench::new().await;
    let (registry, host) = Registry::start(None).await;
    let references = [format!("{host}/a:1"), format!("{host}/a:2"), format!("{host}/b/c:latest")];
    build(&bench, &references).await;
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    let pushed = bench.builder.push(&references, 2, sender, CancellationToken::new()).await.unwrap();
    assert_eq!(registry.tags(), ["a:1", "a:2", "b/c:latest"]);
    let told: Vec<_> = pushed.iter().map(|one| one.reference.clone()).collect();
    assert_eq!(told, references);
    assert_eq!(pushed[0].digest, Some(registry.digest("a", "1")));
    assert_eq!(pushed[2].digest, Some(registry.digest("b/c", "latest")));
    let mut layers = 0;
    while let Ok(event) = events.try_recv() {
        layers += usize::from(matches!(event, Event::PushProgress(progress) if progress.status == "Pushed"));
    }
    assert!(layers > 0);
    bench.remove(&references).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_refuses_is_named_with_what_had_arrived() {
    let bench = Bench::new().await;
    let (registry, host) = Registry::start(None).await;
    let (_, locked) = Registry::start(Some(("somebody", "else"))).await;
    let references = [format!("{host}/a:1"), format!("{locked}/a:1"), format!("{host}/b:1")];
    build(&bench, &references).await;
    let (sender, _events) = tokio::sync::mpsc::unbounded_channel();
    let error = bench.builder.push(&references, 1, sender, CancellationToken::new()).await.unwrap_err();
    match &error {
        BuildError::PushFailed { reference, message, pushed } => {
            assert_eq!(reference, &references[1]);
            assert!(message.contains("no basic auth credentials"), "{message}");
            assert_eq!(pushed, &references[..1]);
        }
        other => panic!("unexpected {other:?}"),
    }
    assert_eq!(error.help().unwrap(), format!("log in with `docker login {locked}`, as someone who may push there"));
    assert_eq!(registry.tags(), ["a:1"]);
    bench.remove(&references).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_come_from_dockers_configuration() {
    let bench = Bench::new().await;
    let (registry, host) = Registry::start(Some(("me", "pass:word"))).await;
    let references = [format!("{host}/a:1")];
    build(&bench, &references).await;
    let push = async |config: &str| {
        let builder = bench.with_config(config).await;
        let (sender, _events) = tokio::sync::mpsc::unbounded_channel();
        builder.push(&references, 1, sender, CancellationToken::new()).await
    };
    let error = push("{}").await.unwrap_err();
    assert!(error.help().unwrap().starts_with("log in with"), "{error:?}");
    assert_eq!(registry.tags(), [""; 0]);

    // me:pass:word
    push(&format!(r#"{{"auths": {{"{host}": {{"auth": "bWU6cGFzczp3b3Jk"}}}}}}"#)).await.unwrap();
    assert_eq!(registry.tags(), ["a:1"]);

    // The session answers for the daemon as well, when it fetches a base image.
    bench.remove(&references).await;
    let builder = bench.with_config(&format!(r#"{{"auths": {{"{host}": {{"auth": "bWU6cGFzczp3b3Jk"}}}}}}"#)).await;
    let request = bench.request(&format!("FROM {host}/a:1 AS x\nRUN cat /nonce\n"), &["x"]);
    let told = bench.build_with(&builder, request).await;
    assert_eq!(told.log(), [bench.nonce.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_in_a_pushed_image_is_imported() {
    let bench = Bench::new().await;
    let (_, host) = Registry::start(None).await;
    let reference = format!("{host}/cache:1");
    let dockerfile = "FROM BASE AS x\nRUN echo NONCE > /nonce\n";
    let mut request = bench.request(dockerfile, &["x"]);
    request.targets[0].output = Output::Image;
    request.targets[0].tags = vec![reference.clone()];
    request.targets[0].cache_to = vec![CacheEntry::parse("type=inline").unwrap()];
    bench.build(request).await;
    let (sender, _events) = tokio::sync::mpsc::unbounded_channel();
    bench.builder.push(std::slice::from_ref(&reference), 1, sender, CancellationToken::new()).await.unwrap();
    bench.remove(std::slice::from_ref(&reference)).await;

    let mut request = bench.request(dockerfile, &["x"]);
    request.targets[0].cache_from = vec![CacheEntry::parse(&reference).unwrap()];
    let told = bench.build(request).await;
    assert_eq!(told.finished("importing cache manifest from").len(), 1);
    assert_eq!((told.built("x").cached_steps, told.built("x").run_steps), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_goes_to_a_registry_where_the_store_allows_it() {
    let bench = Bench::new().await;
    let (registry, host) = Registry::start(None).await;
    let mut request = bench.request("FROM BASE AS x\nRUN echo NONCE > /nonce\n", &["x"]);
    request.targets[0].cache_to =
        vec![CacheEntry::parse(&format!("type=registry,ref={host}/cache:x,mode=max")).unwrap()];
    let told = bench.try_build(request).await;
    if bench.builder.info().containerd_store {
        assert_eq!(told.unwrap().finished("exporting cache"), [false]);
        assert_eq!(registry.tags(), ["cache:x"]);
    } else {
        let error = told.err().unwrap();
        assert!(error.to_string().ends_with("cannot write a cache of type `registry`"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_goes_to_a_folder_where_the_store_allows_it_and_comes_back() {
    let bench = Bench::new().await;
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("cache");
    let mut request =
        bench.request("FROM BASE AS x\nRUN echo NONCE > /nonce && head -c 3000000 /dev/urandom > /large\n", &["x"]);
    let cache =
        |attribute: &str| CacheEntry::parse(&format!("type=local,{attribute}={},mode=max", folder.display())).unwrap();
    request.targets[0].cache_to = vec![cache("dest")];
    request.targets[0].cache_from = vec![cache("src")];
    let told = bench.try_build(request.clone()).await;
    if !bench.builder.info().containerd_store {
        let error = told.err().unwrap();
        assert!(error.to_string().ends_with("cannot write a cache of type `local`"), "{error}");
        return;
    }
    let told = told.unwrap();
    assert!(told.outcome.is_success(), "{:?}", told.outcome);
    assert!(
        told.events
            .iter()
            .any(|event| matches!(event, Event::Warning(warning) if warning.message.contains("none yet")))
    );
    assert_eq!(told.finished("importing cache"), [false; 0]);
    let bytes: u64 = fs_err::read_dir(folder.join("blobs/sha256"))
        .unwrap()
        .map(|blob| blob.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes > 3_000_000, "{bytes}");
    assert_eq!(fs_err::read_dir(folder.join("ingest")).unwrap().count(), 0, "nothing partial stays");

    // Reads the folder, and writes into it what is there already.
    let told = bench.build(request).await;
    assert!(told.outcome.is_success(), "{:?}", told.outcome);
    assert_eq!(told.finished("importing cache"), [false]);
    assert_eq!(told.built("x").cached_steps, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_platforms_make_one_image_where_the_store_allows_it() {
    let bench = Bench::new().await;
    let (registry, host) = Registry::start(None).await;
    let reference = format!("{host}/several:1");
    let mut request = bench.request("FROM scratch AS x\nCOPY a /\nLABEL nonce=NONCE\n", &["x"]);
    request.context = vec![generated("a", "a")];
    let target = &mut request.targets[0];
    target.output = Output::Image;
    target.tags = vec![reference.clone()];
    target.platforms = vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()];
    let told = bench.try_build(request).await;
    if bench.builder.info().containerd_store {
        assert!(told.unwrap().outcome.is_success());
        let (sender, _events) = tokio::sync::mpsc::unbounded_channel();
        bench.builder.push(std::slice::from_ref(&reference), 1, sender, CancellationToken::new()).await.unwrap();
        let index = registry.manifest("several", "1");
        assert!(index.contains("\"amd64\"") && index.contains("\"arm64\""), "{index}");
        bench.remove(std::slice::from_ref(&reference)).await;
    } else {
        let error = told.err().unwrap();
        assert!(error.to_string().contains("cannot make an image of several platforms"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_push_says_what_had_arrived() {
    let bench = Bench::new().await;
    let (_, host) = Registry::start(None).await;
    let references = [format!("{host}/a:1")];
    let (sender, _events) = tokio::sync::mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error = bench.builder.push(&references, 1, sender, cancel).await.unwrap_err();
    assert!(matches!(&error, BuildError::PushCancelled { pushed } if pushed.is_empty()), "{error:?}");
}
