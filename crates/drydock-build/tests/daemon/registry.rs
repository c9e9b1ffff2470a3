//! A registry in memory, as much of one as a push and a pull need.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;

use crate::bench::sha256;

/// Blobs and manifests by path, such as `/v2/name/manifests/tag`.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    stored: Arc<Mutex<BTreeMap<String, (String, Bytes)>>>,
    /// Nobody but this user, with this password, may do anything.
    login: Option<(&'static str, &'static str)>,
}

impl Registry {
    /// Starts one, and says where: `localhost:PORT`.
    pub(crate) async fn start(login: Option<(&'static str, &'static str)>) -> (Self, String) {
        let registry = Self { login, ..Self::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(answer).with_state(registry.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (registry, format!("localhost:{port}"))
    }

    /// The manifests that have a tag, as `name:tag`.
    pub(crate) fn tags(&self) -> Vec<String> {
        let stored = self.stored.lock().unwrap();
        let tags = stored.keys().filter_map(|path| path.strip_prefix("/v2/")?.split_once("/manifests/"));
        tags.filter(|(_, tag)| !tag.starts_with("sha256:")).map(|(name, tag)| format!("{name}:{tag}")).collect()
    }

    /// The manifest or index with a tag.
    pub(crate) fn manifest(&self, name: &str, tag: &str) -> String {
        let stored = self.stored.lock().unwrap();
        String::from_utf8(stored[&format!("/v2/{name}/manifests/{tag}")].1.to_vec()).unwrap()
    }

    /// Its digest.
    pub(crate) fn digest(&self, name: &str, tag: &str) -> String {
        format!("sha256:{}", sha256(self.manifest(name, tag).as_bytes()))
    }

    fn may_enter(&self, headers: &HeaderMap) -> bool {
        let Some((user, password)) = self.login else { return true };
        let expected = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        headers.get(header::AUTHORIZATION).is_some_and(|value| value == &format!("Basic {expected}"))
    }
}

async fn answer(State(registry): State<Registry>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !registry.may_enter(&parts.headers) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"test\"")]).into_response();
    }
    let path = parts.uri.path().to_owned();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let kind =
        parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    let mut stored = registry.stored.lock().unwrap();
    match parts.method {
        Method::GET | Method::HEAD if path == "/v2/" => StatusCode::OK.into_response(),
        Method::GET | Method::HEAD => match stored.get(&path) {
            Some((kind, content)) => {
                let digest = format!("sha256:{}", sha256(content));
                let headers = [("content-type", kind.clone()), ("docker-content-digest", digest)];
                (headers, content.clone()).into_response()
            }
            None => StatusCode::NOT_FOUND.into_response(),
        },
        Method::POST => {
            let location = format!("{}{}", path, stored.len());
            stored.insert(location.clone(), (String::new(), Bytes::new()));
            (StatusCode::ACCEPTED, [("location", location.as_str()), ("docker-upload-uuid", "1"), ("range", "0-0")])
                .into_response()
        }
        Method::PATCH => {
            let (_, content) = &stored[&path];
            let content: Bytes = [content.clone(), body].concat().into();
            let range = format!("0-{}", content.len().saturating_sub(1));
            stored.insert(path.clone(), (String::new(), content));
            (StatusCode::ACCEPTED, [("location", path), ("range", range)]).into_response()
        }
        Method::PUT => {
            let (location, kind, content) = if let Some((name, _)) = path.split_once("/blobs/uploads/") {
                let (_, content) = stored.remove(&path).unwrap();
                let content: Bytes = [content, body].concat().into();
                (format!("{name}/blobs/sha256:{}", sha256(&content)), "application/octet-stream".to_owned(), content)
            } else {
                stored.insert(path.clone(), (kind.clone(), body.clone()));
                let (name, _) = path.rsplit_once('/').unwrap();
                (format!("{name}/sha256:{}", sha256(&body)), kind, body)
            };
            let digest = format!("sha256:{}", sha256(&content));
            stored.insert(location.clone(), (kind, content));
            (StatusCode::CREATED, [("location", location), ("docker-content-digest", digest)]).into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}
