//! Which Node an image holds, and on what.

use drydock_workspace::{NodeVersion, Workspace};
use nodejs_semver::{Range, Version};

use crate::error::PlanError;
use crate::model::{Decision, ImageRef, TargetName};
use crate::settings::{BaseKind, Settings};

/// The majors with long-term support that a range may be met by, most wanted first: the newest that is past its first
/// year of support, its predecessor, its successor, then the older ones.
const SUPPORTED: [u64; 6] = [24, 22, 26, 20, 18, 16];

/// The code names of the lines with long-term support, as `.nvmrc` writes them: `lts/jod`.
const CODE_NAMES: [(&str, u64); 8] = [
    ("krypton", 24),
    ("jod", 22),
    ("iron", 20),
    ("hydrogen", 18),
    ("gallium", 16),
    ("fermium", 14),
    ("erbium", 12),
    ("dubnium", 10),
];

/// The images that stages with Node begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Images {
    /// That of all where a target has no other.
    pub(crate) common: ImageRef,
    /// Node's version in tags: `22`, `24.16.0`.
    version: String,
}

impl Images {
    /// What the image of a service or command begins with.
    pub(crate) fn of(&self, settings: &Settings, name: &TargetName) -> ImageRef {
        let target = settings.targets.get(name);
        if let Some(image) = target.and_then(|target| target.image.as_ref()) {
            return image.clone();
        }
        let usual = settings.base.unwrap_or(BaseKind::Slim);
        match target.and_then(|target| target.base).unwrap_or(usual) {
            BaseKind::Distroless => {
                let major = self.version.split('.').next().unwrap_or_default();
                ImageRef::new(&format!("gcr.io/distroless/nodejs{major}-debian12"))
            }
            BaseKind::Alpine if usual != BaseKind::Alpine => ImageRef::new(&tag(&self.version, BaseKind::Alpine)),
            BaseKind::Slim if usual == BaseKind::Alpine => ImageRef::new(&tag(&self.version, BaseKind::Slim)),
            BaseKind::Alpine | BaseKind::Slim => self.common.clone(),
        }
    }
}

/// Whether an image has neither a shell nor a package manager, as its reference says.
pub(crate) fn is_distroless(image: &ImageRef) -> bool {
    image.without_digest().as_str().contains("distroless")
}

/// The images that stages begin with, and what led to them.
pub(crate) fn images(workspace: &Workspace, settings: &Settings) -> Result<(Images, Decision), PlanError> {
    let decision =
        |choice: &str, because: String| Decision { subject: "node".to_owned(), choice: choice.to_owned(), because };
    let said = found(workspace, settings);
    if let Some(image) = &settings.image {
        if is_distroless(image) {
            return Err(PlanError::BuildsWithoutShell { image: image.clone() });
        }
        // The version only counts where another image is made of it.
        let named = image.as_str().rsplit_once(':').and_then(|(_, tag)| Some(version(tag.split('-').next()?)?.0));
        let version = match said {
            Ok((version, _)) if named.is_none() => version,
            _ => named.unwrap_or_else(|| SUPPORTED[0].to_string()),
        };
        let because = "the configuration names the image".to_owned();
        return Ok((Images { common: image.clone(), version }, decision(image.as_str(), because)));
    }
    let (version, because) = said?;
    let tag = tag(&version, settings.base.unwrap_or(BaseKind::Slim));
    Ok((Images { common: ImageRef::new(&tag), version }, decision(&tag, because)))
}

/// The version of Node, and what said so.
fn found(workspace: &Workspace, settings: &Settings) -> Result<(String, String), PlanError> {
    let (spec, source) = match (&settings.node, &workspace.node) {
        (Some(spec), _) => (spec.as_str(), "the configuration".to_owned()),
        (None, Some(NodeVersion { spec, source })) => (spec.as_str(), source.to_string()),
        (None, None) => {
            let because = "nothing in the workspace says which; the line with long-term support".to_owned();
            return Ok((SUPPORTED[0].to_string(), because));
        }
    };
    let (version, how) =
        version(spec).ok_or_else(|| PlanError::NodeVersion { spec: spec.to_owned(), source_name: source.clone() })?;
    let because = match how {
        How::Written => format!("{source} says `{spec}`"),
        How::Range => format!("{source} says `{spec}`, which Node {version} with long-term support meets"),
        How::Name => format!("{source} says `{spec}`, which is Node {version}"),
    };
    Ok((version, because))
}

/// Node's own image of a version. What needs no shell is built where there is one.
fn tag(version: &str, base: BaseKind) -> String {
    match base {
        BaseKind::Slim | BaseKind::Distroless => format!("node:{version}-{}-slim", debian(version)),
        BaseKind::Alpine => format!("node:{version}-alpine"),
    }
}

