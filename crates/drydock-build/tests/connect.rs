//! What answers at an address and is not what we need. Nothing here needs Docker.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use drydock_build::{BuildError, Builder, Endpoint, Environment};
use drydock_diagnostics::{Category, Diagnose};

/// Connects to a server that answers `/version` with `version` and upgrades with `status`.
async fn connect(version: &'static str, status: StatusCode) -> BuildError {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let answer = move || async move { ([("content-type", "application/json")], version) };
    let router = Router::new()
        .route("/version", get(answer))
        .route("/info", get(|| async { ([("content-type", "application/json")], "{}") }))
        .route("/grpc", post(move || async move { status }));
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
    let error = connect(r#"{"Version":"19.03.15","ApiVersion":"1.40"}"#, StatusCode::NOT_FOUND).await;
    assert_eq!(error.to_string(), "Docker 19.03.15 is too old");
    assert_eq!(error.notes(), ["its API is 1.40; 1.41 (Docker 20.10) is needed"]);
    assert_eq!((error.code(), error.category()), ("docker-too-old", Category::Docker));
}

#[tokio::test]
async fn podman_has_no_buildkit() {
    let version =
        r#"{"Version":"5.0.0","ApiVersion":"1.41","Components":[{"Name":"Podman Engine","Version":"5.0.0"}]}"#;
    let error = connect(version, StatusCode::NOT_FOUND).await;
    assert!(error.to_string().starts_with("Podman Engine at `tcp://127.0.0.1:"), "{error}");
    assert!(error.help().unwrap().contains("cargo drydock dockerfile --out-dir"));
}

#[tokio::test]
async fn a_proxy_that_hides_buildkit_is_named() {
    let error = connect(r#"{"Version":"28.0.0","ApiVersion":"1.48"}"#, StatusCode::NOT_FOUND).await;
    assert!(matches!(error, BuildError::NoBuildKit { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_no_docker_at_all_is_unreachable() {
    let error = connect("<html>", StatusCode::NOT_FOUND).await;
    assert!(matches!(error, BuildError::DaemonUnreachable { .. } | BuildError::NoBuildKit { .. }), "{error:?}");
}
