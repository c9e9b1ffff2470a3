//! `cargo xtask images`: base images where Docker Hub cannot be reached.
//!
//! Where it can, nothing is made: the daemon pulls on demand, and stand-ins of an earlier time are
//! removed. Where it cannot, images with the same names and layout are made from what the machine
//! can reach: Debian's archive and the npm registry.

mod caddy;
mod debian;
mod fetch;
mod nginx;
mod node;

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::engine::{self, Engine};
use crate::host;
use crate::state::StateDir;

pub(crate) use fetch::node_toolchain;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Image names, such as `node:24.16.0-bookworm-slim`; without any, those the tests use
    images: Vec<String>,
    /// Make them again even when they are current
    #[arg(long)]
    refresh: bool,
    /// Remove every stand-in
    #[arg(long, conflicts_with_all = ["images", "refresh"])]
    remove: bool,
}

/// What the tests and the examples build on.
const DEFAULT_IMAGES: &[&str] = &[
    "debian:bookworm-slim",
    "node:22-bookworm-slim",
    "node:20-bookworm-slim",
    "node:24-bookworm-slim",
    "nginxinc/nginx-unprivileged:stable-bookworm",
    "caddy:2",
];

/// Holds the hash of the recipe, and tells a stand-in from the real image.
const LABEL: &str = "dev.drydock.stand-in";

pub(crate) fn run(args: &Args) -> Result<()> {
    let state = StateDir::locate()?;
    let engine = Engine::find(&state)?;
    if args.remove {
        return remove_all(&engine);
    }
    let images: Vec<&str> = args.images.iter().map(String::as_str).collect();
    let images = if images.is_empty() { DEFAULT_IMAGES } else { &images };
    ensure_images(&engine, &state, images, args.refresh)
}

/// Makes sure that the images of the tests can be built on.
pub(crate) fn ensure(engine: &Engine, state: &StateDir) -> Result<()> {
    ensure_images(engine, state, DEFAULT_IMAGES, false)
}

/// Makes sure that these images can be built on.
pub(crate) fn ensure_named(engine: &Engine, state: &StateDir, images: &[&str]) -> Result<()> {
    ensure_images(engine, state, images, false)
}

fn ensure_images(engine: &Engine, state: &StateDir, images: &[&str], refresh: bool) -> Result<()> {
    if docker_hub_answers(engine, images.first().copied().unwrap_or("debian:bookworm-slim")) {
        remove_all(engine)?;
        eprintln!("  Docker Hub answers: base images are pulled on demand");
        return Ok(());
    }
    eprintln!("  Docker Hub cannot be reached: using stand-ins for the base images");
    let images: Vec<(&str, Image)> =
        images.iter().map(|name| Ok((*name, Image::parse(name)?))).collect::<Result<_>>()?;
    // Two runs at once would make the same image twice, in the same folder.
    let _lock = state.lock("images")?;
    let machine = debian::Machine::read()?;
    let workshop = Workshop { engine, state, machine: &machine, refresh };
    for (name, image) in images {
        workshop.ensure(name, &image)?;
    }
    Ok(())
}

/// Asks the daemon, which may sit elsewhere than we do, to look an image up without pulling it.
fn docker_hub_answers(engine: &Engine, image: &str) -> bool {
    let path = format!("/distribution/{image}/json");
    // A missing image (404) or a rate limit (429) is an answer too, and no reason for stand-ins;
    // the daemon tells a network failure with 500, and some proxies with 401 or 403.
    match engine::request(&engine.host, &path) {
        Ok(response) => matches!(response.status, 200 | 404 | 429),
        Err(_) => false,
    }
}

/// An image we know a recipe for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Image {
    Debian { codename: String },
    Node { version: String, codename: String },
    Nginx { codename: String },
    Caddy { codename: String },
}

/// Debian releases that debootstrap can make and that official images are made of.
const CODENAMES: &[&str] = &["bullseye", "bookworm", "trixie"];
/// What tags without a release name mean here.
const DEFAULT_CODENAME: &str = "bookworm";

