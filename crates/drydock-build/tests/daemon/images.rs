//! Images and what is in them: tags, labels, arguments, secrets.

use std::sync::Arc;

use std::process::Stdio;

use futures_util::TryStreamExt;

use drydock_build::{Event, Output, Secret, SecretSource, SshForward};

use crate::bench::{Bench, generated, sha256};

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
    assert_eq!(built.image_id.as_ref(), Some(&one.id), "{built:?}");
    assert_eq!(one.labels["org.example.label"], "a value, with = and \"quotes\"");
    assert!(one.size > 0);

    // Away and back again, by way of an archive.
    let out = tempfile::tempdir().unwrap();
    let archive = out.path().join("image.tar");
    let docker = bollard::Docker::connect_with_defaults().unwrap();
    let bytes: Vec<_> = docker.export_image(&format!("{repo}:one")).try_collect().await.unwrap();
    fs_err::write(&archive, bytes.concat()).unwrap();
    bench.remove(&[format!("{repo}:one")]).await;
    assert_eq!(bench.builder.image(&format!("{repo}:one")).await.unwrap(), None);
    assert_eq!(bench.builder.load(&archive).await.unwrap(), [format!("{repo}:one")]);
    assert!(bench.builder.image(&format!("{repo}:one")).await.unwrap().is_some());

    bench.builder.tag(&one.id, &format!("{repo}:three")).await.unwrap();
    assert_eq!(bench.builder.image(&format!("{repo}:three")).await.unwrap().unwrap().id, one.id);
    assert_eq!(bench.builder.image(&format!("{repo}:four")).await.unwrap(), None);

    bench.remove(&[format!("{repo}:one"), format!("{repo}/two"), format!("{repo}:three")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_learn_of_the_proxies_in_dockers_configuration() {
    let bench = Bench::new().await;
    let builder =
        bench.with_config(r#"{"proxies": {"default": {"httpProxy": "http://proxy.test:1", "noProxy": "x"}}}"#).await;
    let mut request = bench.request("FROM BASE AS x\nRUN echo $http_proxy $HTTP_PROXY $NO_PROXY NONCE\n", &["x"]);
    request.targets[0].build_args.insert("NO_PROXY".to_owned(), "mine".to_owned());
    let told = bench.build_with(&builder, request).await;
    assert_eq!(told.log(), [format!("http://proxy.test:1 http://proxy.test:1 mine {}", bench.nonce)]);
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

/// A real agent, asked by a real client.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_step_may_talk_to_an_ssh_agent() {
    let bench = Bench::new().await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent.sock");
    let key = folder.path().join("key");
    let run = |program: &str, arguments: &[&std::ffi::OsStr]| {
        let output =
            std::process::Command::new(program).args(arguments).env("SSH_AUTH_SOCK", &socket).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let mut agent =
        std::process::Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
    while !socket.exists() {
        tokio::task::yield_now().await;
    }
    run(
        "ssh-keygen",
        &["-q".as_ref(), "-t".as_ref(), "ed25519".as_ref(), "-N".as_ref(), "".as_ref(), "-f".as_ref(), key.as_os_str()],
    );
    run("ssh-add", &["-q".as_ref(), key.as_os_str()]);
    let expected = run("ssh-add", &["-l".as_ref()]);

    let mut request = bench.request(
        "FROM BASE AS x\nCOPY passwd /etc/passwd\nRUN --mount=type=ssh ssh-add -l && echo NONCE\nRUN echo \"none: $SSH_AUTH_SOCK\" NONCE\n",
        &["x"],
    );
    request.context = vec![generated("passwd", "root:x:0:0:root:/:/bin/sh\n")];
    request.ssh = vec![SshForward { id: "default".to_owned(), socket: Some(socket) }];
    let told = bench.build(request).await;
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert_eq!(told.log(), [expected.trim_end(), &bench.nonce, &format!("none:  {}", bench.nonce)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_not_there_stops_the_run_before_it_begins() {
    let bench = Bench::new().await;
    let mut request = bench.request("FROM BASE AS x\n", &["x"]);
    request.ssh = vec![SshForward { id: "default".to_owned(), socket: Some("/nowhere/agent.sock".into()) }];
    let error = bench.try_build(request).await.err().unwrap();
    assert_eq!(error.to_string(), "the ssh agent `default` cannot be used: `/nowhere/agent.sock` does not exist");
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_find_the_hosts_that_are_given() {
    let bench = Bench::new().await;
    let mut request = bench.request("FROM BASE AS x\nRUN cat /etc/hosts && echo NONCE\n", &["x"]);
    request.hosts.insert("db.test".to_owned(), "10.1.2.3".to_owned());
    request.network = drydock_build::Network::Host;
    request.raw_status = true;
    let told = bench.build(request).await;
    let hosts = told.log().into_iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    assert!(hosts.clone().any(|line| line == "10.1.2.3 db.test"), "{:?}", hosts.collect::<Vec<_>>());
    let raw = told.events.iter().filter_map(|event| match event {
        Event::Raw { target, status } if target.as_str() == "x" => Some(status.to_string()),
        _ => None,
    });
    assert!(raw.clone().any(|status| status.contains("RUN cat /etc/hosts")), "{:?}", raw.collect::<Vec<_>>());
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
