//! The keys that say what becomes of images: how they are called and labelled, where their caches are. They are the
//! same in `[workspace]`, for all targets, and in `[target.NAME]`, for one.

use std::collections::BTreeMap;

use drydock_lockfile::PackageName;
use drydock_plan::TargetName;
use indexmap::IndexMap;

use super::value::{Key, Reader, Value};
use crate::template::{self, Flaw};

/// A label of the Open Container Initiative that drydock can fill in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum OciLabel {
    /// Where the sources are
    Source,
    /// The commit
    Revision,
    /// The version of the target's package
    Version,
    /// When the image was built, which makes every build another image
    Created,
}

impl OciLabel {
    /// Those that do not differ from build to build of one commit.
    pub(crate) const STEADY: [Self; 3] = [Self::Source, Self::Revision, Self::Version];

    const WORDS: [(&'static str, Self); 4] = [
        ("source", Self::Source),
        ("revision", Self::Revision),
        ("version", Self::Version),
        ("created", Self::Created),
    ];

    /// The whole name of the label.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Source => "org.opencontainers.image.source",
            Self::Revision => "org.opencontainers.image.revision",
            Self::Version => "org.opencontainers.image.version",
            Self::Created => "org.opencontainers.image.created",
        }
    }
}

/// What becomes of images, as it is configured in one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImageSettings {
    /// What stands before references that name no registry.
    pub(crate) registry: Option<String>,
    /// Templates of references.
    pub(crate) tags: Option<Vec<String>>,
    /// Labels, by key; values are templates.
    pub(crate) labels: IndexMap<String, String>,
    /// Labels that drydock fills in.
    pub(crate) oci_labels: Option<Vec<OciLabel>>,
    /// Annotations of the manifest, by key; values are templates.
    pub(crate) annotations: IndexMap<String, String>,
    /// Platforms to build for.
    pub(crate) platforms: Option<Vec<String>>,
    /// Templates of caches that steps may come from.
    pub(crate) cache_from: Option<Vec<String>>,
    /// Templates of caches that steps go to.
    pub(crate) cache_to: Option<Vec<String>>,
    /// How many bytes an image may have.
    pub(crate) max_size: Option<u64>,
}

/// What becomes of images, as the whole configuration has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Images {
    /// Of all targets.
    pub(crate) all: ImageSettings,
    /// Of single targets.
    pub(crate) targets: BTreeMap<TargetName, ImageSettings>,
    /// How many jobs the build of a package takes, where it is not one.
    pub(crate) package_weights: BTreeMap<PackageName, u32>,
    /// How many jobs a target takes, where it is not one.
    pub(crate) target_weights: BTreeMap<TargetName, u32>,
}

impl Images {
    /// What is configured of one thing for a target: its own over that of all.
    pub(crate) fn of<'i, T>(&'i self, target: &str, thing: impl Fn(&'i ImageSettings) -> Option<T>) -> Option<T> {
        self.targets.get(target).and_then(&thing).or_else(|| thing(&self.all))
    }

    /// The tables that hold for a target, the general one first.
    pub(crate) fn tables(&self, target: &str) -> impl Iterator<Item = &ImageSettings> {
        std::iter::once(&self.all).chain(self.targets.get(target))
    }
}

impl Reader {
    /// Reads a key of images. False when it is none.
    pub(super) fn image_key(&mut self, key: &Key<'_>, value: &Value<'_>, images: &mut ImageSettings) -> bool {
        match &**key.get_ref() {
            "registry" => images.registry = self.registry(value),
            "tags" => images.tags = Some(self.templates("tags", value)),
            "labels" => images.labels = self.labels("labels", value),
            "oci-labels" => images.oci_labels = self.oci_labels(value),
            "annotations" => images.annotations = self.labels("annotations", value),
            "platforms" => images.platforms = Some(self.platforms(value)),
            "cache-from" => images.cache_from = Some(self.caches("cache-from", value)),
            "cache-to" => images.cache_to = Some(self.caches("cache-to", value)),
            "max-size" => images.max_size = self.size("max-size", value),
            _ => return false,
        }
        true
    }

