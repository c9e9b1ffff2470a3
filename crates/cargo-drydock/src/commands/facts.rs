//! What fields of templates come to: of a target, its package, and the commit that is checked out.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Duration;

use drydock_dockerfile::{Fingerprints, Surroundings};
use drydock_plan::{BuildPlan, TargetName};
use drydock_workspace::{Head, Repository};

use super::digests;
use super::load::Loaded;
use crate::template::{self, TemplateError};

/// How many digits of a commit `{git.short}` has: as many as a registry's users read at a glance.
const SHORT: usize = 7;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In a reference to an image: what a tag cannot hold becomes `-`.
    Reference,
    /// As it is.
    Text,
}

/// The values of fields. git is asked at the first that needs it, once.
pub(super) struct Facts<'l> {
    loaded: &'l Loaded,
    plan: &'l BuildPlan,
    packages: BTreeMap<&'l str, &'l str>,
    arguments: BTreeMap<String, String>,
    platforms: Vec<String>,
    epoch: Option<u64>,
    git: OnceCell<Result<Git, String>>,
    fingerprints: OnceCell<Result<Fingerprints, String>>,
}

struct Git {
    repository: Repository,
    head: Head,
}

impl<'l> Facts<'l> {
    /// The facts of the plan's targets.
    pub(super) fn new(loaded: &'l Loaded, plan: &'l BuildPlan) -> Self {
        let packages = plan.targets.iter().map(|target| (target.name.as_str(), target.package.as_str())).collect();
        let (git, fingerprints) = (OnceCell::new(), OnceCell::new());
        Self {
            loaded,
            plan,
            packages,
            arguments: BTreeMap::new(),
            platforms: Vec::new(),
            epoch: None,
            git,
            fingerprints,
        }
    }

    /// The same facts of images that are made at a time, in seconds since 1970.
    pub(super) fn at(mut self, epoch: Option<u64>) -> Self {
        self.epoch = epoch;
        self
    }

    /// The build arguments.
    pub(super) fn arguments(&self) -> &BTreeMap<String, String> {
        &self.arguments
    }

    /// The time since 1970 at which images are made, where one was said.
    pub(super) fn time(&self) -> Option<Duration> {
        self.epoch.map(Duration::from_secs)
    }

    /// The same facts of a build with these arguments for these platforms, which are in fingerprints.
    pub(super) fn with(mut self, arguments: BTreeMap<String, String>, platforms: Vec<String>) -> Self {
        (self.arguments, self.platforms) = (arguments, platforms);
        self
    }

    /// `template` filled in for a target. `place` is what holds it, for messages.
    pub(super) fn fill(&self, template: &str, target: &str, place: &str, form: Form) -> Result<String, TemplateError> {
        template::fill(template, place, |name| {
            let value = self.value(name, target).map_err(|(reason, help)| TemplateError::NoValue {
                place: place.to_owned(),
                name,
                reason,
                help: help.to_owned(),
            })?;
            Ok(match form {
                Form::Reference => for_reference(&value),
                Form::Text => value,
            })
        })
    }

    /// The version of a target's package.
    pub(super) fn version(&self, target: &str) -> Option<&str> {
        let package = self.loaded.workspace.package(self.packages.get(target)?)?;
        package.manifest.version().filter(|version| !version.is_empty())
    }

    /// The full name of the commit that is checked out, and whether the tree differs from it.
    pub(super) fn commit(&self) -> Option<(&str, bool)> {
        let git = self.git().ok()?;
        Some((git.head.commit.as_str(), git.head.dirty))
    }

    /// When the commit that is checked out was made, in seconds since 1970. The error is a sentence.
    pub(super) fn commit_time(&self) -> Result<i64, &str> {
        Ok(self.git()?.head.time)
    }

