//! What we take from Docker's own configuration, as its command does: registry credentials, with their helpers, and the
//! proxies that builds are to use.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::endpoint::Environment;
use crate::error::BuildError;

/// The key of Docker Hub in Docker's configuration.
const HUB_KEY: &str = "https://index.docker.io/v1/";
/// How long a credential helper may take; it may ask the user to unlock a key ring.
const HELPER_PATIENCE: Duration = Duration::from_mins(1);

/// What to show a registry.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    Password {
        username: String,
        password: String,
    },
    /// A refresh token of the registry's own login.
    IdentityToken(String),
}

/// `config.json` of Docker's configuration folder.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DockerConfig {
    auths: BTreeMap<String, Auth>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
    /// By the daemon's address, or `default`.
    proxies: BTreeMap<String, Proxy>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Proxy {
    #[serde(rename = "httpProxy")]
    http: Option<String>,
    #[serde(rename = "httpsProxy")]
    https: Option<String>,
    #[serde(rename = "ftpProxy")]
    ftp: Option<String>,
    #[serde(rename = "noProxy")]
    no: Option<String>,
    #[serde(rename = "allProxy")]
    all: Option<String>,
}

impl std::fmt::Debug for Proxy {
    /// Addresses of proxies can hold passwords.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Proxy(…)")
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "lowercase", default)]
struct Auth {
    #[serde(rename = "auth")]
    pair: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Auth(…)")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

impl DockerConfig {
    /// Reads `config.json` of Docker's configuration folder; no such file is an empty one.
    pub(crate) fn load(environment: &Environment) -> Result<Self, BuildError> {
        let Some(path) = environment.docker_config().map(|folder| folder.join("config.json")) else {
            return Ok(Self::default());
        };
        let invalid = |path: PathBuf, reason: String| BuildError::InvalidDockerConfig { path, reason };
        match fs_err::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| invalid(path, error.to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(invalid(path, error.to_string())),
        }
    }

    /// What to show the registry at `host`: the helper that is named for it, else the common helper, else the file.
    pub(crate) async fn lookup(&self, host: &str) -> Option<Credential> {
        let key = config_key(host);
        let helper = self.cred_helpers.get(&key).or_else(|| self.cred_helpers.get(host));
        if let Some(helper) = helper.or(self.creds_store.as_ref()).filter(|name| !name.is_empty())
            && let Some(credential) = ask_helper(helper, &key).await
        {
            return Some(credential);
        }
        let bare = bare_host(&key);
        let auth = self
            .auths
            .get(&key)
            .or_else(|| self.auths.iter().find(|(name, _)| bare_host(name) == bare).map(|(_, auth)| auth))?;
        auth.credential()
    }
}

impl DockerConfig {
    /// The build arguments by which builds on the daemon at `address` learn of proxies. BuildKit keeps them out of
    /// cache keys.
    pub(crate) fn proxy_arguments(&self, address: &str) -> BTreeMap<String, String> {
        let Some(proxy) = self.proxies.get(address).or_else(|| self.proxies.get("default")) else {
            return BTreeMap::new();
        };
        let Proxy { http, https, ftp, no, all } = proxy;
        let named =
            [("HTTP_PROXY", http), ("HTTPS_PROXY", https), ("FTP_PROXY", ftp), ("NO_PROXY", no), ("ALL_PROXY", all)];
        // Programs do not agree on the case.
        let both =
            |(name, value): (&str, &String)| [(name.to_owned(), value.clone()), (name.to_lowercase(), value.clone())];
        named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).flat_map(both).collect()
    }
}

impl Auth {
    fn credential(&self) -> Option<Credential> {
        let filled = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        if let Some(token) = filled(&self.identitytoken) {
            return Some(Credential::IdentityToken(token));
        }
        if let (Some(username), Some(password)) = (filled(&self.username), filled(&self.password)) {
            return Some(Credential::Password { username, password });
        }
        let decoded = STANDARD.decode(filled(&self.pair)?).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (username, password) = text.split_once(':')?;
        Some(Credential::Password {
            username: username.to_owned(),
            password: password.trim_end_matches('\0').to_owned(),
        })
    }
}

