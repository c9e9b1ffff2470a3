//! Arguments that are a text and a value: build arguments, secrets, ssh agents, attestations.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use drydock_build::{Secret, SecretSource, SshForward};
use drydock_diagnostics::{Category, Diagnose};

/// An argument that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::commands) enum ValueError {
    /// A build argument has no name.
    #[error("`{argument}` is not a build argument")]
    BuildArgument { argument: String },
    /// A build argument takes its value from the environment, which has none.
    #[error("the environment variable `{name}`, which `--build-arg {name}` reads, is not set")]
    Unset { name: String },
    /// `--secret` does not parse.
    #[error("`{argument}` is not a secret: {reason}")]
    Secret { argument: String, reason: &'static str },
    /// `--ssh` does not name an agent.
    #[error("`{argument}` is not an ssh agent: {reason}")]
    Ssh { argument: String, reason: String },
    /// A label or an annotation has no name.
    #[error("`{argument}` is not {what}: it has no name and value")]
    Pair { argument: String, what: &'static str, option: &'static str },
    /// `--provenance` or `--sbom` says something unknown.
    #[error("`{value}` means nothing to `--{option}`")]
    Attestation { option: &'static str, value: String },
    /// `--platform` names no platform.
    #[error("`{text}` is not a platform")]
    Platform { text: String, help: String },
}

impl Diagnose for ValueError {
    fn code(&self) -> &'static str {
        match self {
            Self::BuildArgument { .. } => "build-arg-invalid",
            Self::Unset { .. } => "build-arg-unset",
            Self::Secret { .. } => "secret-invalid",
            Self::Ssh { .. } => "ssh-invalid",
            Self::Pair { .. } => "label-invalid",
            Self::Attestation { .. } => "attestation-invalid",
            Self::Platform { .. } => "platform-invalid",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::BuildArgument { .. } => "write `--build-arg NAME=value`".to_owned(),
            Self::Unset { name } => format!("set it, or write `--build-arg {name}=value`"),
            Self::Secret { .. } => "write `--secret id=NAME,env=VARIABLE` or `--secret id=NAME,src=FILE`".to_owned(),
            Self::Ssh { .. } => "add the key to an agent with `ssh-add`, and write `--ssh default`".to_owned(),
            Self::Pair { option, .. } => format!("write `--{option} NAME=value`"),
            Self::Attestation { option: "sbom", .. } => "write `--sbom` or `--sbom=generator=IMAGE`".to_owned(),
            Self::Attestation { option, .. } => {
                format!("write `--{option}`, `--{option}=mode=min` or `--{option}=mode=max`")
            }
            Self::Platform { help, .. } => help.clone(),
        })
    }
}

/// `NAME=value`, and `NAME` from the environment, as Docker has it.
pub(super) fn build_arguments(arguments: &[String]) -> Result<BTreeMap<String, String>, ValueError> {
    let mut values = BTreeMap::new();
    for argument in arguments {
        let (name, value) = if let Some((name, value)) = argument.split_once('=') {
            (name, value.to_owned())
        } else {
            let value = std::env::var(argument).map_err(|_| ValueError::Unset { name: argument.clone() })?;
            (argument.as_str(), value)
        };
        if name.is_empty() {
            return Err(ValueError::BuildArgument { argument: argument.clone() });
        }
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

/// `id=token,env=TOKEN`, `id=token,src=FILE`, or `id=TOKEN`, which is read from the environment variable `TOKEN`.
pub(super) fn secret(argument: &str) -> Result<Secret, ValueError> {
    let wrong = |reason| ValueError::Secret { argument: argument.to_owned(), reason };
    let (mut id, mut source) = (None, None);
    for part in argument.split(',') {
        match part.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("env", value)) => source = Some(SecretSource::Env(value.to_owned())),
            Some(("src" | "source", value)) => source = Some(SecretSource::File(PathBuf::from(value))),
            Some(("type", "file" | "env")) => {}
            _ => return Err(wrong("it has parts other than `id`, `env` and `src`")),
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| wrong("it has no `id`"))?;
    let source = source.unwrap_or_else(|| SecretSource::Env(id.clone()));
    Ok(Secret { id, source })
}

/// `default`, `ID`, or `ID=SOCKET`.
pub(super) fn ssh(argument: &str) -> Result<SshForward, ValueError> {
    let wrong = |reason: String| ValueError::Ssh { argument: argument.to_owned(), reason };
    let (id, socket) = match argument.split_once('=') {
        Some((id, socket)) => (id, Some(socket)),
        None => (argument, None),
    };
    if id.is_empty() {
        return Err(wrong("it has no id".to_owned()));
    }
    if let Some(socket) = socket {
        if socket.contains(',') {
            return Err(wrong("it names several".to_owned()));
        }
        if !Path::new(socket).exists() {
            return Err(wrong(format!("`{socket}` does not exist")));
        }
        if Path::new(socket).is_file() {
            return Err(wrong(format!("`{socket}` is a file, and keys are taken from agents alone")));
        }
    }
    Ok(SshForward { id: id.to_owned(), socket: socket.map(PathBuf::from) })
}

/// `NAME=value` pairs. `what` and `option` are for messages.
pub(super) fn pairs<'a>(
    arguments: &'a [String],
    what: &'static str,
    option: &'static str,
) -> Result<Vec<(&'a str, &'a str)>, ValueError> {
    let pair = |argument: &'a String| match argument.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name, value)),
        _ => Err(ValueError::Pair { argument: argument.clone(), what, option }),
    };
    arguments.iter().map(pair).collect()
}

