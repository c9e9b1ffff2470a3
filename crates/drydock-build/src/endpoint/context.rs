//! Docker contexts: `~/.docker/config.json` names one, `~/.docker/contexts/meta` holds them.

use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Endpoint, Environment, TlsFiles};
use crate::error::BuildError;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    current_context: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: DockerEndpoint,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEndpoint {
    host: Option<String>,
    #[serde(default, rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

/// The endpoint of the context that is chosen; `None` when none is, or the one called `default`, which has no file.
pub(super) fn chosen(environment: &Environment) -> Result<Option<Endpoint>, BuildError> {
    let Some(folder) = environment.docker_config() else {
        return Ok(None);
    };
    let (name, origin) = if let Some(name) = environment.variable("DOCKER_CONTEXT") {
        (name.to_owned(), "the environment variable `DOCKER_CONTEXT`".to_owned())
    } else {
        let path = folder.join("config.json");
        let current = read_json::<Config>(&path)?.and_then(|config| config.current_context);
        let Some(name) = current.filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        (name, format!("`currentContext` of `{}`", path.display()))
    };
    if name == "default" {
        return Ok(None);
    }
    let id = hex(&Sha256::digest(name.as_bytes()));
    let path = folder.join("contexts/meta").join(&id).join("meta.json");
    let Some(meta) = read_json::<Meta>(&path)? else {
        return Err(BuildError::UnknownContext { name, origin, path });
    };
    let Meta { endpoints: Endpoints { docker: DockerEndpoint { host, skip_tls_verify } } } = meta;
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return Ok(None);
    };
    // The certificates of a context are its own: the variables for TLS belong to `DOCKER_HOST`.
    let bare = Environment { variables: std::collections::BTreeMap::new(), home: environment.home.clone() };
    let mut endpoint = Endpoint::parse(&host, &format!("the Docker context `{name}`, chosen by {origin}"), &bare)?;
    let certificates = folder.join("contexts/tls").join(&id).join("docker");
    if certificates.exists() || skip_tls_verify {
        endpoint.tls = Some(TlsFiles { folder: Some(certificates), verify: !skip_tls_verify });
    }
    Ok(Some(endpoint))
}

/// A JSON file; `None` when it does not exist.
fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, BuildError> {
    let invalid = |reason: String| BuildError::InvalidDockerConfig { path: path.to_owned(), reason };
    match fs_err::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| invalid(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(invalid(error.to_string())),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}
