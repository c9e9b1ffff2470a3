//! What a run reads before it begins: the context's listing, secrets, agents.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::builder::Builder;
use crate::cache_folder;
use crate::content::ListedContext;
use crate::endpoint::Environment;
use crate::error::BuildError;
use crate::request::{BuildRequest, Secret, SecretSource, SshForward};
use crate::session::Blobs;

/// Lists the context and reads the secrets, on threads where that may block.
pub(super) async fn prepare(
    request: &mut BuildRequest,
    environment: &Environment,
) -> Result<(ListedContext, BTreeMap<String, Arc<[u8]>>), BuildError> {
    let entries = std::mem::take(&mut request.context);
    let secrets = std::mem::take(&mut request.secrets);
    let listed = request.listed.take();
    let folder = request.digest_cache.clone();
    let name = request.shared_key.clone();
    let environment = environment.clone();
    let work = move || {
        let secrets = secrets.into_iter().map(|secret| read_secret(secret, &environment)).collect::<Result<_, _>>()?;
        let cache = folder.as_deref().map(|folder| (folder, name.as_str()));
        let listed = listed.map_or_else(|| ListedContext::list(entries, cache, |_| None), Ok)?;
        Ok((listed, secrets))
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

fn read_secret(secret: Secret, environment: &Environment) -> Result<(String, Arc<[u8]>), BuildError> {
    let Secret { id, source } = secret;
    let value = match source {
        SecretSource::Bytes(bytes) => Ok(bytes),
        SecretSource::File(path) => fs_err::read(path).map(Arc::from).map_err(|error| error.to_string()),
        SecretSource::Env(name) => match environment.variables.get(&name) {
            Some(value) => Ok(value.as_bytes().into()),
            None => Err(format!("the environment variable `{name}` is not set")),
        },
    };
    match value {
        Ok(value) => Ok((id, value)),
        Err(reason) => Err(BuildError::UnreadableSecret { id, reason }),
    }
}

/// The sockets of the agents that are asked for, by id.
pub(super) fn agents(
    forwards: Vec<SshForward>,
    environment: &Environment,
) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    let found = forwards.into_iter().map(|SshForward { id, socket }| {
        let usual = || environment.variable("SSH_AUTH_SOCK").map(PathBuf::from);
        match socket.or_else(usual) {
            Some(socket) if socket.exists() => Ok((id, socket)),
            Some(socket) => {
                Err(BuildError::NoSshAgent { id, reason: format!("`{}` does not exist", socket.display()) })
            }
            None => Err(BuildError::NoSshAgent { id, reason: "`SSH_AUTH_SOCK` is not set".to_owned() }),
        }
    });
    found.collect()
}

/// The folders of caches that the targets name, by the id under which the daemon asks for them.
pub(super) fn blobs(request: &BuildRequest) -> Blobs {
    let folders = request.targets.iter().flat_map(|target| {
        let sources = target.cache_from.iter().filter_map(|cache| cache_folder::named(cache, "src"));
        let destinations = target.cache_to.iter().filter_map(|cache| cache_folder::named(cache, "dest"));
        sources.chain(destinations)
    });
    Blobs(folders.map(|(folder, _)| (Blobs::id(folder), PathBuf::from(folder))).collect())
}

/// Adds the build arguments that `docker build` adds for proxies of Docker's configuration. What the request says stays.
pub(super) fn add_arguments(builder: &Builder, request: &mut BuildRequest) {
    let arguments = builder.docker_config.proxy_arguments(&builder.endpoint().address.to_string());
    for target in &mut request.targets {
        // BuildKit takes a proxy's two spellings for one, and either value of the two.
        let given: Vec<String> = target.build_args.keys().map(|name| name.to_ascii_uppercase()).collect();
        let missing = arguments.iter().filter(|(name, _)| !given.contains(&name.to_ascii_uppercase()));
        target.build_args.extend(missing.map(|(name, value)| (name.clone(), value.clone())));
    }
}
