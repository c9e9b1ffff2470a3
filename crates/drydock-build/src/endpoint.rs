//! Where the daemon is: `DOCKER_HOST`, Docker contexts, the usual sockets.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::error::{Attempt, BuildError};

mod context;

/// What endpoint resolution looks at, so that it can be tested without touching the process.
#[derive(Clone, Default)]
pub struct Environment {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
}

impl Environment {
    /// This process's environment.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { variables, home: std::env::home_dir() }
    }

    /// The value of a variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The folder of Docker's configuration: `DOCKER_CONFIG`, or `.docker` in the home folder.
    pub fn docker_config(&self) -> Option<PathBuf> {
        match self.variable("DOCKER_CONFIG") {
            Some(folder) => Some(folder.into()),
            None => Some(self.home.as_ref()?.join(".docker")),
        }
    }
}

impl fmt::Debug for Environment {
    /// Values can be secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variables, home } = self;
        formatter.debug_struct("Environment").field("variables", &variables.keys()).field("home", home).finish()
    }
}

/// Where a daemon is, and how one came to look there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it listens.
    pub address: Address,
    /// Certificates, for TCP with TLS.
    pub tls: Option<TlsFiles>,
    /// Who said so, such as ``the environment variable `DOCKER_HOST` ``.
    pub origin: String,
}

/// Where a daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// A Windows named pipe, as `\\.\pipe\…`.
    NamedPipe(String),
    /// TCP.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// `docker system dial-stdio` on another machine.
    Ssh {
        /// Who logs in.
        user: Option<String>,
        /// Name or address.
        host: String,
        /// Port of sshd.
        port: Option<u16>,
        /// The daemon's socket on the other machine.
        socket: Option<String>,
    },
}

impl Address {
    /// Whether it is this machine, so that both mean the same by `localhost`.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) | Self::NamedPipe(_) => true,
            Self::Tcp { host, .. } => {
                let number = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
                host == "localhost" || number.is_ok_and(|address| address.is_loopback())
            }
            Self::Ssh { .. } => false,
        }
    }
}

/// Where the certificates for a daemon are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The folder that holds `ca.pem`, `cert.pem` and `key.pem`; each may be missing.
    pub folder: Option<PathBuf>,
    /// Whether the daemon's certificate is checked.
    pub verify: bool,
}

impl Endpoint {
    /// The daemon that the `docker` command would use: `DOCKER_HOST`, else the context named by `DOCKER_CONTEXT`, else
    /// the current context of Docker's configuration, else the first of the usual sockets that takes a connection.
    pub fn resolve(environment: &Environment) -> Result<Self, BuildError> {
        if let Some(host) = environment.variable("DOCKER_HOST") {
            return Self::parse(host, "the environment variable `DOCKER_HOST`", environment);
        }
        if let Some(endpoint) = context::chosen(environment)? {
            return Ok(endpoint);
        }
        Self::first_default(environment)
    }

    /// An address as `DOCKER_HOST` holds it: `unix://`, `tcp://`, `ssh://`, `npipe://`. TLS comes from
    /// `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` of the environment, or from `https://`.
    pub fn parse(address: &str, origin: &str, environment: &Environment) -> Result<Self, BuildError> {
        let invalid = |reason: &str| BuildError::InvalidAddress {
            address: address.to_owned(),
            origin: origin.to_owned(),
            reason: reason.to_owned(),
        };
        let Some((scheme, rest)) = address.split_once("://") else {
            return Err(invalid("it has no scheme"));
        };
        let verify = environment.variable("DOCKER_TLS_VERIFY").is_some();
        let tls_wanted = verify || environment.variable("DOCKER_TLS").is_some();
        let folder =
            || environment.variable("DOCKER_CERT_PATH").map(PathBuf::from).or_else(|| environment.docker_config());
        let (address, tls) = match scheme {
            "unix" if rest.is_empty() => return Err(invalid("it has no path")),
            "unix" => (Address::Unix(rest.into()), None),
            "npipe" => (Address::NamedPipe(rest.replace('/', "\\")), None),
            "tcp" | "http" | "https" => {
                let secure = tls_wanted || scheme == "https";
                let tls = secure.then(|| TlsFiles { folder: folder(), verify: verify || scheme == "https" });
                let (host, port) =
                    split_port(rest.trim_end_matches('/')).ok_or_else(|| invalid("its port is not a number"))?;
                if host.is_empty() {
                    return Err(invalid("it has no host"));
                }
                let port = port.unwrap_or(if secure { 2376 } else { 2375 });
                (Address::Tcp { host, port }, tls)
            }
            "ssh" => {
                let (authority, socket) = match rest.split_once('/') {
                    Some((authority, path)) if !path.is_empty() => (authority, Some(format!("/{path}"))),
                    Some((authority, _)) => (authority, None),
                    None => (rest, None),
                };
                let (user, host) = match authority.rsplit_once('@') {
                    Some((user, host)) => (Some(user.to_owned()), host),
                    None => (None, authority),
                };
                let (host, port) = split_port(host).ok_or_else(|| invalid("its port is not a number"))?;
                // A leading dash would be read by ssh as an option.
                if host.is_empty() || host.starts_with('-') || user.as_deref().is_some_and(|user| user.starts_with('-'))
                {
                    return Err(invalid("it has no host"));
                }
                (Address::Ssh { user, host, port, socket }, None)
            }
            _ => return Err(invalid("its scheme is none of `unix`, `tcp`, `ssh`, `npipe`")),
        };
        Ok(Self { address, tls, origin: origin.to_owned() })
    }

