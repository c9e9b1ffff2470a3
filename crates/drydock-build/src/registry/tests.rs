//! A registry as the large ones are: tokens from elsewhere, blobs from elsewhere, indexes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::*;
use crate::docker_config::DockerConfig;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Kinds and bytes, by path.
type Contents = BTreeMap<String, (String, Vec<u8>)>;

/// What is stored.
#[derive(Clone, Default)]
struct Stored(Arc<Mutex<Contents>>);

impl Stored {
    fn put(&self, path: &str, kind: &str, bytes: &[u8]) {
        self.0.lock().unwrap().insert(path.to_owned(), (kind.to_owned(), bytes.to_vec()));
    }

    fn get(&self, path: &str) -> Option<(String, Vec<u8>)> {
        self.0.lock().unwrap().get(path).cloned()
    }

    /// A manifest with a configuration that holds `labels`, and its digest.
    fn image(&self, labels: &serde_json::Value) -> String {
        let config = json!({ "config": { "Labels": labels } }).to_string();
        self.put(&format!("/blobs/{}", digest(config.as_bytes())), "application/octet-stream", config.as_bytes());
        let manifest = json!({ "config": { "digest": digest(config.as_bytes()) } }).to_string();
        let digest = digest(manifest.as_bytes());
        self.put(&format!("/v2/a/b/manifests/{digest}"), MANIFEST, manifest.as_bytes());
        digest
    }
}

async fn answer(State(stored): State<Stored>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let login = head.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    let scope = if head.method == Method::PUT { "pull,push" } else { "pull" };
    if path == "/token" {
        // me:password
        return if login.as_deref() == Some("Basic bWU6cGFzc3dvcmQ=") {
            let query = head.uri.query().unwrap();
            assert!(query.contains("service=here"), "{query}");
            let rights = if query.contains("push") { "pull,push" } else { "pull" };
            json!({ "token": rights }).to_string().into_response()
        } else {
            StatusCode::UNAUTHORIZED.into_response()
        };
    }
    if let Some(blob) = path.strip_prefix("/v2/a/b/blobs/") {
        assert_eq!(login.as_deref(), Some("Bearer pull"));
        return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, format!("/blobs/{blob}"))]).into_response();
    }
    if path.starts_with("/v2/") && login != Some(format!("Bearer {scope}")) {
        let host = head.headers[header::HOST].to_str().unwrap();
        let challenge = format!(r#"Bearer realm="http://{host}/token",service="here",scope="repository:a/b:{scope}""#);
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response();
    }
    if head.method == Method::PUT {
        if path.ends_with("/locked") {
            let said = json!({ "errors": [{ "code": "DENIED", "message": "tags stay as they are" }] });
            return (StatusCode::FORBIDDEN, said.to_string()).into_response();
        }
        let kind = head.headers[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        stored.put(path, &kind, &to_bytes(body, usize::MAX).await.unwrap());
        return StatusCode::CREATED.into_response();
    }
    match stored.get(path) {
        Some((kind, bytes)) => ([(header::CONTENT_TYPE, kind)], bytes).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn start() -> (Stored, String, Registries) {
    let stored = Stored::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    let router = Router::new().fallback(answer).with_state(stored.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config: DockerConfig =
        serde_json::from_value(json!({ "auths": { &host: { "auth": "bWU6cGFzc3dvcmQ=" } } })).unwrap();
    (stored, host, Registries { client: Client::new(config, [].into(), true) })
}

#[tokio::test]
async fn an_index_gets_one_more_tag_with_a_token_for_writing() {
    let (stored, host, registries) = start().await;
    let one = stored.image(&json!({ "same": "1", "arch": "amd64" }));
    let two = stored.image(&json!({ "same": "1", "arch": "arm64" }));
    let attestation = stored.image(&json!({}));
    let index = json!({ "mediaType": INDEX, "manifests": [
        { "digest": one, "platform": { "os": "linux", "architecture": "amd64" } },
        { "digest": two, "platform": { "os": "linux", "architecture": "arm64" } },
        { "digest": attestation, "platform": { "os": "unknown", "architecture": "unknown" } },
    ] });
    let text = serde_json::to_vec_pretty(&index).unwrap();
    stored.put("/v2/a/b/manifests/1", INDEX, &text);

    let image = registries.image(&format!("{host}/a/b:1")).await.unwrap().unwrap();
    assert_eq!(image.labels, BTreeMap::from([("same".to_owned(), "1".to_owned())]));
    assert_eq!((image.media_type.as_str(), &image.config), (INDEX, &None));
    assert_eq!(image.digest, digest(&text));
    assert_eq!(registries.digest(&format!("{host}/a/b:1")).await, Ok(digest(&text)));
    assert!(registries.image(&format!("{host}/a/b:2")).await.unwrap().is_none());

    let pushed = registries.tag(&image, &format!("{host}/a/b:2")).await.unwrap();
    assert_eq!(pushed.digest, Some(digest(&text)));
    assert_eq!(stored.get("/v2/a/b/manifests/2"), Some((INDEX.to_owned(), text)));

    let error = registries.tag(&image, &format!("{host}/a/b:locked")).await.unwrap_err();
    assert!(error.to_string().ends_with("403 Forbidden: tags stay as they are"), "{error}");
}

#[tokio::test]
async fn a_configuration_that_is_not_the_one_is_not_believed() {
    let (stored, host, registries) = start().await;
    let manifest = stored.image(&json!({ "same": "1" }));
    let (_, text) = stored.get(&format!("/v2/a/b/manifests/{manifest}")).unwrap();
    let config = serde_json::from_slice::<Manifest>(&text).unwrap().config.unwrap().digest;
    stored.put(&format!("/blobs/{config}"), "", br#"{"config":{"Labels":{"same":"2"}}}"#);
    let error = registries.image(&format!("{host}/a/b@{manifest}")).await.unwrap_err();
    assert!(error.contains("is not what its digest says"), "{error}");
}

/// `localhost` is another machine to a daemon that is not on this one.
#[tokio::test]
async fn the_loopback_of_another_machine_is_not_asked() {
    let (_, host, _) = start().await;
    let away = Registries { client: Client::new(DockerConfig::default(), [].into(), false) };
    assert!(away.image(&format!("{host}/a/b:1")).await.is_err());
}

#[test]
fn references_have_a_place() {
    let told = |reference| {
        let (Repository { registry, path }, tag) = place(reference);
        format!("{registry} {path} {tag}")
    };
    assert_eq!(told("node"), "docker.io library/node latest");
    assert_eq!(told("docker.io/me/x:1"), "docker.io me/x 1");
    assert_eq!(told("localhost:5000/a/b:1"), "localhost:5000 a/b 1");
    assert_eq!(told("ghcr.io/a/b@sha256:00"), "ghcr.io a/b sha256:00");
    assert_eq!(told("ghcr.io/a/b:1@sha256:00"), "ghcr.io a/b sha256:00");
}

#[test]
fn digests_are_written_as_registries_do() {
    assert_eq!(digest(b""), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
