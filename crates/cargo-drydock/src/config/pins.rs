//! `drydock.lock`: what base images are pinned to. `drydock pin` writes it, everything that plans reads it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use drydock_diagnostics::Snippet;
use drydock_plan::ImageRef;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::source::{read_if_there, shown};

/// The file beside a configuration of the usual name, and where there is none.
pub(crate) const FILE_NAME: &str = "drydock.lock";

/// The form of the file. A drydock that writes another one has another number here.
const VERSION: u32 = 1;

const HEAD: &str = "\
# Written by `cargo drydock pin`: the digests of base images. Commit it; `cargo drydock pin --update` brings newer ones.
";

/// Where the pins of a configuration are: beside it, under its name.
pub(crate) fn beside(root: &Utf8Path, config: Option<&Utf8Path>) -> Utf8PathBuf {
    match config {
        // Cargo's own lockfile has the other name already.
        Some(file) if file.file_name() == Some("Cargo.toml") => file.with_file_name(FILE_NAME),
        Some(file) => file.with_extension("lock"),
        None => root.join(FILE_NAME),
    }
}

/// The pins in `file`; none when it is not there.
pub(super) fn load(root: &Utf8Path, file: &Utf8Path) -> Result<BTreeMap<ImageRef, String>, Vec<ConfigError>> {
    let text = read_if_there(file).map_err(|error| vec![error])?;
    text.map_or_else(|| Ok(BTreeMap::new()), |text| parse(&shown(root, file), &text))
}

/// The text of the file, in order.
pub(crate) fn text(pins: &BTreeMap<ImageRef, String>) -> String {
    let string = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let lines = pins.iter().map(|(image, digest)| format!("{} = {}\n", string(image.as_str()), string(digest)));
    format!("{HEAD}version = {VERSION}\n\n[images]\n{}", lines.collect::<Vec<_>>().concat())
}

/// Reads the text of the file, which `path` is for messages. All mistakes are told at once.
pub(super) fn parse(path: &str, text: &str) -> Result<BTreeMap<ImageRef, String>, Vec<ConfigError>> {
    let mut mistakes = Mistakes { path, source: text.into(), errors: Vec::new() };
    let (document, syntax) = DeTable::parse_recoverable(text);
    for error in syntax {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        let help = "settle conflicts of a merge in it, or delete it and run `drydock pin`";
        mistakes.add(error.span().unwrap_or(0..0), format!("`{path}` is not valid TOML: {message}"), help);
    }
    let mut pins = BTreeMap::new();
    if mistakes.errors.is_empty() {
        for (key, value) in document.get_ref() {
            match &**key.get_ref() {
                "version" => mistakes.version(value),
                "images" => mistakes.images(value, &mut pins),
                other => {
                    let message = format!("`{}` means nothing in `{path}`", other.escape_debug());
                    mistakes.add(key.span(), message, "delete it; images stand under `[images]`");
                }
            }
        }
    }
    if mistakes.errors.is_empty() { Ok(pins) } else { Err(mistakes.errors) }
}

/// What is wrong, and where.
struct Mistakes<'p> {
    path: &'p str,
    source: Arc<str>,
    errors: Vec<ConfigError>,
}

impl Mistakes<'_> {
    fn add(&mut self, span: Range<usize>, message: String, help: &str) {
        let (path, source) = (self.path.to_owned(), Arc::clone(&self.source));
        let snippet = Box::new(Snippet { path, source, span, label: String::new() });
        self.errors.push(ConfigError::Lock { message, help: help.to_owned(), snippet });
    }

    fn version(&mut self, value: &Spanned<DeValue<'_>>) {
        let number = value.get_ref().as_integer().map(toml::de::DeInteger::as_str);
        if number != Some(VERSION.to_string().as_str()) {
            let message = format!("`{}` has a form that this drydock does not know", self.path);
            self.add(value.span(), message, "update drydock, or delete the file and run `drydock pin`");
        }
    }

    fn images(&mut self, value: &Spanned<DeValue<'_>>, pins: &mut BTreeMap<ImageRef, String>) {
        let Some(table) = value.get_ref().as_table() else {
            self.add(value.span(), "`images` is no table".to_owned(), "delete it and run `drydock pin`");
            return;
        };
        for (image, digest) in table {
            let name: &str = image.get_ref();
            let is_reference = name.starts_with(|first: char| first.is_ascii_alphanumeric())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte));
            if !is_reference {
                let message = format!("`{}` is not a reference to an image by a tag", name.escape_debug());
                self.add(image.span(), message, "delete the line and run `drydock pin`");
                continue;
            }
            if let Some(text) = digest.get_ref().as_str().filter(|text| is_digest(text)) {
                pins.insert(ImageRef::new(name), text.to_owned());
            } else {
                let message = format!("what `{name}` is pinned to is no digest");
                let help = "write `sha256:` and 64 hexadecimal digits, or delete the line and run `drydock pin`";
                self.add(digest.span(), message, help);
            }
        }
    }
}