/// The release of Debian that Node's images of a version are made on. There are none on bookworm of what was released
/// before it, in June 2023; a major or minor without more means its newest release.
fn debian(version: &str) -> &'static str {
    let mut parts = version.split('.').map(|part| part.parse::<u64>().ok());
    let major = parts.next().flatten();
    let first = match major {
        Some(16) => 20,
        Some(18) => 16,
        Some(20) => 3,
        Some(major) if major < 20 => return "bullseye",
        _ => return "bookworm",
    };
    if parts.next().flatten().is_some_and(|minor| minor < first) { "bullseye" } else { "bookworm" }
}

/// How a version was read off a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// It stands there.
    Written,
    /// It is one that a range admits.
    Range,
    /// It has the name that stands there.
    Name,
}

/// The version part of an image's tag for what a user wrote: a version or its beginning (`22`, `v20.11`), a name
/// (`lts/*`, `lts/iron`, `node`), or a range (`>=18 <23`).
fn version(spec: &str) -> Option<(String, How)> {
    let spec = spec.trim();
    let name = spec.to_ascii_lowercase();
    match name.as_str() {
        "" | "*" | "x" => return Some((SUPPORTED[0].to_string(), How::Range)),
        "lts/*" | "lts" | "node" | "stable" | "latest" | "current" => {
            return Some((SUPPORTED[0].to_string(), How::Name));
        }
        _ => {}
    }
    if let Some(name) = name.strip_prefix("lts/").or_else(|| name.strip_prefix("lts-")) {
        let (_, major) = CODE_NAMES.iter().find(|(code, _)| *code == name)?;
        return Some((major.to_string(), How::Name));
    }
    let bare = name.strip_prefix(['v', '=']).unwrap_or(&name).trim();
    let parts: Vec<&str> = bare.split('.').collect();
    if parts.len() <= 3 && parts[0].parse::<u64>().is_ok() {
        // `20.x` and `20.*` are the major.
        let written: Vec<&str> = parts.into_iter().take_while(|part| part.parse::<u64>().is_ok()).collect();
        let rest = bare.strip_prefix(&written.join("."))?;
        if matches!(rest, "" | ".x" | ".*" | ".x.x" | ".*.*") {
            return Some((written.join("."), How::Written));
        }
    }
    let range = Range::parse(spec).ok()?;
    // A major meets a range when its newest release does; how high its minor has come need not be known.
    let newest = |major: u64| Version::new(major, 9999, 0, Vec::new(), Vec::new());
    if let Some(major) = SUPPORTED.iter().find(|major| range.satisfies(&newest(**major))) {
        return Some((major.to_string(), How::Range));
    }
    // A range inside one major, such as `~20.11.0` or `21.x`: its lowest version is a tag that exists.
    let lowest = range.min_version()?;
    Some((format!("{}.{}", lowest.major(), lowest.minor()), How::Range))
}

#[cfg(test)]
mod tests {
    use super::{tag, version};
    use crate::settings::BaseKind;

    #[test]
    fn versions_names_and_ranges_become_tags() {
        let shown: Vec<String> = [
            "22",
            "v22",
            "22.4",
            "20.11.1",
            "v24.16.0",
            "20.x",
            "lts/*",
            "lts/iron",
            "node",
            ">=20",
            ">=22",
            "^20.9.0",
            ">=18 <23",
            "18 || 20",
            "~20.11.0",
            "21.x || 23.x",
            "*",
            "banana",
            ">=14.0.0",
            "^18.17.0 || >=20.3.0",
        ]
        .iter()
        .map(|spec| match version(spec) {
            Some((version, how)) => format!("{spec:<22} {version} ({how:?})"),
            None => format!("{spec:<22} -"),
        })
        .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        22                     22 (Written)
        v22                    22 (Written)
        22.4                   22.4 (Written)
        20.11.1                20.11.1 (Written)
        v24.16.0               24.16.0 (Written)
        20.x                   20 (Written)
        lts/*                  24 (Name)
        lts/iron               20 (Name)
        node                   24 (Name)
        >=20                   24 (Range)
        >=22                   24 (Range)
        ^20.9.0                20 (Range)
        >=18 <23               22 (Range)
        18 || 20               20 (Range)
        ~20.11.0               20.11 (Range)
        21.x || 23.x           21.0 (Range)
        *                      24 (Range)
        banana                 -
        >=14.0.0               24 (Range)
        ^18.17.0 || >=20.3.0   24 (Range)
        ");
    }

    #[test]
    fn images_are_of_a_debian_that_there_are_any_on() {
        let on = |version: &str| tag(version, BaseKind::Slim);
        for version in ["16", "16.20.2", "18", "18.16", "20", "20.3.0", "22.0.0", "24.16.0"] {
            assert_eq!(on(version), format!("node:{version}-bookworm-slim"));
        }
        for version in ["14", "16.13.0", "17.9", "18.15", "19", "20.2.0"] {
            assert_eq!(on(version), format!("node:{version}-bullseye-slim"));
        }
        assert_eq!(tag("18.15", BaseKind::Alpine), "node:18.15-alpine");
    }
}
