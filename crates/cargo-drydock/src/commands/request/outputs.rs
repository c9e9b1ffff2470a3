//! What becomes of the results: `--output`, `--push`, `--load`.

use std::path::{Path, PathBuf};

use drydock_build::{ArchiveKind, DaemonKind, Output};
use drydock_diagnostics::{Category, Diagnose, closest};

use crate::args::ImageArgs;
use crate::commands::facts::{Facts, Form};
use crate::template::TemplateError;

/// What was asked to become of the images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::commands) enum Wish {
    /// Images of the daemon that builds, or of a registry.
    Images(Images),
    /// What each target's request says.
    Files,
}

/// See [`Wish::Images`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::commands) struct Images {
    /// They go to the registries that their references name.
    pub(in crate::commands) push: bool,
    /// Nothing is pushed unless every target is built.
    pub(in crate::commands) atomic: bool,
    /// They go to Docker's store, whoever builds.
    pub(in crate::commands) load: bool,
}

impl Images {
    /// What the first solve of a target comes to. A `buildkitd` has no store: what it builds stays in its cache until all
    /// is built, unless each may go at once. Images for Docker's store come as archives in `folder`.
    pub(in crate::commands) fn first_output(self, kind: DaemonKind, target: &str, folder: &Path) -> Output {
        match kind {
            DaemonKind::Docker => Output::Image,
            DaemonKind::BuildKit if self.load => {
                Output::Archive { kind: ArchiveKind::Docker, path: folder.join(format!("{target}.tar")) }
            }
            DaemonKind::BuildKit if self.push && !self.atomic => Output::Registry,
            DaemonKind::BuildKit => Output::CacheOnly,
        }
    }
}

/// A mistake in `--output`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::commands) enum OutputError {
    /// It cannot be filled in.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// `--output` does not parse, or asks for what is not there.
    #[error("`--output {text}` cannot be: {reason}")]
    Invalid { text: String, reason: String, help: String },
    /// Several targets would write one place.
    #[error("`--output {text}` would hold {targets} targets in one place")]
    Shared { text: String, targets: usize, dest: String },
    /// The file that `--output` names cannot be written.
    #[error("`{path}` cannot be written: {reason}")]
    Unwritable { path: String, reason: &'static str },
}

impl Diagnose for OutputError {
    fn code(&self) -> &'static str {
        match self {
            Self::Template(error) => error.code(),
            Self::Invalid { .. } => "output-invalid",
            Self::Shared { .. } => "output-shared",
            Self::Unwritable { .. } => "output-unwritable",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Template(error) => return error.help(),
            Self::Invalid { help, .. } => help.clone(),
            Self::Shared { dest, .. } => format!("put `{{target}}` into it, like `dest={dest}`, or build one target"),
            Self::Unwritable { reason, .. } if reason.starts_with("it is") => {
                "name another path, or remove it".to_owned()
            }
            Self::Unwritable { .. } => "make the folder first, or name another file".to_owned(),
        })
    }
}

/// What `--output` says, before it is known of which target.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Push,
    Load,
    Store,
    CacheOnly,
    Folder(String),
    Archive(ArchiveKind, String),
}

/// What becomes of the images, and where files are to be written also the output of each target.
pub(in crate::commands) fn wish(
    args: &ImageArgs,
    facts: &Facts<'_>,
    targets: &[&str],
) -> Result<(Wish, Vec<Output>), OutputError> {
    let images = Images { push: args.push, atomic: !args.no_atomic, load: args.load };
    let store = |images| Ok((Wish::Images(images), vec![Output::Image; targets.len()]));
    let Some(text) = &args.output else { return store(images) };
    let (dest, archive) = match parse(text)? {
        Asked::Store => return store(images),
        Asked::Push => return store(Images { push: true, ..images }),
        Asked::Load => return store(Images { load: true, ..images }),
        Asked::CacheOnly => return Ok((Wish::Files, vec![Output::CacheOnly; targets.len()])),
        Asked::Folder(dest) => (dest, None),
        Asked::Archive(kind, dest) => (dest, Some(kind)),
    };
    let place = format!("`--output {text}`");
    let mut outputs: Vec<Output> = Vec::new();
    for target in targets {
        let path = PathBuf::from(facts.fill(&dest, target, &place, Form::Text)?);
        if let Some(kind) = archive {
            // A folder whose name holds a field is for drydock to make.
            if let Some(parent) = folder_of(&path).filter(|parent| dest.contains('{') && !parent.is_dir()) {
                fs_err::create_dir_all(parent).map_err(|_| unwritable(&path, "its folder cannot be made"))?;
            }
            check_file(&path)?;
            outputs.push(Output::Archive { kind, path });
        } else if path.is_file() {
            return Err(unwritable(&path, "it is a file"));
        } else {
            outputs.push(Output::Folder(path));
        }
    }
    if outputs.iter().enumerate().any(|(index, output)| outputs[..index].contains(output)) {
        let dest = with_target(&dest, archive.is_some());
        return Err(OutputError::Shared { text: text.clone(), targets: targets.len(), dest });
    }
    Ok((Wish::Files, outputs))
}

/// A file that is written once all is built must be writable before anything is built for it.
pub(in crate::commands) fn check_file(path: &Path) -> Result<(), OutputError> {
    match folder_of(path) {
        Some(parent) if !parent.is_dir() => Err(unwritable(path, "its folder does not exist")),
        _ if path.is_dir() => Err(unwritable(path, "it is a folder")),
        _ => Ok(()),
    }
}

