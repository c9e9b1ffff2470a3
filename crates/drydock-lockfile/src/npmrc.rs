//! The parts of `.npmrc` that decide what an install does, and whether the file may be copied into an image.

use std::collections::BTreeSet;

/// What matters of an `.npmrc`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Npmrc {
    /// `legacy-peer-deps`: npm ignores peer dependencies altogether.
    pub legacy_peer_deps: bool,
    /// `install-links`: `file:` directories are packed and installed instead of linked.
    pub install_links: bool,
    /// `install-strategy`, when set.
    pub install_strategy: Option<String>,
    /// The keys whose value is a literal credential.
    pub secrets: BTreeSet<String>,
    /// Environment variables the file refers to as `${NAME}`.
    pub variables: BTreeSet<String>,
}

impl Npmrc {
    /// Reads the ini text as npm does: `key = value`, `#` and `;` begin comments, a bare key is `true`, sections are
    /// ignored.
    pub fn parse(text: &str) -> Self {
        let mut npmrc = Self::default();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with(['#', ';', '[']) {
                continue;
            }
            let (key, value) = line.split_once('=').map_or((line, "true"), |(key, value)| (key.trim(), value.trim()));
            let value = value.trim_matches(['"', '\'']);
            npmrc.variables.extend(variables(value));
            npmrc.variables.extend(variables(key));
            match key {
                "legacy-peer-deps" => npmrc.legacy_peer_deps = value == "true",
                "install-links" => npmrc.install_links = value == "true",
                "install-strategy" => npmrc.install_strategy = Some(value.to_owned()),
                _ => {}
            }
            if is_literal_credential(key, value) {
                npmrc.secrets.insert(key.to_owned());
            }
        }
        npmrc
    }
}

/// Keys whose value grants access (npm's config reference, "Auth related configuration"), unless the value is only a
/// reference to the environment.
fn is_literal_credential(key: &str, value: &str) -> bool {
    let name = key.rsplit(':').next().unwrap_or(key);
    let secret_key = matches!(name, "_auth" | "_authToken" | "_password" | "key" | "otp");
    let rest = strip_variables(value);
    (secret_key && !rest.is_empty()) || has_password_in_url(&rest)
}

/// Whether a URL carries `user:password@`.
fn has_password_in_url(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.rsplit_once('@').is_some_and(|(user, _)| user.split_once(':').is_some_and(|(_, word)| !word.is_empty()))
}

fn variables(value: &str) -> impl Iterator<Item = String> {
    value.split("${").skip(1).filter_map(|rest| {
        let name = rest.split_once('}')?.0;
        // npm 11 reads `${NAME?}` as "empty when not set".
        Some(name.strip_suffix('?').unwrap_or(name).to_owned())
    })
}

/// The value without its `${…}` parts.
fn strip_variables(value: &str) -> String {
    let mut rest = value;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once("${") {
        kept.push_str(before);
        match after.split_once('}') {
            Some((_, tail)) => rest = tail,
            None => return value.to_owned(),
        }
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_credentials_from_references() {
        let secrets = |text: &str| Npmrc::parse(text).secrets.into_iter().collect::<Vec<_>>();
        assert_eq!(secrets("//r.example/:_authToken=abc"), ["//r.example/:_authToken"]);
        assert!(secrets("//r.example/:_authToken=${NPM_TOKEN}").is_empty());
        assert!(secrets("//r.example/:_authToken = \"${NPM_TOKEN}\"").is_empty());
        assert!(secrets("# _auth=abc").is_empty());
        assert_eq!(secrets("_auth = YWJj"), ["_auth"]);
        assert_eq!(secrets("registry=https://me:pw@r.example/"), ["registry"]);
        assert!(secrets("registry=https://me:${PW}@r.example/").is_empty());
        assert!(secrets("registry=https://r.example/@scope/").is_empty());
    }

    #[test]
    fn reads_what_decides_placement() {
        let npmrc = Npmrc::parse("legacy-peer-deps\ninstall-strategy = nested\n//x/:_authToken=${A}\n");
        assert!(npmrc.legacy_peer_deps);
        assert_eq!(npmrc.install_strategy.as_deref(), Some("nested"));
        assert_eq!(npmrc.variables.into_iter().collect::<Vec<_>>(), ["A"]);
    }
}