/// Runs `docker-credential-NAME get`. A helper that fails or knows nothing gives none, as with `docker`.
async fn ask_helper(name: &str, key: &str) -> Option<Credential> {
    let mut child = Command::new(format!("docker-credential-{name}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(key.as_bytes()).await.ok()?;
    drop(stdin);
    let output = tokio::time::timeout(HELPER_PATIENCE, child.wait_with_output()).await.ok()?.ok()?;
    if !output.status.success() {
        return None;
    }
    let HelperAnswer { username, secret } = serde_json::from_slice(&output.stdout).ok()?;
    Some(match username.as_str() {
        "<token>" => Credential::IdentityToken(secret),
        _ => Credential::Password { username, password: secret },
    })
}

/// The registry's host in an image reference: `docker.io` where it names none.
pub(crate) fn registry_of(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

/// How Docker's configuration spells a registry.
fn config_key(host: &str) -> String {
    match host {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => HUB_KEY.to_owned(),
        _ => host.to_owned(),
    }
}

/// A key of `auths` without scheme and path.
fn bare_host(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    key.split('/').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(username: &str, password: &str) -> Credential {
        Credential::Password { username: username.to_owned(), password: password.to_owned() }
    }

    impl std::fmt::Debug for Credential {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            match self {
                Self::Password { username, password } => write!(formatter, "{username}:{password}"),
                Self::IdentityToken(token) => write!(formatter, "token {token}"),
            }
        }
    }

    fn config(json: &str) -> DockerConfig {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn references_name_their_registry() {
        for (reference, registry) in [
            ("node:22", "docker.io"),
            ("library/node", "docker.io"),
            ("localhost/x", "localhost"),
            ("localhost:5000/x:1", "localhost:5000"),
            ("ghcr.io/me/x@sha256:00", "ghcr.io"),
        ] {
            assert_eq!(registry_of(reference), registry, "{reference}");
        }
    }

    #[tokio::test]
    async fn the_file_is_looked_up_in_all_its_spellings() {
        let config = config(
            r#"{"auths": {
                "https://index.docker.io/v1/": {"auth": "bWU6aHVi"},
                "https://registry.example.com/v2/": {"auth": "bWU6YTpi"},
                "plain.example.com": {"username": "u", "password": "p"},
                "token.example.com": {"auth": "bWU6", "identitytoken": "t"},
                "empty.example.com": {}
            }}"#,
        );
        assert_eq!(config.lookup("registry-1.docker.io").await, Some(password("me", "hub")));
        assert_eq!(config.lookup("docker.io").await, Some(password("me", "hub")));
        assert_eq!(config.lookup("registry.example.com").await, Some(password("me", "a:b")));
        assert_eq!(config.lookup("plain.example.com").await, Some(password("u", "p")));
        assert_eq!(config.lookup("token.example.com").await, Some(Credential::IdentityToken("t".to_owned())));
        assert_eq!(config.lookup("empty.example.com").await, None);
        assert_eq!(config.lookup("other.example.com").await, None);
    }

    #[test]
    fn proxies_become_build_arguments() {
        let config = config(
            r#"{"proxies": {
                "default": {"httpProxy": "http://p:1", "noProxy": "a,b"},
                "tcp://build:2375": {"allProxy": "socks5://q"}
            }}"#,
        );
        let arguments = |address| config.proxy_arguments(address).into_iter().collect::<Vec<_>>();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            arguments("unix:///var/run/docker.sock"),
            [
                pair("HTTP_PROXY", "http://p:1"),
                pair("NO_PROXY", "a,b"),
                pair("http_proxy", "http://p:1"),
                pair("no_proxy", "a,b")
            ]
        );
        assert_eq!(arguments("tcp://build:2375"), [pair("ALL_PROXY", "socks5://q"), pair("all_proxy", "socks5://q")]);
    }

    #[tokio::test]
    async fn a_helper_that_does_not_exist_falls_back_to_the_file() {
        let config = config(r#"{"credsStore": "drydock-no-such-helper", "auths": {"a.b": {"auth": "bWU6cA=="}}}"#);
        assert_eq!(config.lookup("a.b").await, Some(password("me", "p")));
    }
}
