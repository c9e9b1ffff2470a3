//! Images and what is in them: tags, labels, arguments, secrets.

use std::sync::Arc;

use drydock_build::{Output, Secret, SecretSource};

use crate::bench::{Bench, sha256};

#[tokio::test(flavor = "multi_thread")]
async fn an_image_gets_its_tags_and_labels() {
    let bench = Bench::new().await;
    let mut request = bench.request("FROM BASE AS x\nARG WHO\nRUN echo hello $WHO NONCE\n", &["x"]);
    let repo = format!("drydock-build-test/{}", bench.nonce);
    let target = &mut request.targets[0];
    target.output = Output::Image;
    target.tags = vec![format!("{repo}:one"), format!("{repo}/two")];
    target.labels.insert("org.example.label".to_owned(), "a value, with = and \"quotes\"".to_owned());
    target.build_args.insert("WHO".to_owned(), "you, me".to_owned());
    let told = bench.build(request).await;
    assert_eq!(told.log(), [format!("hello you, me {}", bench.nonce)]);
    let built = told.built("x");

    let one = bench.builder.image(&format!("{repo}:one")).await.unwrap().expect("the first tag is there");
    let two = bench.builder.image(&format!("{repo}/two:latest")).await.unwrap().expect("the second tag is there");
    assert_eq!(one, two);
    assert!([&built.image_id, &built.digest].contains(&&Some(one.id.clone())), "{one:?} {built:?}");
    assert_eq!(one.labels["org.example.label"], "a value, with = and \"quotes\"");
    assert!(one.size > 0);

    bench.builder.tag(&one.id, &format!("{repo}:three")).await.unwrap();
    assert_eq!(bench.builder.image(&format!("{repo}:three")).await.unwrap().unwrap().id, one.id);
    assert_eq!(bench.builder.image(&format!("{repo}:four")).await.unwrap(), None);

    bench.remove(&[format!("{repo}:one"), format!("{repo}/two"), format!("{repo}:three")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_reaches_its_mount_and_nothing_else() {
    let bench = Bench::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs_err::write(&path, "from a file").unwrap();
    let mut request = bench.request(
        "FROM BASE AS x\n\
         RUN --mount=type=secret,id=memory,required --mount=type=secret,id=file,required --mount=type=secret,id=none \
         sha256sum /run/secrets/memory && wc -c /run/secrets/file && ls /run/secrets && echo NONCE\n\
         RUN ls -A /run/secrets /run && echo NONCE\n",
        &["x"],
    );
    let value = format!("very secret {}", bench.nonce);
    request.secrets = vec![
        Secret { id: "memory".to_owned(), source: SecretSource::Bytes(Arc::from(value.as_bytes())) },
        Secret { id: "file".to_owned(), source: SecretSource::File(path) },
    ];
    assert!(!format!("{request:?}").contains(&value));
    let told = bench.build(request).await;
    let log = told.log();
    let sum = sha256(value.as_bytes());
    assert!(log.contains(&format!("{sum}  /run/secrets/memory").as_str()), "{log:?}");
    assert!(log.contains(&"11 /run/secrets/file"), "{log:?}");
    assert!(!format!("{:?}", told.events).contains(&value));
    assert!(!format!("{:?}", told.outcome).contains(&value));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_cannot_be_read_stops_the_run_before_it_begins() {
    let bench = Bench::new().await;
    let mut request = bench.request("FROM BASE AS x\n", &["x"]);
    let source = SecretSource::Env("DRYDOCK_TEST_NO_SUCH_VARIABLE".to_owned());
    request.secrets = vec![Secret { id: "token".to_owned(), source }];
    let error = bench.try_build(request).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "the secret `token` cannot be read: the environment variable `DRYDOCK_TEST_NO_SUCH_VARIABLE` is not set"
    );
}
