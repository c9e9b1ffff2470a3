//! The Engine API: everything that is not BuildKit. `bollard` over our own connections.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use bollard::query_parameters::{ImportImageOptions, ListImagesOptions, TagImageOptions};
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use futures_util::{StreamExt, TryStreamExt as _};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};
use tonic::codegen::Bytes;

use crate::contents::{self, ImageContents};
use crate::dial::{Dialer, Stream};
use crate::error::BuildError;

/// The API of Docker 20.10.
const OLDEST_API: (u32, u32) = (1, 41);
/// Seconds that a request may take to be answered; a push sends as it goes.
const PATIENCE: u64 = 120;

/// A client of one daemon's Engine API.
#[derive(Clone)]
pub(crate) struct Engine {
    docker: Docker,
    client: Client<Connect, Full<Bytes>>,
    /// The version of the API that both sides speak.
    api: (u32, u32),
}

/// Opens connections for an HTTP client.
#[derive(Clone)]
struct Connect(Dialer);

impl tower::Service<http::Uri> for Connect {
    type Response = TokioIo<Stream>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let dialer = self.0.clone();
        Box::pin(async move { dialer.dial().await.map(TokioIo::new) })
    }
}

/// How a daemon answers a ping.
struct Greeting {
    api: String,
    podman: bool,
    /// The daemon's version, where it says.
    server: Option<String>,
}

/// An answer that is an error: one line of several, or all there is.
#[derive(Deserialize)]
struct Refusal {
    #[serde(alias = "message")]
    error: String,
}

/// A kind of daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DaemonKind {
    /// Docker, with an image store and BuildKit inside.
    Docker,
    /// BuildKit alone: `buildkitd`.
    BuildKit,
}

/// What a daemon says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonInfo {
    /// Which kind of daemon it is.
    pub kind: DaemonKind,
    /// Version of Docker, such as `28.5.2`; of BuildKit, where it is that alone.
    pub version: String,
    /// Version of Docker's API, such as `1.51`; empty where there is none.
    pub api: String,
    /// Version of BuildKit; daemons before Docker 23 do not say.
    pub buildkit: Option<String>,
    /// Whether images live in containerd's store, which can do several platforms, attestations and cache exports.
    pub containerd_store: bool,
    /// `linux`.
    pub os: String,
    /// Architecture in Go's words: `amd64`, `arm64`.
    pub arch: String,
    /// Processors that the daemon may use, where it says.
    pub cpus: Option<u32>,
    /// Bytes of memory that the daemon may use, where it says.
    pub memory: Option<u64>,
    /// The folder of the daemon's machine that holds images and caches, where it says.
    pub root: Option<String>,
    /// Registries that the daemon reaches without TLS, beside those of its own machine.
    pub insecure_registries: Vec<String>,
}

/// An image in the daemon's store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageDetails {
    /// Its id.
    pub id: String,
    /// Bytes of its layers.
    pub size: u64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `name:tag` references to it.
    pub tags: Vec<String>,
    /// `name@sha256:…` references to it, once it was pushed.
    pub digests: Vec<String>,
}

impl Engine {
    /// A client whose connections are opened as needed and used again.
    pub(crate) fn new(dialer: &Dialer) -> Result<Self, BuildError> {
        let client = Client::builder(TokioExecutor::new()).build(Connect(dialer.clone()));
        let transport = move |request: BollardRequest| {
            let client = client.clone();
            async move { client.request(request).await.map_err(bollard::errors::Error::from) }
        };
        let docker =
            Docker::connect_with_custom_transport(transport, Some("http://docker"), PATIENCE, API_DEFAULT_VERSION)
                .map_err(|error| refused("be asked", &error))?;
        let client = Client::builder(TokioExecutor::new()).build(Connect(dialer.clone()));
        Ok(Self { docker, client, api: OLDEST_API })
    }

