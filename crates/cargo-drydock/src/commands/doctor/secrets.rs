//! Secrets where an image keeps them: environment and build arguments, of the configuration and of Dockerfiles that are
//! there.

use drydock_plan::WorkspacePath;
use drydock_workspace::{EntryKind, Tree, WorkspaceError};

use super::super::load::Loaded;
use super::finding::{Check, Finding, line_snippet};
use crate::render::Severity;
use crate::report::units::count;

/// Words that name what must not be known.
const SECRET: [&str; 12] = [
    "apikey",
    "auth",
    "credential",
    "credentials",
    "creds",
    "key",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "token",
];
/// Words beside them that say that this is no secret, or only where one is.
const HARMLESS: [&str; 16] = [
    "public", "file", "path", "dir", "name", "id", "url", "uri", "ttl", "expiry", "expires", "length", "limit", "type",
    "enabled", "provider",
];

pub(super) fn check(loaded: &Loaded) -> Check {
    let mut findings = configured(loaded);
    let folders: Vec<WorkspacePath> = std::iter::once(WorkspacePath::root())
        .chain(loaded.workspace.packages.iter().map(|package| package.path.clone()))
        .collect();
    let files = match dockerfiles(&*loaded.workspace.tree, &folders) {
        Ok(files) => files,
        Err(error) => {
            return Check { findings: vec![Finding::error(&error)], ..Check::new("secrets", "cannot be read") };
        }
    };
    findings.extend(files.iter().flat_map(|(path, text)| in_dockerfile(path, text)));
    let places = match files.len() {
        0 => "in the configuration".to_owned(),
        some => format!("in the configuration and {}", count(some as u64, "Dockerfile")),
    };
    let seen = match findings.len() {
        0 => format!("none in environment or build arguments, {places}"),
        found => format!("{} in environment or build arguments, {places}", count(found as u64, "name")),
    };
    Check { findings, ..Check::new("secrets", seen) }
}

fn configured(loaded: &Loaded) -> Vec<Finding> {
    let settings = &loaded.config.settings;
    let mut findings = Vec::new();
    let mut env = |table: String, names: Vec<(&String, &String)>| {
        for (name, _) in names.into_iter().filter(|(name, value)| is_secret(name) && !value.is_empty()) {
            let keeps = if table.starts_with("target") { "image" } else { "Dockerfile and the build cache" };
            let message =
                format!("`{name}` in the `env` of `[{table}]` looks like a secret, and the {keeps} would keep it");
            let help = if table.starts_with("target") {
                format!("give it when the container starts: `docker run --env {name}`")
            } else {
                format!("write `secrets = [\"{}\"]` of a package instead: it is mounted", name.to_lowercase())
            };
            let found = Finding::new(Severity::Error, "secret-in-env", message);
            findings.push(found.at(loaded.config.place(name)).help(help));
        }
    };
    env("workspace".to_owned(), settings.env.iter().collect());
    for (name, package) in &settings.packages {
        env(format!("package.{name}"), package.env.iter().collect());
    }
    for (name, target) in &settings.targets {
        env(format!("target.{name}"), target.env.iter().collect());
    }
    let of_packages = settings.packages.iter().map(|(name, package)| (format!("package.{name}"), &package.args));
    let of_targets = settings.targets.iter().map(|(name, target)| (format!("target.{name}"), &target.args));
    for (table, arguments) in of_packages.chain(of_targets) {
        for name in arguments.keys().filter(|name| is_secret(name)) {
            let message = format!(
                "`{name}` in the `args` of `[{table}]` looks like a secret, and the image's history would keep it"
            );
            let help = format!("write `secrets = [\"{}\"]` of a package instead: it is mounted", name.to_lowercase());
            let found = Finding::new(Severity::Error, "secret-in-arg", message);
            findings.push(found.at(loaded.config.place(name)).help(help));
        }
    }
    findings
}

fn in_dockerfile(path: &WorkspacePath, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some((instruction, rest)) = line.trim_start().split_once(char::is_whitespace) else { continue };
        let is_argument = instruction.eq_ignore_ascii_case("arg");
        if !is_argument && !instruction.eq_ignore_ascii_case("env") {
            continue;
        }
        for name in names(rest, is_argument).into_iter().filter(|name| is_secret(name)) {
            let kept = if is_argument { "the image's history keeps its value" } else { "the image keeps its value" };
            let message = format!("`{name}` in `{path}` looks like a secret, and {kept}");
            let finding = Finding::new(Severity::Warning, "secret-in-dockerfile", message)
                .at(line_snippet(path.as_str(), text, number + 1))
                .help("mount it in the step that needs it: `RUN --mount=type=secret,id=…`; Dockerfiles of drydock do");
            findings.push(finding);
        }
    }
    findings
}

/// The names that `ARG` or `ENV` set to something.
fn names(rest: &str, is_argument: bool) -> Vec<&str> {
    let rest = rest.trim().trim_end_matches('\\');
    if is_argument {
        return rest.split_whitespace().map(|word| word.split('=').next().unwrap_or(word)).collect();
    }
    let first = rest.split_whitespace().next().unwrap_or_default();
    if !first.contains('=') {
        return vec![first];
    }
    let set = rest.split_whitespace().filter_map(|word| word.split_once('='));
    set.filter(|(_, value)| !value.trim_matches(['"', '\'']).is_empty()).map(|(name, _)| name).collect()
}

/// The Dockerfiles in these folders, whatever ignore files say of them.
pub(super) fn dockerfiles(
    tree: &dyn Tree,
    folders: &[WorkspacePath],
) -> Result<Vec<(WorkspacePath, String)>, WorkspaceError> {
    let mut found = Vec::new();
    for folder in folders {
        for entry in tree.list(folder)?.iter() {
            let name = &entry.name;
            let is_one = name == "Dockerfile"
                || (name.starts_with("Dockerfile.") && !name.ends_with(".dockerignore"))
                || name.to_lowercase().ends_with(".dockerfile");
            if !is_one || !matches!(entry.kind, EntryKind::File { .. }) {
                continue;
            }
            let path = folder.child(name).expect("a listed name is a name");
            if let Some(bytes) = tree.read(&path)? {
                found.push((path, String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Whether a variable of this name holds what must not be known, by the words in it.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    let words: Vec<&str> = name.split(['_', '-', '.']).collect();
    words.iter().any(|word| SECRET.contains(word)) && !words.iter().any(|word| HARMLESS.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_the_words_of_their_names() {
        for name in ["NPM_TOKEN", "DB_PASSWORD", "CREDS_KEY", "JWT_SECRET", "AUTH", "OPENAI_API_KEY", "apiKey_secret"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["KEYCLOAK", "PUBLIC_KEY", "TOKEN_FILE", "AUTHOR", "MONKEY", "SECRET_NAME", "AUTH_URL", "TOKENS"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn names_of_instructions() {
        assert_eq!(names("A=1 B=\"\" C=3 \\", false), ["A", "C"]);
        assert_eq!(names("A some value", false), ["A"]);
        assert_eq!(names("A=1 B", true), ["A", "B"]);
    }
}
