//! A registry in memory, as much of one as a push and a pull need, on a port of the loopback.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use sha2::Digest as _;

/// What is stored under a path: its type and its bytes.
type Stored = BTreeMap<String, (String, Bytes)>;

/// Blobs and manifests by path, such as `/v2/name/manifests/tag`.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    stored: Arc<Mutex<Stored>>,
    uploads: Arc<AtomicUsize>,
    /// Nobody but this user, with this password, may do anything.
    login: Option<(&'static str, &'static str)>,
    /// Where it is: `localhost:PORT`.
    pub(crate) host: String,
}

impl Registry {
    /// Starts one, for as long as the process runs.
    pub(crate) fn start(login: Option<(&'static str, &'static str)>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let host = format!("localhost:{}", listener.local_addr().expect("an address").port());
        let registry = Self { stored: Arc::default(), uploads: Arc::default(), login, host };
        let router = Router::new().fallback(answer).with_state(registry.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                axum::serve(listener, router).await
            })
        });
        registry
    }

    /// The manifests that have a tag, as `name:tag`.
    pub(crate) fn tags(&self) -> Vec<String> {
        let stored = self.stored();
        let tags = stored.keys().filter_map(|path| path.strip_prefix("/v2/")?.split_once("/manifests/"));
        tags.filter(|(_, tag)| !tag.starts_with("sha256:")).map(|(name, tag)| format!("{name}:{tag}")).collect()
    }

    /// The manifest or index with a tag.
    pub(crate) fn manifest(&self, name: &str, tag: &str) -> String {
        let stored = self.stored();
        String::from_utf8(stored[&format!("/v2/{name}/manifests/{tag}")].1.to_vec()).expect("JSON")
    }

    /// Takes a tag away.
    pub(crate) fn forget(&self, name: &str, tag: &str) {
        self.stored().remove(&format!("/v2/{name}/manifests/{tag}"));
    }

    /// Its digest.
    pub(crate) fn digest(&self, name: &str, tag: &str) -> String {
        digest(self.manifest(name, tag).as_bytes())
    }

    /// Of which kind it is.
    pub(crate) fn kind(&self, name: &str, tag: &str) -> String {
        self.stored()[&format!("/v2/{name}/manifests/{tag}")].0.clone()
    }

    /// How many uploads have begun.
    pub(crate) fn uploads(&self) -> usize {
        self.uploads.load(Ordering::Relaxed)
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().expect("no request panics")
    }

    fn may_enter(&self, headers: &HeaderMap) -> bool {
        let Some((user, password)) = self.login else { return true };
        let expected = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        headers.get(header::AUTHORIZATION).is_some_and(|value| value == &format!("Basic {expected}"))
    }
}

fn digest(bytes: &[u8]) -> String {
    let sum = sha2::Sha256::digest(bytes);
    let hex: Vec<String> = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", hex.concat())
}

async fn answer(State(registry): State<Registry>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !registry.may_enter(&parts.headers) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"test\"")]).into_response();
    }
    let path = parts.uri.path().to_owned();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
    let kind =
        parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    let mut stored = registry.stored();
    match parts.method {
        Method::GET | Method::HEAD if path == "/v2/" => StatusCode::OK.into_response(),
        Method::GET | Method::HEAD => match stored.get(&path) {
            Some((kind, content)) => {
                // Of a blob the path tells it, and hashing hundreds of megabytes takes a while here.
                let digest = match path.rsplit_once("/blobs/") {
                    Some((_, digest)) => digest.to_owned(),
                    None => digest(content),
                };
                let headers = [("content-type", kind.clone()), ("docker-content-digest", digest)];
                (headers, content.clone()).into_response()
            }
            None => StatusCode::NOT_FOUND.into_response(),
        },
        Method::POST => {
            registry.uploads.fetch_add(1, Ordering::Relaxed);
            let location = format!("{}{}", path, stored.len());
            stored.insert(location.clone(), (String::new(), Bytes::new()));
            (StatusCode::ACCEPTED, [("location", location.as_str()), ("docker-upload-uuid", "1"), ("range", "0-0")])
                .into_response()
        }
        Method::PATCH => {
            let (_, content) = &stored[&path];
            let content: Bytes = if content.is_empty() { body } else { [content.clone(), body].concat().into() };
            let range = format!("0-{}", content.len().saturating_sub(1));
            stored.insert(path.clone(), (String::new(), content));
            (StatusCode::ACCEPTED, [("location", path), ("range", range)]).into_response()
        }
        Method::PUT => {
            let (location, digest, kind, content) = if let Some((name, _)) = path.split_once("/blobs/uploads/") {
                let (_, content) = stored.remove(&path).expect("an upload");
                let content: Bytes = if body.is_empty() { content } else { [content, body].concat().into() };
                let digest =
                    parts.uri.query().and_then(|query| query.split('&').find_map(|part| part.strip_prefix("digest=")));
                let digest = digest.expect("an upload ends with its digest").replace("%3A", ":");
                (format!("{name}/blobs/{digest}"), digest, "application/octet-stream".to_owned(), content)
            } else {
                stored.insert(path.clone(), (kind.clone(), body.clone()));
                let (name, _) = path.rsplit_once('/').expect("a path");
                let digest = digest(&body);
                (format!("{name}/{digest}"), digest, kind, body)
            };
            stored.insert(location.clone(), (kind, content));
            (StatusCode::CREATED, [("location", location), ("docker-content-digest", digest)]).into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}