impl Image {
    fn parse(name: &str) -> Result<Self> {
        let short = name.strip_prefix("docker.io/").unwrap_or(name);
        let short = short.strip_prefix("library/").unwrap_or(short);
        let (repository, tag) =
            short.split_once(':').with_context(|| format!("`{name}` has no tag, and `latest` is a moving target"))?;
        if tag.contains("alpine") {
            bail!("no stand-in for `{name}`: Alpine images cannot be made from Debian's packages");
        }
        let mut parts: Vec<&str> = tag.split('-').collect();
        let slim = parts.last() == Some(&"slim");
        if slim {
            parts.pop();
        }
        let codename = match parts.last() {
            Some(last) if CODENAMES.contains(last) => parts.pop().expect("it has a last"),
            _ => DEFAULT_CODENAME,
        }
        .to_owned();
        match (repository, parts.as_slice()) {
            ("debian", []) => Ok(Self::Debian { codename }),
            ("node", [version]) if is_version(version) => {
                if !slim {
                    bail!("no stand-in for `{name}`: only `-slim` images of Node can be made");
                }
                Ok(Self::Node { version: (*version).to_owned(), codename })
            }
            ("nginxinc/nginx-unprivileged", [version]) if *version == "stable" || is_version(version) => {
                Ok(Self::Nginx { codename })
            }
            ("caddy", [version]) if is_version(version) => Ok(Self::Caddy { codename }),
            _ => bail!(
                "no stand-in for `{name}`: only `debian:CODENAME-slim`, \
                 `node:VERSION-CODENAME-slim`, `nginxinc/nginx-unprivileged:stable-CODENAME` and \
                 `caddy:VERSION` can be made"
            ),
        }
    }
}

/// `22`, `22.11` or `22.11.0`.
fn is_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    parts.len() <= 3 && parts.iter().all(is_number)
}

/// What making an image takes.
struct Workshop<'a> {
    engine: &'a Engine,
    state: &'a StateDir,
    machine: &'a debian::Machine,
    refresh: bool,
}

