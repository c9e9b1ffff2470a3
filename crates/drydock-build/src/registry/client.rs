//! HTTP to registries: TLS or not, who we are, and where they send us.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::codegen::Bytes;

use crate::dial::Stream;
use crate::docker_config::{Credential, DockerConfig};
use crate::endpoint::TlsFiles;
use crate::engine::root_cause;
use crate::tls;

/// How long a registry may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a registry may send us elsewhere for one answer.
const REDIRECTS: usize = 5;
/// The longest answer that is read: manifests and configurations are kilobytes.
const LONGEST: usize = 16 * 1024 * 1024;

/// Where images of one name are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repository {
    /// Host and perhaps port, as references have it.
    pub(super) registry: String,
    /// The name there.
    pub(super) path: String,
}

/// The `Authorization` that was last good, by registry, repository and whether it is for writing.
type Known = BTreeMap<(String, String, bool), String>;

/// Asks registries.
#[derive(Clone)]
pub(super) struct Client {
    http: legacy::Client<Connect, Full<Bytes>>,
    docker_config: DockerConfig,
    /// Registries that need no TLS.
    plain: BTreeSet<String>,
    /// Whether what is on this machine's loopback is the builders', too.
    local: bool,
    known: Arc<Mutex<Known>>,
}

/// What a registry answered.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// One request.
#[derive(Clone)]
struct Ask<'a> {
    method: Method,
    path: &'a str,
    /// `Accept` when reading, `Content-Type` when writing.
    kind: &'a str,
    body: Bytes,
}

impl Client {
    pub(super) fn new(docker_config: DockerConfig, plain: BTreeSet<String>, local: bool) -> Self {
        let http = legacy::Client::builder(TokioExecutor::new()).build(Connect::default());
        Self { http, docker_config, plain, local, known: Arc::default() }
    }