/// The folder that a file is in; `None` for the current one.
fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|parent| !parent.as_os_str().is_empty())
}

fn unwritable(path: &Path, reason: &'static str) -> OutputError {
    OutputError::Unwritable { path: path.display().to_string(), reason }
}

/// `out/api.tar` as it is for several: `out/{target}.tar`.
fn with_target(dest: &str, is_file: bool) -> String {
    if !is_file {
        return format!("{}/{{target}}", dest.trim_end_matches('/'));
    }
    let path = Path::new(dest);
    let extension = path.extension().and_then(|end| end.to_str()).unwrap_or("tar");
    let name = format!("{{target}}.{extension}");
    path.with_file_name(name).display().to_string()
}

fn parse(text: &str) -> Result<Asked, OutputError> {
    const TYPES: &[&str] = &["local", "tar", "oci", "docker", "image", "registry", "cacheonly"];
    let invalid = |reason: String, help: String| OutputError::Invalid { text: text.to_owned(), reason, help };
    if !text.contains('=') {
        if text == "-" {
            return Err(to_stdout(text));
        }
        return Ok(Asked::Folder(text.to_owned()));
    }
    let (mut kind, mut dest, mut push) = (None, None, false);
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("type", value)) => kind = Some(value),
            Some(("dest", "-")) => return Err(to_stdout(text)),
            Some(("dest", value)) if !value.is_empty() => dest = Some(value.to_owned()),
            Some(("push", value)) => push = value == "true",
            Some(("name", _)) => {
                return Err(invalid("it names the image".to_owned(), "name images with `--tag`".to_owned()));
            }
            _ => {
                let help = "`type`, `dest` and `push` can stand in it".to_owned();
                return Err(invalid(format!("`{part}` means nothing"), help));
            }
        }
    }
    let archive = match kind {
        Some("tar") => Some(ArchiveKind::Tar),
        Some("oci") => Some(ArchiveKind::Oci),
        Some("docker") => Some(ArchiveKind::Docker),
        _ => None,
    };
    match (kind, archive, dest) {
        (Some("local"), _, Some(dest)) => Ok(Asked::Folder(dest)),
        (Some("docker"), _, None) => Ok(Asked::Load),
        (Some(_), Some(archive), Some(dest)) => Ok(Asked::Archive(archive, dest)),
        (Some("image"), _, None) if !push => Ok(Asked::Store),
        (Some("image" | "registry"), _, None) => Ok(Asked::Push),
        (Some("cacheonly"), _, None) => Ok(Asked::CacheOnly),
        (Some(kind @ ("local" | "tar" | "oci")), _, None) => {
            Err(invalid("it has no `dest`".to_owned(), format!("write `type={kind},dest=PATH`")))
        }
        (Some(kind), _, Some(_)) if TYPES.contains(&kind) => {
            Err(invalid("it writes no file".to_owned(), format!("write `type={kind}` alone")))
        }
        (Some(kind), ..) => {
            let help = match closest(kind, TYPES.iter().copied()) {
                Some(near) => format!("did you mean `type={near}`?"),
                None => "use `local`, `tar`, `oci`, `docker`, `registry` or `cacheonly`".to_owned(),
            };
            Err(invalid(format!("there is no type `{kind}`"), help))
        }
        (None, ..) => Err(invalid("it has no `type`".to_owned(), "write `type=local,dest=FOLDER`".to_owned())),
    }
}

fn to_stdout(text: &str) -> OutputError {
    OutputError::Invalid {
        text: text.to_owned(),
        reason: "results do not go to the standard output".to_owned(),
        help: "name a file".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_parsed_as_buildx_writes_them() {
        assert_eq!(parse("out"), Ok(Asked::Folder("out".to_owned())));
        assert_eq!(parse("type=local,dest=out/{target}"), Ok(Asked::Folder("out/{target}".to_owned())));
        assert_eq!(parse("type=oci,dest=a.tar"), Ok(Asked::Archive(ArchiveKind::Oci, "a.tar".to_owned())));
        assert_eq!(parse("type=docker,dest=a.tar"), Ok(Asked::Archive(ArchiveKind::Docker, "a.tar".to_owned())));
        assert_eq!(parse("type=docker"), Ok(Asked::Load));
        assert_eq!(parse("type=image"), Ok(Asked::Store));
        assert_eq!(parse("type=image,push=true"), Ok(Asked::Push));
        assert_eq!(parse("type=registry"), Ok(Asked::Push));
        assert_eq!(parse("type=cacheonly"), Ok(Asked::CacheOnly));
    }

    #[test]
    fn what_cannot_be_has_a_way_out() {
        let help = |text| parse(text).unwrap_err().help().unwrap();
        assert_eq!(help("type=locl,dest=a"), "did you mean `type=local`?");
        assert_eq!(help("type=tar"), "write `type=tar,dest=PATH`");
        assert_eq!(help("type=cacheonly,dest=x"), "write `type=cacheonly` alone");
        assert_eq!(help("dest=x"), "write `type=local,dest=FOLDER`");
        assert_eq!(help("type=image,name=x"), "name images with `--tag`");
        assert_eq!(help("-"), "name a file");
        assert_eq!(help("type=tar,dest=-"), "name a file");
        assert_eq!(help("type=tar,zip=1"), "`type`, `dest` and `push` can stand in it");
    }

    #[test]
    fn a_place_for_several_is_proposed() {
        assert_eq!(with_target("out/", false), "out/{target}");
        assert_eq!(with_target("out/image.tar", true), "out/{target}.tar");
        assert_eq!(with_target("image", true), "{target}.tar");
    }
}
