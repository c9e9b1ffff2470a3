//! `cargo xtask oracle`: npm itself judges pruned lockfiles of real repositories.
//!
//! The manifests and the lockfile of each repository are fetched at a fixed commit into the state folder; then the test
//! `npm_oracle` of `drydock-lockfile` asks npm 10 and npm 11 what they would install from the sealed files of every
//! package, for builds and for production, and what from the whole lockfile.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::state::StateDir;
use crate::{host, test};

/// Repositories on GitHub with npm workspaces, and the commit whose lockfile is judged.
const REPOSITORIES: &[(&str, &str)] = &[
    ("open-telemetry/opentelemetry-js", "61126358cb5cf06a2004151cbad18e79cbede00a"),
    ("tapjs/tapjs", "6f774b1133181e6062e2aca86596234c914cee4c"),
    ("npm/cli", "780afc50e3a345feb1871a28e33fa48235bc3bd5"),
    ("google-gemini/gemini-cli", "5411f113cafae26161b4969b0237b8e1e024e2c2"),
    ("apollographql/apollo-server", "4f154060bbe57d3bd612cb09ab63467f319d4ba5"),
    ("microsoft/playwright", "d4e1023f6c03a8dced50eb3db88c2217e7c1a86a"),
    ("aws-powertools/powertools-lambda-typescript", "1e5fe1b497003615377ceb8e03b4321ce6260815"),
    ("documenso/documenso", "75330166cc00b29c14399bc2e391e4b4d8080c00"),
    ("Varkoff/remix-nestjs-monorepo", "2d7d55843da9d3040edf31170b82fe64de94b1da"),
    ("Azure-Samples/contoso-real-estate", "e4c3bd81aca873673fbf24352ed0ede6bc363443"),
    ("lit/lit", "6c051d517bd92761787897b2c8c060ed419126e2"),
];

/// What of a repository is needed: sparse checkout patterns.
const FILES: &[&str] = &["/package-lock.json", "/.npmrc", "package.json", "!**/node_modules/**"];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these of the repositories, each as `owner/name` or `name`; all without it
    #[arg(long, value_name = "NAME")]
    repository: Vec<String>,
    /// Leave the corpus of the project's own tests out
    #[arg(long)]
    without_corpus: bool,
}

/// Fetches what is missing and runs the oracle, which prints the table.
pub(crate) fn run(args: &Args) -> Result<()> {
    let chosen = chosen(&args.repository)?;
    let cache = StateDir::locate()?.join("oracle");
    let judged = cache.join("judged");
    if judged.exists() {
        fs_err::remove_dir_all(&judged)?;
    }
    fs_err::create_dir_all(&judged)?;
    for (repository, commit) in chosen {
        let name = short_name(repository);
        let folder = fetch(&cache, repository, commit)
            .with_context(|| format!("cannot fetch {repository} at {commit}; the oracle needs the network"))?;
        fs_err::os::unix::fs::symlink(folder, judged.join(name))?;
    }
    let mut oracle = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    oracle.current_dir(test::root());
    oracle.args(["test", "--quiet", "--package", "drydock-lockfile", "--test", "npm_oracle", "--", "--nocapture"]);
    oracle.env("DRYDOCK_ORACLE", "all").env("DRYDOCK_ORACLE_REPOSITORIES", &judged);
    if args.without_corpus {
        oracle.env("DRYDOCK_CORPUS", cache.join("no-corpus"));
        fs_err::create_dir_all(cache.join("no-corpus"))?;
    }
    host::run(&mut oracle)
}

fn short_name(repository: &str) -> &str {
    repository.rsplit('/').next().unwrap_or(repository)
}

fn chosen(wanted: &[String]) -> Result<Vec<(&'static str, &'static str)>> {
    if wanted.is_empty() {
        return Ok(REPOSITORIES.to_vec());
    }
    let find = |name: &String| {
        let found = REPOSITORIES.iter().find(|(repository, _)| repository == name || short_name(repository) == name);
        found.copied().with_context(|| {
            let known: Vec<&str> = REPOSITORIES.iter().map(|(repository, _)| *repository).collect();
            format!("`{name}` is none of the oracle's repositories: {}", known.join(", "))
        })
    };
    wanted.iter().map(find).collect()
}

/// The folder with the manifests and the lockfile of a commit, fetched unless it is there from an earlier run.
fn fetch(cache: &Path, repository: &str, commit: &str) -> Result<PathBuf> {
    let folder = cache.join(format!("{}-{commit}", repository.replace('/', "+")));
    if folder.is_dir() {
        eprintln!("     Cached {repository} at {}", &commit[..9]);
        return Ok(folder);
    }
    // Under another name until it is whole.
    let partial = folder.with_extension("partial");
    if partial.exists() {
        fs_err::remove_dir_all(&partial)?;
    }
    fs_err::create_dir_all(&partial)?;
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(&partial).args(arguments);
        host::run_quiet(&mut command)
    };
    eprintln!("   Fetching {repository} at {}", &commit[..9]);
    git(&["init", "--quiet"])?;
    let sparse: Vec<&str> = ["sparse-checkout", "set", "--no-cone"].into_iter().chain(FILES.iter().copied()).collect();
    git(&sparse)?;
    let address = format!("https://github.com/{repository}.git");
    git(&["remote", "add", "origin", &address])?;
    git(&["fetch", "--quiet", "--depth=1", "--filter=blob:none", "origin", commit])?;
    git(&["-c", "advice.detachedHead=false", "checkout", "--quiet", "FETCH_HEAD"])?;
    if !partial.join("package-lock.json").is_file() {
        bail!("there is no package-lock.json in it");
    }
    fs_err::rename(&partial, &folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_have_whole_commits_and_names_of_their_own() {
        let mut names: Vec<&str> = REPOSITORIES.iter().map(|(repository, _)| short_name(repository)).collect();
        for (repository, commit) in REPOSITORIES {
            assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{repository}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), REPOSITORIES.len());
    }

    #[test]
    fn an_unknown_repository_is_an_error_that_names_the_known() {
        let error = chosen(&["left-pad".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("`left-pad`") && error.contains("npm/cli"), "{error}");
        assert_eq!(chosen(&["cli".to_owned()]).unwrap(), [REPOSITORIES[2]]);
    }
}