    /// Where the sources are, as a page that a browser can open: what CI says, where git fetches from, the root
    /// package's `repository`.
    pub(super) fn source(&self) -> Option<String> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let (Some(server), Some(repository)) = (set("GITHUB_SERVER_URL"), set("GITHUB_REPOSITORY")) {
            return Some(format!("{server}/{repository}"));
        }
        let origin = self.git().ok().and_then(|git| git.repository.origin().ok().flatten());
        let declared = || {
            let field = self.loaded.workspace.root.manifest.field("repository")?;
            Some(field.as_str().or_else(|| field.get("url")?.as_str())?.to_owned())
        };
        web_address(&origin.or_else(declared)?)
    }

    fn value(&self, name: &str, target: &str) -> Result<String, (String, &'static str)> {
        match name {
            "version" => self.version(target).map(str::to_owned).ok_or_else(|| {
                let package = self.packages.get(target).copied().unwrap_or_default();
                (format!("the package.json of `{package}` has no `version`"), "add a `version`, or use another field")
            }),
            "git.sha" | "git.short" | "git.branch" => {
                let git =
                    self.git().map_err(|reason| (reason.to_owned(), "run drydock in a git checkout with a commit"))?;
                let sha = git.head.commit.as_str();
                match name {
                    "git.sha" => Ok(sha.to_owned()),
                    "git.short" => Ok(sha.get(..SHORT).unwrap_or(sha).to_owned()),
                    _ => git.head.branch.clone().or_else(branch_of_ci).ok_or_else(|| {
                        ("no branch is checked out".to_owned(), "check a branch out, or use `{git.sha}`")
                    }),
                }
            }
            "fingerprint" => {
                let fingerprints = self.fingerprints.get_or_init(|| self.fingerprints()).as_ref();
                let fingerprints = fingerprints
                    .map_err(|reason| (reason.clone(), "check that every file of the workspace may be read"))?;
                let fingerprint = fingerprints.target(&TargetName::new(target)).expect("the plan has the target");
                Ok(fingerprint.to_string())
            }
            _ => Ok(target.to_owned()),
        }
    }

    /// The fingerprints of the plan. Digests of files are remembered where the build that follows looks for them.
    fn fingerprints(&self) -> Result<Fingerprints, String> {
        let platform = self.platforms.join(",");
        let surroundings = Surroundings {
            arguments: Some(&self.arguments),
            platform: Some(platform.as_str()).filter(|platform| !platform.is_empty()),
            bases: None,
        };
        digests::fingerprints(self.loaded, self.plan, &surroundings).map_err(|error| error.to_string())
    }

    fn git(&self) -> Result<&Git, &str> {
        let ask = || match Repository::find(&self.loaded.root) {
            Ok(Some(repository)) => match repository.head() {
                Ok(head) => Ok(Git { repository, head }),
                Err(error) => Err(error.to_string()),
            },
            Ok(None) => Err("the workspace is in no git repository".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        self.git.get_or_init(ask).as_ref().map_err(String::as_str)
    }
}

/// The branch that CI builds: it checks out the commit alone.
fn branch_of_ci() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let of_github = || {
        set("GITHUB_HEAD_REF")
            .or_else(|| set("GITHUB_REF_NAME").filter(|_| set("GITHUB_REF_TYPE").as_deref() == Some("branch")))
    };
    of_github().or_else(|| set("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME")).or_else(|| set("CI_COMMIT_BRANCH"))
}

/// `value` as a tag can hold it: `feature/x+1` is `feature-x-1`.
fn for_reference(value: &str) -> String {
    let good = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    let tamed: String = value.chars().map(|character| if good(character) { character } else { '-' }).collect();
    tamed.trim_start_matches(['.', '-']).chars().take(128).collect()
}

/// The page behind the address of a git repository. What logs in is left out.
fn web_address(address: &str) -> Option<String> {
    let address = address.strip_prefix("git+").unwrap_or(address);
    let rest = match address.split_once("://") {
        Some(("https" | "http" | "ssh" | "git", rest)) => rest.to_owned(),
        Some(_) => return None,
        // `git@example.com:owner/name.git`
        None => {
            let (host, path) = address.split_once(':')?;
            if host.contains('/') {
                return None;
            }
            // `github:owner/name` of package.json
            let host = match host {
                "github" => "github.com",
                "gitlab" => "gitlab.com",
                "bitbucket" => "bitbucket.org",
                host if host.len() < 2 => return None,
                host => host,
            };
            format!("{host}/{}", path.trim_start_matches('/'))
        }
    };
    let (host, path) = rest.split_once('/')?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    // A port is ssh's or a local server's; a browser would look elsewhere.
    let host = if address.starts_with("http") { host } else { host.split(':').next().unwrap_or(host) };
    let path = path.split(['?', '#']).next().unwrap_or(path).trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    (!host.is_empty() && !path.is_empty()).then(|| format!("https://{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_into_tags() {
        assert_eq!(for_reference("feature/login+x"), "feature-login-x");
        assert_eq!(for_reference("-.hidden"), "hidden");
        assert_eq!(for_reference("1.2.3-rc.1"), "1.2.3-rc.1");
        assert_eq!(for_reference(&"x".repeat(200)).len(), 128);
    }

    #[test]
    fn addresses_of_repositories_become_pages_without_passwords() {
        let page = |address| web_address(address).unwrap_or_default();
        for address in [
            "https://example.com/acme/shop.git",
            "https://me:token@example.com/acme/shop.git",
            "git+https://token@example.com/acme/shop.git#main",
            "git@example.com:acme/shop.git",
            "ssh://git@example.com:22/acme/shop.git",
            "git+ssh://git@example.com/acme/shop",
            "example.com:acme/shop/",
        ] {
            assert_eq!(page(address), "https://example.com/acme/shop", "{address}");
        }
        assert_eq!(page("github:acme/shop"), "https://github.com/acme/shop");
        for address in ["/srv/git/shop.git", "file:///srv/shop", "../shop", "C:\\shop", "https://example.com", ""] {
            assert_eq!(web_address(address), None, "{address}");
        }
    }
}
