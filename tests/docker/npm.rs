//! A registry of one npm package, on a port of the loopback, for those who have its token.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use drydock_test::Fixture;
use serde_json::json;
use sha2::Digest as _;

/// Serves `@private/one` 1.0.0, whose value is `open`.
#[derive(Clone, Debug)]
pub(crate) struct Npm {
    /// Where it is: `127.0.0.1:PORT`.
    pub(crate) host: String,
    /// The integrity of the package.
    pub(crate) integrity: String,
    token: String,
    package: Bytes,
    served: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Npm {
    /// Starts one, for as long as the process runs.
    pub(crate) fn start(token: &str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let host = listener.local_addr().expect("an address").to_string();
        let package = packed();
        let sum = base64::engine::general_purpose::STANDARD.encode(sha2::Sha512::digest(&package));
        let npm = Self {
            host,
            integrity: format!("sha512-{sum}"),
            token: token.to_owned(),
            package,
            served: Arc::default(),
            refused: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(npm.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                axum::serve(listener, router).await
            })
        });
        npm
    }

    /// Where the package is.
    pub(crate) fn tarball(&self) -> String {
        format!("http://{}/@private/one/-/one-1.0.0.tgz", self.host)
    }

    /// How many requests had the token.
    pub(crate) fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// How many had not.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }
}

/// The package as npm packs it.
fn packed() -> Bytes {
    let folder = Fixture::empty();
    folder.write("package/package.json", r#"{ "name": "@private/one", "version": "1.0.0" }"#);
    folder.write("package/index.js", "module.exports = 'open';\n");
    let output = Command::new("tar").args(["-cz", "package"]).current_dir(folder.root()).output();
    let output = output.expect("`tar` is on PATH");
    assert!(output.status.success());
    output.stdout.into()
}

async fn answer(State(npm): State<Npm>, request: Request) -> Response {
    let expected = format!("Bearer {}", npm.token);
    if request.headers().get(header::AUTHORIZATION).is_none_or(|value| value != &expected) {
        npm.refused.fetch_add(1, Ordering::Relaxed);
        return StatusCode::UNAUTHORIZED.into_response();
    }
    npm.served.fetch_add(1, Ordering::Relaxed);
    if request.uri().path().contains("/-/") {
        return npm.package.clone().into_response();
    }
    let version = json!({
        "name": "@private/one",
        "version": "1.0.0",
        "dist": { "tarball": npm.tarball(), "integrity": npm.integrity },
    });
    let document = json!({
        "name": "@private/one",
        "dist-tags": { "latest": "1.0.0" },
        "versions": { "1.0.0": version },
    });
    document.to_string().into_response()
}