    /// Asks who is there, and settles on an API version that both sides speak.
    ///
    /// Not by `/version`: the daemon starts several programs to answer that, and we would wait for it twice.
    pub(crate) async fn introduce(self, dialer: &Dialer) -> Result<(Self, DaemonInfo), BuildError> {
        let (greeting, described) = tokio::join!(self.greet(), self.docker.info());
        let address = || dialer.endpoint().address.to_string();
        let Greeting { api, podman, server } = greeting
            .map_err(|reason| BuildError::DaemonUnreachable { tried: vec![dialer.endpoint().attempt(&reason)] })?;
        if podman {
            return Err(BuildError::NoBuildKit { name: "Podman".to_owned(), address: address() });
        }
        // Before it is judged how it described itself: to be asked in a version that it does not know, it refuses.
        let Some(number) = parse_api(&api).filter(|number| *number >= OLDEST_API) else {
            let described = described.ok().and_then(|info| info.server_version);
            return Err(BuildError::DaemonTooOld { version: described.or(server).unwrap_or_default(), api });
        };
        let info = described.map_err(|error| refused("describe itself", &error))?;
        let version = info.server_version.unwrap_or_default();
        let containerd = |row: &Vec<String>| row.iter().any(|cell| cell == "io.containerd.snapshotter.v1");
        let newest = (API_DEFAULT_VERSION.major_version, API_DEFAULT_VERSION.minor_version);
        let newest = (u32::try_from(newest.0).unwrap_or(u32::MAX), u32::try_from(newest.1).unwrap_or(u32::MAX));
        let indexes = info.registry_config.and_then(|config| config.index_configs).unwrap_or_default();
        let insecure = indexes.into_iter().filter(|(_, index)| index.secure == Some(false)).map(|(name, _)| name);
        let mut insecure_registries: Vec<String> = insecure.collect();
        insecure_registries.sort();
        let info = DaemonInfo {
            kind: DaemonKind::Docker,
            version,
            api,
            buildkit: None,
            containerd_store: info.driver_status.unwrap_or_default().iter().any(containerd),
            os: info.os_type.unwrap_or_default(),
            arch: architecture(info.architecture.unwrap_or_default()),
            cpus: info.ncpu.and_then(|cpus| u32::try_from(cpus).ok()),
            memory: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()),
            root: info.docker_root_dir.filter(|root| !root.is_empty()),
            insecure_registries,
        };
        Ok((Self { api: number.min(newest), ..self }, info))
    }

    /// What the head of the daemon's shortest answer tells; else why there is none.
    async fn greet(&self) -> Result<Greeting, String> {
        let request = http::Request::get("http://docker/_ping").body(Full::default()).expect("it is a request");
        let response = self.client.request(request).await.map_err(|error| root_cause(&error))?;
        let text = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        match text("api-version") {
            Some(api) => {
                // `Docker/28.5.2 (linux)`
                let server = text("server")
                    .and_then(|server| server.strip_prefix("Docker/")?.split(' ').next().map(str::to_owned));
                Ok(Greeting { api, podman: text("libpod-api-version").is_some(), server })
            }
            None => Err("what answers is not Docker".to_owned()),
        }
    }

    /// An image by id or reference; `None` when there is none.
    pub(crate) async fn inspect(&self, image: &str) -> Result<Option<ImageDetails>, BuildError> {
        let found = match self.docker.inspect_image(image).await {
            Ok(found) => found,
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(None),
            Err(error) => return Err(refused(&format!("inspect `{image}`"), &error)),
        };
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        Ok(Some(ImageDetails {
            id: found.id.unwrap_or_default(),
            size: found.size.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
            labels: labels.into_iter().collect(),
            tags: found.repo_tags.unwrap_or_default(),
            digests: found.repo_digests.unwrap_or_default(),
        }))
    }

    /// What an image holds.
    pub(crate) async fn contents(&self, image: &str) -> Result<ImageContents, BuildError> {
        let activity = format!("read `{image}`");
        let bytes = self.docker.export_image(image).map_err(std::io::Error::other);
        let reader = SyncIoBridge::new(StreamReader::new(Box::pin(bytes)));
        let read = tokio::task::spawn_blocking(move || contents::read(reader)).await;
        let read = read.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        read.map_err(|error| BuildError::Daemon { activity, message: root_cause(&error) })
    }

    /// The ids of the images with this label and value, newest first.
    pub(crate) async fn labelled(&self, key: &str, value: &str) -> Result<Vec<String>, BuildError> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{key}={value}")])]);
        let options = ListImagesOptions { filters: Some(filters), ..ListImagesOptions::default() };
        let found = self.docker.list_images(Some(options)).await;
        let found = found.map_err(|error| refused("list images", &error))?;
        Ok(found.into_iter().map(|image| image.id).collect())
    }

    /// `GET path` of the API version settled on: one JSON document.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, headers: &[(&str, String)]) -> Result<T, String> {
        let mut request = http::Request::get(format!("http://docker/v{}.{}{path}", self.api.0, self.api.1));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::default()).map_err(|error| error.to_string())?;
        let response = self.client.request(request).await.map_err(|error| root_cause(&error))?;
        let success = response.status().is_success();
        let body = response.into_body().collect().await.map_err(|error| root_cause(&error))?.to_bytes();
        if success {
            return serde_json::from_slice(&body).map_err(|error| error.to_string());
        }
        Err(match serde_json::from_slice(&body) {
            Ok(Refusal { error: message }) => message,
            Err(_) => String::from_utf8_lossy(&body).trim().to_owned(),
        })
    }

    /// `POST path` of the API version settled on, and each line of JSON that is answered. For calls of which bollard
    /// throws away what matters. A line that is an error ends it.
    pub(crate) async fn post_for_lines<T: DeserializeOwned>(
        &self,
        path: &str,
        headers: &[(&str, String)],
        mut line: impl FnMut(T),
    ) -> Result<(), String> {
        let mut request = http::Request::post(format!("http://docker/v{}.{}{path}", self.api.0, self.api.1));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::default()).map_err(|error| error.to_string())?;
        let response = self.client.request(request).await.map_err(|error| root_cause(&error))?;
        let success = response.status().is_success();
        let mut body = response.into_body();
        let mut text: Vec<u8> = Vec::new();
        while let Some(frame) = body.frame().await {
            text.extend(frame.map_err(|error| root_cause(&error))?.data_ref().into_iter().flatten());
            while let Some(end) = text.iter().position(|byte| *byte == b'\n').filter(|_| success) {
                let rest = text.split_off(end + 1);
                let one = std::mem::replace(&mut text, rest);
                if let Ok(Refusal { error: message }) = serde_json::from_slice(&one) {
                    return Err(message);
                }
                if let Ok(one) = serde_json::from_slice(&one) {
                    line(one);
                }
            }
        }
        match serde_json::from_slice(&text) {
            Ok(Refusal { error: message }) => Err(message),
            Err(_) if success => Ok(()),
            Err(_) => Err(String::from_utf8_lossy(&text).trim().to_owned()),
        }
    }

    /// Takes the images of an archive into the store, and says what they are called there.
    pub(crate) async fn load(&self, archive: &Path) -> Result<Vec<String>, BuildError> {
        let activity = format!("load `{}`", archive.display());
        let file = tokio::fs::File::open(archive)
            .await
            .map_err(|error| BuildError::Daemon { activity: activity.clone(), message: error.to_string() })?;
        let options = ImportImageOptions { quiet: true, ..ImportImageOptions::default() };
        let mut told = Box::pin(self.docker.import_image_stream(options, ReaderStream::new(file), None));
        let mut loaded = Vec::new();
        while let Some(line) = told.next().await {
            let line = line.map_err(|error| refused(&activity, &error))?.stream.unwrap_or_default();
            // `Loaded image: name:tag`, or `Loaded image ID: sha256:…`.
            if let Some((_, name)) = line.split_once("Loaded image").and_then(|(_, rest)| rest.split_once(": ")) {
                loaded.push(name.trim().to_owned());
            }
        }
        Ok(loaded)
    }

    /// Gives an image one more reference.
    pub(crate) async fn tag(&self, image: &str, reference: &str) -> Result<(), BuildError> {
        let (repo, tag) = split_tag(reference);
        let options = TagImageOptions { repo: Some(repo.to_owned()), tag: Some(tag.to_owned()) };
        self.docker
            .tag_image(image, Some(options))
            .await
            .map_err(|error| refused(&format!("tag `{image}` as `{reference}`"), &error))
    }
}

