//! Registries, asked by us and not by the daemon: what they hold under a reference, and one more tag for it. No layer is
//! pulled for that, and none is pushed.

mod client;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tonic::codegen::Bytes;

use crate::builder::Builder;
use crate::docker_config::registry_of;
use crate::engine::split_tag;
use crate::error::BuildError;
use crate::event::Pushed;
use client::{Client, Repository};

/// What a registry may answer with when it is asked for an image.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// The registries of images, with the credentials of Docker's configuration.
#[derive(Clone)]
pub struct Registries {
    client: Client,
}

/// An image, or an index of images, in a registry.
#[derive(Debug, Clone)]
pub struct RemoteImage {
    /// The digest of its manifest or index.
    pub digest: String,
    /// Its kind, such as `application/vnd.oci.image.manifest.v1+json`.
    pub media_type: String,
    /// The digest of its configuration, which Docker's own store calls the id; an index has none.
    pub config: Option<String>,
    /// Its labels; of an index, those that all its images have.
    pub labels: BTreeMap<String, String>,
    /// Exactly what the registry has.
    bytes: Bytes,
}

/// A manifest or an index, as far as we read it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    media_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
}

/// The configuration of an image, as far as we read it.
#[derive(Deserialize)]
struct Configuration {
    config: Option<Labels>,
}

#[derive(Deserialize)]
struct Labels {
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

impl Registries {
    /// The registries as these builders see them: those that one of them reaches without TLS are asked so here, too, and
    /// those of this machine only where all builders are on it.
    pub fn of(builders: &[Builder]) -> Self {
        let plain = builders.iter().flat_map(|builder| builder.info().insecure_registries.iter().cloned()).collect();
        let local = builders.iter().all(|builder| builder.endpoint().address.is_local());
        let docker_config = builders.first().map(|builder| builder.docker_config.clone()).unwrap_or_default();
        Self { client: Client::new(docker_config, plain, local) }
    }

    /// What a registry has under a reference; `None` when it has nothing there. The error is a sentence: the registry
    /// does not answer, or refuses.
    pub async fn image(&self, reference: &str) -> Result<Option<RemoteImage>, String> {
        let (repository, tag) = place(reference);
        let Some((media_type, bytes)) = self.manifest(&repository, tag).await? else { return Ok(None) };
        let parsed: Manifest = serde_json::from_slice(&bytes).map_err(|_| "its answer is no manifest".to_owned())?;
        let media_type = media_type.or(parsed.media_type).ok_or("it does not say of which kind its answer is")?;
        let config = parsed.config.map(|config| config.digest);
        let labels = match &config {
            Some(config) => self.labels(&repository, config).await?,
            None => self.common_labels(&repository, &parsed.manifests).await?,
        };
        Ok(Some(RemoteImage { digest: digest(&bytes), media_type, config, labels, bytes }))
    }

    /// The digest of what a registry has under a reference. The error is a sentence: it has nothing there, does not
    /// answer, or refuses.
    pub async fn digest(&self, reference: &str) -> Result<String, String> {
        let (repository, tag) = place(reference);
        match self.manifest(&repository, tag).await? {
            Some((_, bytes)) => Ok(digest(&bytes)),
            None => Err(format!("`{}` has no `{}:{tag}`", repository.registry, repository.path)),
        }
    }

    /// Gives an image one more reference, in the repository where it was found: the same bytes, of the same kind.
    pub async fn tag(&self, image: &RemoteImage, reference: &str) -> Result<Pushed, BuildError> {
        let (repository, tag) = place(reference);
        let path = format!("manifests/{tag}");
        let put = self.client.put(&repository, &path, &image.media_type, image.bytes.clone()).await;
        put.map_err(|message| BuildError::PushFailed { reference: reference.to_owned(), message, pushed: Vec::new() })?;
        Ok(image.pushed(reference))
    }

    async fn manifest(&self, repository: &Repository, tag: &str) -> Result<Option<(Option<String>, Bytes)>, String> {
        self.client.get(repository, &format!("manifests/{tag}"), MANIFESTS).await
    }

    /// The labels in the configuration with this digest.
    async fn labels(&self, repository: &Repository, config: &str) -> Result<BTreeMap<String, String>, String> {
        let found = self.client.get(repository, &format!("blobs/{config}"), "*/*").await?;
        let (_, bytes) = found.ok_or("it has no configuration for the image")?;
        if digest(&bytes) != config {
            return Err("the configuration of the image is not what its digest says".to_owned());
        }
        let parsed: Configuration =
            serde_json::from_slice(&bytes).map_err(|_| "the configuration of the image is none".to_owned())?;
        Ok(parsed.config.and_then(|config| config.labels).unwrap_or_default())
    }

    /// The labels that all images of an index have. Attestations are no images.
    async fn common_labels(
        &self,
        repository: &Repository,
        images: &[Descriptor],
    ) -> Result<BTreeMap<String, String>, String> {
        let mut common: Option<BTreeMap<String, String>> = None;
        for image in images {
            if image.platform.as_ref().is_some_and(|platform| platform.os == "unknown") {
                continue;
            }
            let found = self.manifest(repository, &image.digest).await?;
            let (_, bytes) = found.ok_or("it lacks an image of the index")?;
            let parsed: Manifest =
                serde_json::from_slice(&bytes).map_err(|_| "its answer is no manifest".to_owned())?;
            let Some(config) = parsed.config else { return Ok(BTreeMap::new()) };
            let labels = self.labels(repository, &config.digest).await?;
            common = Some(match common {
                Some(common) => common.into_iter().filter(|(key, value)| labels.get(key) == Some(value)).collect(),
                None => labels,
            });
        }
        Ok(common.unwrap_or_default())
    }
}

impl RemoteImage {
    /// What a push of it to this reference would have told.
    pub fn pushed(&self, reference: &str) -> Pushed {
        let size = Some(self.bytes.len() as u64);
        Pushed { reference: reference.to_owned(), digest: Some(self.digest.clone()), size }
    }
}

/// The repository of a reference, and the tag in it.
fn place(reference: &str) -> (Repository, &str) {
    let (name, tag) = match reference.split_once('@') {
        Some((name, digest)) => (split_tag(name).0, digest),
        None => split_tag(reference),
    };
    let registry = registry_of(name);
    let path = name.strip_prefix(registry).and_then(|path| path.strip_prefix('/')).unwrap_or(name);
    let path = match registry {
        "docker.io" if !path.contains('/') => format!("library/{path}"),
        _ => path.to_owned(),
    };
    (Repository { registry: registry.to_owned(), path }, tag)
}

fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
    }
    text
}
