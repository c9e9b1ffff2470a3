//! What answers at an address and is not what we need. Nothing here needs Docker.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::routing::{get, post};
use drydock_build::{BuildError, Builder, Endpoint, Environment};
use drydock_diagnostics::{Category, Diagnose};

/// Connects to a server that answers a ping with these headers, is of this version, and answers upgrades with 404.
async fn connect(headers: &'static [(&'static str, &'static str)], version: &str) -> BuildError {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let info = format!(r#"{{"ServerVersion":"{version}"}}"#);
    let ping = move || async move {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        (headers.collect::<HeaderMap>(), "OK")
    };
    let router = Router::new()
        .route("/_ping", get(ping))
        .route("/info", get(|| async { ([("content-type", "application/json")], info) }))
        .route("/grpc", post(|| async { StatusCode::NOT_FOUND }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let environment = Environment::default();
    let endpoint = Endpoint::parse(&address, "a test", &environment).unwrap();
    match Builder::connect(endpoint, &environment).await {
        Ok(_) => panic!("connected"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn an_old_docker_is_too_old() {
    let error = connect(&[("api-version", "1.40")], "19.03.15").await;
    assert_eq!(error.to_string(), "Docker 19.03.15 is too old");
    assert_eq!(error.notes(), ["its API is 1.40; 1.41 (Docker 20.10) is needed"]);
    assert_eq!((error.code(), error.category()), ("docker-too-old", Category::Docker));
}

#[tokio::test]
async fn podman_has_no_buildkit() {
    let error = connect(&[("api-version", "1.41"), ("libpod-api-version", "5.0.0")], "5.0.0").await;
    assert!(error.to_string().starts_with("Podman at `tcp://127.0.0.1:"), "{error}");
    assert!(error.help().unwrap().contains("cargo drydock dockerfile --out-dir"));
}

#[tokio::test]
async fn a_proxy_that_hides_buildkit_is_named() {
    let error = connect(&[("api-version", "1.48")], "28.0.0").await;
    assert!(matches!(error, BuildError::NoBuildKit { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_no_docker_at_all_is_unreachable() {
    let error = connect(&[], "1.0").await;
    assert!(matches!(error, BuildError::DaemonUnreachable { .. }), "{error:?}");
    assert!(error.notes().concat().contains("is not Docker"), "{:?}", error.notes());
}