/// The attestations that are asked for, as BuildKit takes them.
pub(super) fn attestations(
    provenance: Option<&str>,
    sbom: Option<&str>,
) -> Result<BTreeMap<String, String>, ValueError> {
    let mut attestations = BTreeMap::new();
    for (option, value, keys) in [
        ("provenance", provenance, &["mode=", "builder-id=", "reproducible=", "inline-only="][..]),
        ("sbom", sbom, &["generator="][..]),
    ] {
        let parameters = match value {
            None | Some("false") => continue,
            Some("true") => String::new(),
            // As `docker buildx build` has it.
            Some(short @ ("min" | "max")) if option == "provenance" => format!("mode={short}"),
            Some(other) => {
                let known = |part: &str| {
                    keys.iter().any(|key| part.starts_with(key))
                        && part.split_once('=').is_some_and(|(key, value)| match key {
                            "mode" => ["min", "max"].contains(&value),
                            _ => !value.is_empty(),
                        })
                };
                if !other.split(',').all(known) {
                    return Err(ValueError::Attestation { option, value: other.to_owned() });
                }
                other.to_owned()
            }
        };
        attestations.insert(option.to_owned(), parameters);
    }
    Ok(attestations)
}

/// Platforms in the daemon's spelling, each once.
pub(super) fn platforms(texts: &[String]) -> Result<Vec<String>, ValueError> {
    let mut platforms = Vec::new();
    for text in texts {
        let platform =
            crate::platform::normal(text.trim()).map_err(|help| ValueError::Platform { text: text.clone(), help })?;
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    Ok(platforms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attestations_are_what_buildx_takes() {
        let of = |provenance, sbom| attestations(provenance, sbom).map(|found| found.into_iter().collect::<Vec<_>>());
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(of(Some("true"), None), Ok(vec![pair("provenance", "")]));
        assert_eq!(
            of(Some("max"), Some("generator=a/b")),
            Ok(vec![pair("provenance", "mode=max"), pair("sbom", "generator=a/b")])
        );
        assert_eq!(of(Some("false"), Some("false")), Ok(Vec::new()));
        for wrong in ["mode=large", "all", "mode", ""] {
            assert!(of(Some(wrong), None).is_err(), "{wrong}");
        }
        assert!(of(None, Some("mode=max")).is_err());
    }

    #[test]
    fn agents_are_sockets() {
        assert_eq!(ssh("default"), Ok(SshForward { id: "default".to_owned(), socket: None }));
        let reason = |text| ssh(text).unwrap_err().to_string();
        assert!(reason("=x").ends_with("it has no id"));
        assert!(reason("a=/nowhere/socket").ends_with("does not exist"));
        assert!(reason(concat!("a=", env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).ends_with("from agents alone"));
    }
}
