//! BuildKit alone. Docker's own stands in for it: behind a relay that asks for it on each connection, nothing of
//! Docker's API can be seen.

use std::sync::Arc;

use drydock_build::{
    Address, BuildError, Builder, CancellationToken, DaemonKind, Endpoint, Environment, Secret, SecretSource,
};

use crate::bench::{Bench, generated};
use crate::relay::relay;

pub(crate) const UPGRADE: &[u8] = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn targets_are_built_without_dockers_api() {
    let bench = Bench::new().await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("buildkitd.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    tokio::spawn(relay(listener, bench.builder.endpoint().clone(), UPGRADE, b"", CancellationToken::new()));
    let endpoint = Endpoint { address: Address::Unix(socket), tls: None, origin: "the test".to_owned() };
    let builder = Builder::connect(endpoint, &Environment::of_process()).await.unwrap();
    assert_eq!(builder.info().kind, DaemonKind::BuildKit);
    assert_eq!(
        (builder.info().os.as_str(), builder.info().arch.as_str()),
        ("linux", bench.builder.info().arch.as_str())
    );

    let request = || {
        let mut request = bench.request(
            "FROM BASE AS one\nCOPY a /\nRUN --mount=type=secret,id=s cat /a /run/secrets/s && echo NONCE\nFROM BASE AS two\nCOPY b /\nRUN cat /b && echo NONCE\n",
            &["one", "two"],
        );
        request.context =
            vec![generated("a", &format!("a {}\n", bench.nonce)), generated("b", &format!("b {}\n", bench.nonce))];
        request.secrets = vec![Secret { id: "s".to_owned(), source: SecretSource::Bytes(Arc::from(&b"secret\n"[..])) }];
        request
    };
    let first = bench.build_with(&builder, request()).await;
    let mut log = first.log();
    log.sort_unstable();
    let (a, b) = (format!("a {}", bench.nonce), format!("b {}", bench.nonce));
    assert_eq!(log, [bench.nonce.as_str(), &bench.nonce, &a, &b, "secret"]);
    assert_eq!(first.outcome.transfer.files, 2);
    let second = bench.build_with(&builder, request()).await;
    assert_eq!(second.outcome.transfer.files, 0);
    assert_eq!((second.built("one").cached_steps, second.built("one").run_steps), (2, 0));

    let error = builder.image("x").await.unwrap_err();
    assert!(matches!(error, BuildError::NoImageStore { .. }), "{error:?}");
}