    #[cfg(windows)]
    fn first_default(_: &Environment) -> Result<Self, BuildError> {
        let address = Address::NamedPipe(r"\\.\pipe\docker_engine".to_owned());
        Ok(Self { address, tls: None, origin: "the usual place".to_owned() })
    }

    /// The first of the usual sockets that takes a connection.
    #[cfg(unix)]
    fn first_default(environment: &Environment) -> Result<Self, BuildError> {
        let mut tried = Vec::new();
        for (path, origin) in default_sockets(environment) {
            let endpoint = Self { address: Address::Unix(path), tls: None, origin: origin.to_owned() };
            let Address::Unix(path) = &endpoint.address else { continue };
            match std::os::unix::net::UnixStream::connect(path) {
                Ok(_) => return Ok(endpoint),
                Err(error) => tried.push(endpoint.attempt(&error)),
            }
        }
        Err(BuildError::DaemonUnreachable { tried })
    }

    /// This endpoint as one that did not answer.
    pub(crate) fn attempt(&self, error: &dyn fmt::Display) -> Attempt {
        Attempt { address: self.address.to_string(), origin: self.origin.clone(), reason: error.to_string() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Self::NamedPipe(path) => write!(formatter, "npipe://{}", path.replace('\\', "/")),
            Self::Tcp { host, port } if host.contains(':') => write!(formatter, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(formatter, "tcp://{host}:{port}"),
            Self::Ssh { user, host, port, socket } => {
                formatter.write_str("ssh://")?;
                if let Some(user) = user {
                    write!(formatter, "{user}@")?;
                }
                formatter.write_str(host)?;
                if let Some(port) = port {
                    write!(formatter, ":{port}")?;
                }
                formatter.write_str(socket.as_deref().unwrap_or_default())
            }
        }
    }
}

/// The sockets of Docker Engine, rootless Docker, Docker Desktop, Colima, `OrbStack` and Rancher Desktop.
#[cfg(unix)]
fn default_sockets(environment: &Environment) -> Vec<(PathBuf, &'static str)> {
    let mut sockets = vec![(PathBuf::from("/var/run/docker.sock"), "the usual place")];
    if let Some(runtime) = environment.variable("XDG_RUNTIME_DIR") {
        sockets.push((PathBuf::from(runtime).join("docker.sock"), "rootless Docker"));
    }
    if let Some(home) = &environment.home {
        let in_home = [
            (".docker/run/docker.sock", "Docker Desktop"),
            (".docker/desktop/docker.sock", "Docker Desktop"),
            (".colima/default/docker.sock", "Colima"),
            (".orbstack/run/docker.sock", "OrbStack"),
            (".rd/docker.sock", "Rancher Desktop"),
        ];
        // Places of products that are not installed would only be noise in the error.
        let in_home =
            in_home.into_iter().map(|(path, origin)| (home.join(path), origin)).filter(|(path, _)| path.exists());
        sockets.extend(in_home);
    }
    sockets
}

/// `host[:port]`, with brackets round an IPv6 address. `None` when the port is no number.
fn split_port(authority: &str) -> Option<(String, Option<u16>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        let port = match after.strip_prefix(':') {
            Some(port) => Some(port.parse().ok()?),
            None => None,
        };
        return Some((host.to_owned(), port));
    }
    match authority.rsplit_once(':') {
        Some((host, port)) => Some((host.to_owned(), Some(port.parse().ok()?))),
        None => Some((authority.to_owned(), None)),
    }
}

#[cfg(test)]
mod tests;