    /// What is at `path` of a repository, with its kind; `None` where nothing is.
    pub(super) async fn get(
        &self,
        repository: &Repository,
        path: &str,
        accept: &str,
    ) -> Result<Option<(Option<String>, Bytes)>, String> {
        let ask = Ask { method: Method::GET, path, kind: accept, body: Bytes::new() };
        let answer = self.ask(repository, &ask).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let kind = text(&answer.headers, header::CONTENT_TYPE.as_str());
                Ok(Some((kind.map(|kind| kind.split(';').next().unwrap_or(kind).trim().to_owned()), answer.body)))
            }
            _ => Err(refusal(&answer)),
        }
    }

    /// Puts `body` at `path` of a repository.
    pub(super) async fn put(&self, repository: &Repository, path: &str, kind: &str, body: Bytes) -> Result<(), String> {
        let answer = self.ask(repository, &Ask { method: Method::PUT, path, kind, body }).await?;
        if answer.status.is_success() { Ok(()) } else { Err(refusal(&answer)) }
    }

    async fn ask(&self, repository: &Repository, ask: &Ask<'_>) -> Result<Answer, String> {
        match tokio::time::timeout(PATIENCE, self.ask_patiently(repository, ask)).await {
            Ok(result) => result,
            Err(_) => Err(format!("`{}` did not answer within {} seconds", repository.registry, PATIENCE.as_secs())),
        }
    }

    /// Asks as whoever was let in last, and where that is not enough as the one that the registry wants.
    async fn ask_patiently(&self, repository: &Repository, ask: &Ask<'_>) -> Result<Answer, String> {
        let host = host(&repository.registry);
        let loopback = is_loopback(host);
        if loopback && !self.local {
            return Err(format!("`{host}` is another machine to the daemon"));
        }
        let scheme = if loopback || self.plain.contains(&repository.registry) { "http" } else { "https" };
        let uri = format!("{scheme}://{host}/v2/{}/{}", repository.path, ask.path);
        let key = (repository.registry.clone(), repository.path.clone(), ask.method == Method::PUT);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let answer = self.follow(&uri, ask, known.as_deref()).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let Some(login) = self.log_in(repository, &answer).await? else { return Ok(answer) };
        let answer = self.follow(&uri, ask, Some(&login)).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, login);
        }
        Ok(answer)
    }

    /// Sends a request, and goes where it is sent to. Who we are is for the registry alone.
    async fn follow(&self, uri: &str, ask: &Ask<'_>, login: Option<&str>) -> Result<Answer, String> {
        let begin: Uri = uri.parse().map_err(|_| format!("`{uri}` is no address"))?;
        let mut uri = begin.clone();
        for _ in 0..=REDIRECTS {
            let login = login.filter(|_| uri.authority() == begin.authority() && uri.scheme() == begin.scheme());
            let answer = self.send(&uri, ask, login).await?;
            let place = text(&answer.headers, header::LOCATION.as_str());
            let Some(place) = place.filter(|_| answer.status.is_redirection()) else { return Ok(answer) };
            uri = elsewhere(&uri, place).ok_or_else(|| format!("`{place}` is no address"))?;
        }
        Err("it sends us from place to place".to_owned())
    }

    async fn send(&self, uri: &Uri, ask: &Ask<'_>, login: Option<&str>) -> Result<Answer, String> {
        let name = if ask.method == Method::GET { header::ACCEPT } else { header::CONTENT_TYPE };
        let mut request = http::Request::builder()
            .method(ask.method.clone())
            .uri(uri)
            .header(header::USER_AGENT, concat!("drydock/", env!("CARGO_PKG_VERSION")))
            .header(name, ask.kind);
        if let Some(login) = login {
            request = request.header(header::AUTHORIZATION, login);
        }
        let request = request.body(Full::new(ask.body.clone())).map_err(|error| error.to_string())?;
        let response = self.http.request(request).await.map_err(|error| root_cause(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// The `Authorization` that a registry asks for; `None` when we have nothing to show.
    async fn log_in(&self, repository: &Repository, refused: &Answer) -> Result<Option<String>, String> {
        let credential = self.docker_config.lookup(&repository.registry).await;
        let basic =
            |username: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{username}:{password}")));
        let challenges =
            refused.headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenges: Vec<Challenge> = challenges.filter_map(challenge).collect();
        let Some(bearer) = challenges.iter().find(|challenge| challenge.scheme == "bearer") else {
            return Ok(match credential {
                Some(Credential::Password { username, password }) => Some(basic(&username, &password)),
                _ => None,
            });
        };
        let realm = bearer.parameters.get("realm").ok_or("it does not say where tokens are had")?;
        let mut query = Vec::new();
        for name in ["service", "scope"] {
            if let Some(value) = bearer.parameters.get(name) {
                query.push(format!("{name}={}", escaped(value)));
            }
        }
        let (uri, ask, login) = match &credential {
            Some(Credential::IdentityToken(token)) => {
                query.extend([
                    "grant_type=refresh_token".to_owned(),
                    "client_id=drydock".to_owned(),
                    format!("refresh_token={}", escaped(token)),
                ]);
                let kind = "application/x-www-form-urlencoded";
                (realm.clone(), Ask { method: Method::POST, path: "", kind, body: query.join("&").into() }, None)
            }
            other => {
                let login = match other {
                    Some(Credential::Password { username, password }) => Some(basic(username, password)),
                    _ => None,
                };
                let joint = if realm.contains('?') { '&' } else { '?' };
                let uri = format!("{realm}{joint}{}", query.join("&"));
                (uri, Ask { method: Method::GET, path: "", kind: "application/json", body: Bytes::new() }, login)
            }
        };
        let answer = self.follow(&uri, &ask, login.as_deref()).await?;
        if !answer.status.is_success() {
            return Err(refusal(&answer));
        }
        let token: Token = serde_json::from_slice(&answer.body).map_err(|_| "what it gave is no token".to_owned())?;
        Ok(token.access_token.or(token.token).map(|token| format!("Bearer {token}")))
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// `Bearer realm="…",service="…",scope="…"`.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    scheme: String,
    parameters: BTreeMap<String, String>,
}

fn challenge(text: &str) -> Option<Challenge> {
    let (scheme, mut rest) = text.trim().split_once(' ')?;
    let mut parameters = BTreeMap::new();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        parameters.insert(name.trim_matches([',', ' ']).to_ascii_lowercase(), value.to_owned());
        rest = after;
    }
    Some(Challenge { scheme: scheme.to_ascii_lowercase(), parameters })
}

/// The host that answers for a registry.
fn host(registry: &str) -> &str {
    match registry {
        "docker.io" | "index.docker.io" => "registry-1.docker.io",
        other => other,
    }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name == "localhost" || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Where a redirection leads.
fn elsewhere(from: &Uri, place: &str) -> Option<Uri> {
    if place.contains("://") {
        return place.parse().ok();
    }
    let (scheme, authority) = (from.scheme_str()?, from.authority()?);
    let slash = if place.starts_with('/') { "" } else { "/" };
    format!("{scheme}://{authority}{slash}{place}").parse().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What a registry says when it refuses.
fn refusal(answer: &Answer) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let said = serde_json::from_slice::<Errors>(&answer.body).ok().and_then(|all| all.errors.into_iter().next());
    let status = answer.status;
    match said {
        Some(One { code, message }) if message.is_empty() => format!("{status}: {}", code.to_lowercase()),
        Some(One { message, .. }) => format!("{status}: {message}"),
        None if status == StatusCode::UNAUTHORIZED => "authentication required".to_owned(),
        None => format!("it answered with HTTP status {status}"),
    }
}

/// Text as part of a query.
fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("writing to a string does not fail");
        }
    }
    escaped
}

