//! A daemon behind TLS that wants to know who comes.

use std::path::Path;
use std::sync::Arc;

use drydock_build::{BuildError, Builder, Endpoint, Environment};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::bench::Bench;
use crate::relay::pass_on;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, both as PEM and DER.
fn certificate(authority: &Authority, names: &[&str]) -> (rcgen::Certificate, KeyPair) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    (CertificateParams::new(names).unwrap().signed_by(&key, authority).unwrap(), key)
}

/// Listens on a port, wants a certificate of `authority`, and passes on to the daemon.
async fn serve(authority: &Authority, daemon: Endpoint) -> u16 {
    let (certificate, key) = certificate(authority, &["127.0.0.1"]);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.der().to_vec())).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, daemon) = (acceptor.clone(), daemon.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    pass_on(stream, &daemon, b"", false).await;
                }
            });
        }
    });
    port
}

async fn connect(port: u16, certificates: &Path) -> Result<Builder, BuildError> {
    let mut environment = Environment::of_process();
    environment.variables.insert("DOCKER_HOST".to_owned(), format!("tcp://127.0.0.1:{port}"));
    environment.variables.insert("DOCKER_TLS_VERIFY".to_owned(), "1".to_owned());
    environment.variables.insert("DOCKER_CERT_PATH".to_owned(), certificates.to_str().unwrap().to_owned());
    Builder::connect(Endpoint::resolve(&environment)?, &environment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_let_us_in() {
    let bench = Bench::new().await;
    let authority = authority();
    let port = serve(&authority, bench.builder.endpoint().clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs_err::write(folder.path().join(name), text).unwrap();

    // The system's authorities do not know the daemon's.
    match connect(port, folder.path()).await.err() {
        Some(BuildError::DaemonUnreachable { tried }) => assert!(tried[0].reason.contains("certificate"), "{tried:?}"),
        other => panic!("unexpected {other:?}"),
    }
    // It is known, but does not know us.
    write("ca.pem", &authority.pem());
    assert!(matches!(connect(port, folder.path()).await.err(), Some(BuildError::DaemonUnreachable { .. })));

    let (certificate, key) = certificate(&authority, &[]);
    write("cert.pem", &certificate.pem());
    write("key.pem", &key.serialize_pem());
    let builder = connect(port, folder.path()).await.unwrap();
    assert_eq!(builder.info(), bench.builder.info());
    let told = bench.build_with(&builder, bench.request("FROM BASE AS x\nRUN echo NONCE\n", &["x"])).await;
    assert_eq!(told.log(), [bench.nonce.as_str()]);

    write("key.pem", "no key");
    assert!(matches!(connect(port, folder.path()).await.err(), Some(BuildError::Tls { .. })));
}
