//! Pushes images that are in the daemon's store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::docker_config::{Credential, DockerConfig, registry_of};
use crate::engine::{Engine, split_tag};
use crate::error::BuildError;
use crate::event::{Event, PushProgress, Pushed};

/// One line of what the daemon tells of a push.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    id: Option<String>,
    status: Option<String>,
    #[serde(default)]
    progress_detail: Detail,
    aux: Option<Aux>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    current: u64,
    total: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Aux {
    digest: Option<String>,
    size: Option<u64>,
}

/// Pushes `references`, `jobs` at a time. At the first that fails the others are stopped, and the error says which had
/// arrived.
pub(crate) async fn push(
    engine: &Engine,
    docker_config: &DockerConfig,
    references: &[String],
    jobs: usize,
    events: &UnboundedSender<Event>,
    cancel: &CancellationToken,
) -> Result<Vec<Pushed>, BuildError> {
    let under_way = references
        .iter()
        .enumerate()
        .map(|(index, reference)| async move { (index, push_one(engine, docker_config, reference, events).await) });
    let mut under_way = futures_util::stream::iter(under_way).buffer_unordered(jobs.max(1));
    let mut pushed: Vec<(usize, Pushed)> = Vec::new();
    let so_far = |pushed: Vec<(usize, Pushed)>| pushed.into_iter().map(|(_, pushed)| pushed.reference).collect();
    loop {
        let next = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(BuildError::PushCancelled { pushed: so_far(pushed) }),
            next = under_way.next() => next,
        };
        match next {
            Some((index, Ok(one))) => {
                drop(events.send(Event::Pushed(one.clone())));
                pushed.push((index, one));
            }
            Some((index, Err(message))) => {
                let reference = references[index].clone();
                return Err(BuildError::PushFailed { reference, message, pushed: so_far(pushed) });
            }
            None => break,
        }
    }
    pushed.sort_by_key(|(index, _)| *index);
    Ok(pushed.into_iter().map(|(_, pushed)| pushed).collect())
}

async fn push_one(
    engine: &Engine,
    docker_config: &DockerConfig,
    reference: &str,
    events: &UnboundedSender<Event>,
) -> Result<Pushed, String> {
    let (name, tag) = split_tag(reference);
    let login = login(docker_config.lookup(registry_of(reference)).await, registry_of(reference));
    let mut pushed = Pushed { reference: reference.to_owned(), digest: None, size: None };
    let path = format!("/images/{name}/push?tag={tag}");
    engine
        .post_for_lines(&path, &[("X-Registry-Auth", login)], |line: Line| {
            let Line { id, status, progress_detail, aux } = line;
            if let Some(Aux { digest, size }) = aux {
                (pushed.digest, pushed.size) = (digest, size);
            }
            // The old image store tells it in `aux`, containerd's only in a sentence.
            if let (None, Some((digest, size))) = (&id, status.as_deref().and_then(digest_and_size)) {
                (pushed.digest, pushed.size) = (Some(digest), size);
            }
            if let (Some(layer), Some(status)) = (id, status) {
                drop(events.send(Event::PushProgress(PushProgress {
                    reference: reference.to_owned(),
                    layer,
                    status,
                    current: progress_detail.current,
                    total: (progress_detail.total > 0).then_some(progress_detail.total),
                })));
            }
        })
        .await?;
    Ok(pushed)
}

/// The digest that a registry has under a reference, which the daemon asks for us.
pub(crate) async fn registry_digest(
    engine: &Engine,
    docker_config: &DockerConfig,
    reference: &str,
) -> Result<String, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        descriptor: Descriptor,
    }
    #[derive(Deserialize)]
    struct Descriptor {
        digest: String,
    }
    let login = login(docker_config.lookup(registry_of(reference)).await, registry_of(reference));
    let path = format!("/distribution/{reference}/json");
    let answer: Answer = engine.get(&path, &[("X-Registry-Auth", login)]).await?;
    Ok(answer.descriptor.digest)
}

/// What is told in `1.0: digest: sha256:… size: 1234`.
fn digest_and_size(status: &str) -> Option<(String, Option<u64>)> {
    let (_, rest) = status.split_once("digest: ")?;
    let (digest, size) = rest.split_once(" size: ")?;
    Some((digest.to_owned(), size.trim().parse().ok()))
}

/// The header that carries credentials. It must be there even where there are none.
fn login(credential: Option<Credential>, registry: &str) -> String {
    let value = match credential {
        Some(Credential::Password { username, password }) => {
            json!({ "username": username, "password": password, "serveraddress": registry })
        }
        Some(Credential::IdentityToken(token)) => json!({ "identitytoken": token, "serveraddress": registry }),
        None => json!({}),
    };
    URL_SAFE.encode(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_found_in_the_last_sentence() {
        assert_eq!(digest_and_size("1: digest: sha256:ab size: 696"), Some(("sha256:ab".to_owned(), Some(696))));
        assert_eq!(digest_and_size("The push refers to repository [localhost:5055/a]"), None);
    }
}