/// A request that the daemon answered with an error.
pub(crate) fn refused(activity: &str, error: &bollard::errors::Error) -> BuildError {
    let message = match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        bollard::errors::Error::DockerStreamError { error } => error.clone(),
        other => root_cause(other),
    };
    BuildError::Daemon { activity: activity.to_owned(), message }
}

/// What the last error of a chain says: the ones above it only say which layer passed it on.
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Name and tag of an image reference; the colon of a registry's port begins no tag.
pub(crate) fn split_tag(reference: &str) -> (&str, &str) {
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

/// An architecture in Go's words; the daemon says it in the kernel's.
fn architecture(machine: String) -> String {
    match machine.as_str() {
        "x86_64" => "amd64".to_owned(),
        "aarch64" => "arm64".to_owned(),
        "i386" | "i686" => "386".to_owned(),
        arm if arm.starts_with("armv") => "arm".to_owned(),
        _ => machine,
    }
}

fn parse_api(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_split_from_names() {
        for (reference, expected) in [
            ("a", ("a", "latest")),
            ("a:1", ("a", "1")),
            ("localhost:5000/a", ("localhost:5000/a", "latest")),
            ("localhost:5000/a:1", ("localhost:5000/a", "1")),
        ] {
            assert_eq!(split_tag(reference), expected);
        }
    }

    #[test]
    fn api_versions_compare_as_numbers() {
        assert!(parse_api("1.5").unwrap() < OLDEST_API);
        assert!(parse_api("1.51").unwrap() > OLDEST_API);
        assert_eq!(parse_api("one"), None);
    }
}