/// Opens connections for the HTTP client.
#[derive(Clone, Default)]
struct Connect {
    /// Read at the first connection that needs it: the system's authorities are many.
    tls: Arc<OnceLock<Result<Arc<ClientConfig>, String>>>,
}

impl tower::Service<Uri> for Connect {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = Arc::clone(&self.tls);
        Box::pin(async move { dial(&uri, &tls).await.map(TokioIo::new) })
    }
}

async fn dial(uri: &Uri, tls: &OnceLock<Result<Arc<ClientConfig>, String>>) -> io::Result<Stream> {
    let secure = uri.scheme_str() == Some("https");
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    if !secure {
        return Ok(Stream::new(stream));
    }
    let config = tls.get_or_init(|| tls::config(&TlsFiles { folder: None, verify: true }, None).map(Arc::new));
    let config = config.as_ref().map_err(|reason| io::Error::other(reason.clone()))?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(Stream::new(TlsConnector::from(Arc::clone(config)).connect(name, stream).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let read = challenge(r#"Bearer realm="https://auth.x/token",service="r.x",scope="repository:a/b:pull,push""#);
        let read = read.expect("a challenge");
        assert_eq!(read.scheme, "bearer");
        let pairs: Vec<(&str, &str)> =
            read.parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let expected = [("realm", "https://auth.x/token"), ("scope", "repository:a/b:pull,push"), ("service", "r.x")];
        assert_eq!(pairs, expected);
        assert_eq!(challenge("Basic realm=x, charset=\"UTF-8\"").expect("a challenge").parameters["realm"], "x");
        assert_eq!(challenge("Negotiate"), None);
    }

    #[test]
    fn loopback_is_known_by_name_and_number() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["ghcr.io", "10.0.0.1:5000", "localhost.example.com"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn redirections_may_be_relative() {
        let from: Uri = "https://r.x/v2/a/blobs/b".parse().expect("an address");
        assert_eq!(elsewhere(&from, "/blob?x=1").expect("an address").to_string(), "https://r.x/blob?x=1");
        assert_eq!(elsewhere(&from, "https://s3.x/b").expect("an address").to_string(), "https://s3.x/b");
    }

    #[test]
    fn scopes_fit_into_queries() {
        assert_eq!(escaped("repository:a/b:pull"), "repository%3Aa%2Fb%3Apull");
    }
}