/// Whether this is a digest as registries write them.
pub(crate) fn is_digest(text: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix("sha256:").is_some_and(|rest| rest.len() == 64 && rest.bytes().all(hex))
}

#[cfg(test)]
mod tests {
    use drydock_diagnostics::Diagnose as _;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
        let pins = BTreeMap::from([
            (ImageRef::new("node:22-bookworm-slim"), digest("a")),
            (ImageRef::new("localhost:5000/x/nginx"), digest("0")),
        ]);
        let text = text(&pins);
        insta::assert_snapshot!(text, @r#"
        # Written by `cargo drydock pin`: the digests of base images. Commit it; `cargo drydock pin --update` brings newer ones.
        version = 1

        [images]
        "localhost:5000/x/nginx" = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
        "node:22-bookworm-slim" = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "#);
        assert_eq!(parse(FILE_NAME, &text).expect("valid"), pins);
    }

    #[test]
    fn every_mistake_has_a_place_and_a_way_out() {
        let mistakes = |text: &str| {
            let errors = parse(FILE_NAME, text).expect_err("a mistake");
            let lines = errors.iter().map(|error| {
                let (line, column) = error.snippets()[0].line_column();
                format!("{line}:{column} {}: {error} ({})", error.code(), error.help().expect("help"))
            });
            lines.collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(mistakes(
            "version = 2\nimage = 1\n[images]\n\"node:22\" = \"sha256:12\"\nx = 3\n\"a b\" = \"\"\n\"a@sha256:1\" = \"\"\n"
        ), @"
        1:11 pins-invalid: `drydock.lock` has a form that this drydock does not know (update drydock, or delete the file and run `drydock pin`)
        2:1 pins-invalid: `image` means nothing in `drydock.lock` (delete it; images stand under `[images]`)
        4:13 pins-invalid: what `node:22` is pinned to is no digest (write `sha256:` and 64 hexadecimal digits, or delete the line and run `drydock pin`)
        5:5 pins-invalid: what `x` is pinned to is no digest (write `sha256:` and 64 hexadecimal digits, or delete the line and run `drydock pin`)
        6:1 pins-invalid: `a b` is not a reference to an image by a tag (delete the line and run `drydock pin`)
        7:1 pins-invalid: `a@sha256:1` is not a reference to an image by a tag (delete the line and run `drydock pin`)
        ");
        insta::assert_snapshot!(mistakes("<<<<<<< ours\n[images]\n"), @"
        1:9 pins-invalid: `drydock.lock` is not valid TOML: key with no value, expected `=` (settle conflicts of a merge in it, or delete it and run `drydock pin`)
        1:1 pins-invalid: `drydock.lock` is not valid TOML: invalid unquoted key, expected letters, numbers, `-`, `_` (settle conflicts of a merge in it, or delete it and run `drydock pin`)
        ");
    }

    #[test]
    fn each_configuration_has_its_own() {
        let beside = |config: Option<&str>| beside("/w".into(), config.map(Into::into));
        assert_eq!(beside(None), "/w/drydock.lock");
        assert_eq!(beside(Some("/w/drydock.toml")), "/w/drydock.lock");
        assert_eq!(beside(Some("/w/Cargo.toml")), "/w/drydock.lock");
        assert_eq!(beside(Some("ci/staging.toml")), "ci/staging.lock");
    }
}