    /// How many jobs something takes.
    pub(super) fn weight(&mut self, value: &Value<'_>) -> Option<u32> {
        let number = value.get_ref().as_integer();
        let weight = number.and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok());
        if weight.is_none_or(|weight| weight == 0) {
            let message = "`weight` is not a number of jobs";
            self.wrong_value(value.span(), message, "write a whole number from 1: how many of the `--jobs` it takes");
            return None;
        }
        weight
    }

    /// Bytes: `"300 MB"`, `"1.2GB"`, `"512MiB"`, or a number.
    fn size(&mut self, key: &str, value: &Value<'_>) -> Option<u64> {
        let text = match value.get_ref().as_integer() {
            Some(number) => number.as_str().to_owned(),
            None => self.text(key, value)?,
        };
        let size = bytes(&text).filter(|size| *size > 0);
        if size.is_none() {
            let message = format!("`{}` is not a size", text.escape_debug());
            self.wrong_value(value.span(), message, "write a number and a unit: `\"300 MB\"`, `\"1.2 GB\"`");
        }
        size
    }

    /// `registry.example.com/team`, without a slash at its end.
    fn registry(&mut self, value: &Value<'_>) -> Option<String> {
        let text = self.text("registry", value)?;
        let registry = text.trim_end_matches('/');
        if !crate::reference::is_registry(registry) {
            let message = format!("`{}` is not a registry", text.escape_debug());
            let help = "write its name, perhaps with a path: `ghcr.io/acme`, `localhost:5000`";
            self.wrong_value(value.span(), message, help);
            return None;
        }
        Some(registry.to_owned())
    }

    /// A list of templates, each with good fields.
    fn templates(&mut self, key: &str, value: &Value<'_>) -> Vec<String> {
        let mut templates = Vec::new();
        for (text, span) in self.spanned_texts(key, value) {
            if self.fields_are_good(&text, span) {
                templates.push(text);
            }
        }
        templates
    }

    fn fields_are_good(&mut self, text: &str, span: std::ops::Range<usize>) -> bool {
        match template::parts(text) {
            Ok(_) => return true,
            Err(Flaw::UnknownField(name)) => {
                let message = format!("`{{{}}}` means nothing", name.escape_debug());
                self.wrong_value(span, message, template::unknown_field_help(&name));
            }
            Err(Flaw::OpenBrace) => self.wrong_value(span, "a brace is not closed", "write `{target}`"),
        }
        false
    }

    /// A table of templates by key.
    fn labels(&mut self, key: &str, value: &Value<'_>) -> IndexMap<String, String> {
        let mut labels = IndexMap::new();
        for (name, value) in self.table(key, value).into_iter().flatten() {
            let full = format!("{key}.{}", super::read::quoted(name.get_ref()));
            // A label may well be empty.
            let text = match value.get_ref().as_str() {
                Some(text) => Some(text.to_owned()),
                None => self.text(&full, value),
            };
            if name.get_ref().is_empty() || name.get_ref().contains(char::is_control) {
                let message = format!("`{}` is not the name of a label", name.get_ref().escape_debug());
                self.wrong_value(name.span(), message, "name it like `org.example.team`");
            } else if let Some(text) = text.filter(|text| self.fields_are_good(text, value.span())) {
                labels.insert(name.get_ref().to_string(), text);
            }
        }
        labels
    }

    /// `true` for those that do not change from build to build, or a list.
    fn oci_labels(&mut self, value: &Value<'_>) -> Option<Vec<OciLabel>> {
        if let Some(wanted) = value.get_ref().as_bool() {
            return Some(if wanted { OciLabel::STEADY.to_vec() } else { Vec::new() });
        }
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type("oci-labels", "`true` or a list of labels", value);
            return None;
        };
        let labels = array.iter().filter_map(|item| self.choice("oci-labels", item, &OciLabel::WORDS));
        Some(labels.collect())
    }

    fn platforms(&mut self, value: &Value<'_>) -> Vec<String> {
        let mut platforms = Vec::new();
        for (text, span) in self.spanned_texts("platforms", value) {
            match crate::platform::normal(&text) {
                Ok(platform) => platforms.push(platform),
                Err(help) => {
                    let message = format!("`{}` is not a platform", text.escape_debug());
                    self.wrong_value(span, message, help);
                }
            }
        }
        platforms
    }

    /// Caches as `docker buildx` writes them.
    fn caches(&mut self, key: &str, value: &Value<'_>) -> Vec<String> {
        let mut caches = Vec::new();
        for (text, span) in self.spanned_texts(key, value) {
            if !self.fields_are_good(&text, span.clone()) {
                continue;
            }
            match crate::cache::parse(&text) {
                Ok(_) => caches.push(text),
                Err((reason, help)) => {
                    let message = format!("`{}` is not a cache: {reason}", text.escape_debug());
                    self.wrong_value(span, message, help);
                }
            }
        }
        caches
    }
}

/// A number of bytes with a decimal (`MB`) or binary (`MiB`) unit, or none.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" | "k" => 1_000,
        "mb" | "m" => 1_000_000,
        "gb" | "g" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    if fraction.len() > 9 {
        return None;
    }
    let scale = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let fraction: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    whole.checked_mul(unit)?.checked_add(fraction.checked_mul(unit)? / scale)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, size) in [
            ("300 MB", Some(300_000_000)),
            ("1.25GB", Some(1_250_000_000)),
            ("512MiB", Some(512 << 20)),
            ("1000", Some(1000)),
            ("5 m", Some(5_000_000)),
            ("MB", None),
            ("1,5 GB", None),
            ("-1", None),
            ("1 TB", None),
        ] {
            assert_eq!(bytes(text), size, "{text}");
        }
    }
}