impl Workshop<'_> {
    fn ensure(&self, name: &str, image: &Image) -> Result<()> {
        let recipe = match image {
            Image::Debian { codename } => debian::recipe(self.machine, codename),
            Image::Node { version, codename } => {
                node::recipe(self.machine, version, &debian::recipe(self.machine, codename))
            }
            Image::Nginx { codename } => nginx::recipe(&debian::recipe(self.machine, codename)),
            Image::Caddy { codename } => caddy::recipe(&debian::recipe(self.machine, codename)),
        };
        match present(self.engine, name)? {
            Present::Real => {
                eprintln!("  {name}: the real image is there");
                return Ok(());
            }
            Present::StandIn(hash) if hash == recipe && !self.refresh => {
                eprintln!("  {name}: current");
                return Ok(());
            }
            Present::StandIn(_) | Present::Absent => {}
        }
        let begun = std::time::Instant::now();
        let what = match image {
            Image::Debian { codename } => debian::make(self, name, codename, &recipe)?,
            Image::Node { version, codename } => {
                let base = self.ensure_base(codename)?;
                node::make(self, name, version, &base, &recipe)?
            }
            Image::Nginx { codename } => {
                let base = self.ensure_base(codename)?;
                nginx::make(self, name, &base, &recipe)?
            }
            Image::Caddy { codename } => {
                let base = self.ensure_base(codename)?;
                caddy::make(self, name, &base, &recipe)?
            }
        };
        eprintln!("  {name}: made from {what} in {:.0?}", begun.elapsed());
        Ok(())
    }

    /// The Debian image that the others are layered on.
    fn ensure_base(&self, codename: &str) -> Result<String> {
        let name = format!("debian:{codename}-slim");
        // A refreshed base is made once in a run, not again for each image on it.
        let base = Workshop { refresh: false, ..*self };
        base.ensure(&name, &Image::Debian { codename: codename.to_owned() })?;
        Ok(name)
    }

    /// `docker build` of a prepared folder.
    fn build(&self, name: &str, context: &Path, recipe: &str) -> Result<()> {
        let has_buildx = host::run_quiet(self.engine.docker().args(["buildx", "version"])).is_ok();
        let mut command = self.engine.docker();
        // Clients without buildx build with the daemon's old builder; recipes are plain enough.
        command.env("DOCKER_BUILDKIT", if has_buildx { "1" } else { "0" });
        command.args(["build", "--quiet", "--tag", name]);
        command.arg("--label").arg(format!("{LABEL}={recipe}")).arg(context);
        if has_buildx {
            command.args(["--builder", "default", "--provenance=false"]);
        }
        if self.refresh {
            command.arg("--no-cache");
        }
        host::run_quiet(&mut command).map(drop)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Present {
    Absent,
    Real,
    StandIn(String),
}

fn present(engine: &Engine, name: &str) -> Result<Present> {
    let format = format!("label={{{{index .Config.Labels \"{LABEL}\"}}}}");
    let mut command = engine.docker();
    command.args(["image", "inspect", "--format", &format, name]);
    let output = command.output().context("cannot run `docker`")?;
    if !output.status.success() {
        return Ok(Present::Absent);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let label = text.trim().strip_prefix("label=").unwrap_or_default();
    Ok(if label.is_empty() || label == "<no value>" { Present::Real } else { Present::StandIn(label.to_owned()) })
}

/// Removes the names that we gave; images built on stand-ins carry the label too, and stay.
fn remove_all(engine: &Engine) -> Result<()> {
    let filter = format!("label={LABEL}");
    let mut list = engine.docker();
    list.args(["image", "ls", "--filter", &filter, "--format", "{{.Repository}}:{{.Tag}}"]);
    for name in host::run_quiet(&mut list)?.lines().filter(|name| Image::parse(name).is_ok()) {
        host::run_quiet(engine.docker().args(["image", "rm", "--no-prune", name]))?;
        eprintln!("  removed the stand-in {name}");
    }
    Ok(())
}

/// The identity of a recipe: any changed part gives another hash.
fn hash(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(name: &str) -> String {
        Image::parse(name).expect_err("no stand-in can be made").to_string()
    }

    #[test]
    fn names_are_read() {
        let node =
            |version: &str, codename: &str| Image::Node { version: version.to_owned(), codename: codename.to_owned() };
        let parse = |name| Image::parse(name).expect("a known image");
        assert_eq!(parse("node:22-bookworm-slim"), node("22", "bookworm"));
        assert_eq!(parse("docker.io/library/node:24.16.0-trixie-slim"), node("24.16.0", "trixie"));
        assert_eq!(parse("node:20.1-slim"), node("20.1", "bookworm"));
        let nginx = Image::Nginx { codename: "bookworm".to_owned() };
        assert_eq!(parse("nginxinc/nginx-unprivileged:stable-bookworm"), nginx);
        assert_eq!(parse("nginxinc/nginx-unprivileged:1.28"), nginx);
        assert_eq!(parse("caddy:2"), Image::Caddy { codename: "bookworm".to_owned() });
        assert_eq!(parse("debian:trixie-slim"), Image::Debian { codename: "trixie".to_owned() });
    }

    #[test]
    fn what_cannot_be_made_is_told() {
        assert!(refused("node:22-alpine").contains("Alpine"));
        assert!(refused("node:22-bookworm").contains("-slim"));
        assert!(refused("node").contains("no tag"));
        assert!(refused("node:lts-slim").contains("only"));
        assert!(refused("python:3-slim").contains("only"));
    }

    #[test]
    fn a_moved_boundary_changes_the_hash() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_eq!(hash(&["ab", "c"]), hash(&["ab", "c"]));
    }
}
