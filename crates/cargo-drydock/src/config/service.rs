//! The keys that say how a service runs: its init, its health, what it has beside its own files.

use drydock_plan::{CopyFrom, DevSettings, Healthcheck, ImagePath, Probe};
use toml::de::DeValue;

use super::value::{Reader, Value};

/// The keys of a `healthcheck` that is a table.
const HEALTHCHECK: &[&str] = &["path", "port", "command", "interval", "timeout", "start-period", "retries"];

/// The keys of one of `copy-from`.
const COPY_FROM: &[&str] = &["image", "from", "to"];

/// The keys of `dev`.
const DEV: &[&str] = &["command", "port"];

impl Reader {
    /// `true`, `false`, or the init by its name.
    pub(super) fn init(&mut self, value: &Value<'_>) -> Option<bool> {
        match value.get_ref() {
            DeValue::String(_) => self.choice("init", value, &[("tini", true)]),
            _ => self.boolean("init", value),
        }
    }

    /// Options of Node: a text as it is, or a list of single options.
    pub(super) fn node_options(&mut self, value: &Value<'_>) -> Option<String> {
        let options = match value.get_ref() {
            DeValue::Array(_) => {
                let options = self.texts("node-options", value);
                // Node splits the variable at spaces, except within double quotes.
                let quoted = options
                    .iter()
                    .map(|option| if option.contains(' ') { format!("\"{option}\"") } else { option.clone() });
                quoted.collect::<Vec<_>>().join(" ")
            }
            _ => self.text("node-options", value)?,
        };
        if options.contains(['\n', '\r', '\0']) {
            self.wrong_value(value.span(), "`node-options` has a line break", "write the options in one line");
            return None;
        }
        Some(options)
    }

    /// The path of a URL, or a table.
    pub(super) fn healthcheck(&mut self, value: &Value<'_>) -> Option<Healthcheck> {
        if !value.get_ref().is_table() {
            let path = self.url_path("healthcheck", value)?;
            return Some(Healthcheck::new(Probe::Http { path, port: None }));
        }
        let (mut path, mut port, mut command) = (None, None, None);
        let mut check = Healthcheck::new(Probe::Command(Vec::new()));
        for (key, value) in self.table("healthcheck", value)? {
            match &**key.get_ref() {
                "path" => path = self.url_path("healthcheck.path", value),
                "port" => port = self.port("healthcheck.port", value),
                "command" => command = self.command("healthcheck.command", value),
                "interval" => check.interval = self.seconds("healthcheck.interval", value, 1)?,
                "timeout" => check.timeout = self.seconds("healthcheck.timeout", value, 1)?,
                "start-period" => check.start_period = self.seconds("healthcheck.start-period", value, 0)?,
                "retries" => check.retries = self.count("healthcheck.retries", value)?,
                _ => self.unknown(key, "`healthcheck`", HEALTHCHECK),
            }
        }
        check.probe = match (path, command) {
            (Some(path), None) => Probe::Http { path, port },
            (None, Some(command)) => Probe::Command(command),
            (Some(_), Some(_)) => {
                let message = "`healthcheck` has a path and a command";
                self.wrong_value(value.span(), message, "keep one of them");
                return None;
            }
            (None, None) => {
                let message = "`healthcheck` says neither what to ask for nor what to run";
                self.wrong_value(value.span(), message, "write `path = \"/health\"`, or a `command`");
                return None;
            }
        };
        Some(check)
    }

    /// The path of a URL.
    fn url_path(&mut self, key: &str, value: &Value<'_>) -> Option<String> {
        let path = self.text(key, value)?;
        if !path.starts_with('/') || path.chars().any(|other| other.is_control() || other.is_whitespace()) {
            let message = format!("`{key}` must be the path of a URL");
            self.wrong_value(value.span(), message, "begin with `/`, like `/health`");
            return None;
        }
        Some(path)
    }

    /// A whole number of seconds, or a text such as `90s` or `1m30s`.
    fn seconds(&mut self, key: &str, value: &Value<'_>, least: u32) -> Option<u32> {
        let seconds = match value.get_ref() {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            DeValue::String(text) => seconds(text),
            _ => {
                self.wrong_type(key, "a number of seconds, or a text like `\"1m30s\"`", value);
                return None;
            }
        };
        let seconds = seconds.filter(|seconds| *seconds >= least);
        if seconds.is_none() {
            let message = format!("`{key}` is no time of whole seconds");
            self.wrong_value(value.span(), message, format!("write a number from {least}, or a text like `\"1m30s\"`"));
        }
        seconds
    }

    fn count(&mut self, key: &str, value: &Value<'_>) -> Option<u32> {
        let number = value.get_ref().as_integer();
        let count = number.and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok());
        let count = count.filter(|count| *count > 0);
        if count.is_none() {
            self.wrong_value(value.span(), format!("`{key}` is no count"), "write a whole number from 1");
        }
        count
    }

    /// What is taken from other images.
    pub(super) fn copies(&mut self, value: &Value<'_>) -> Vec<CopyFrom> {
        let Some(array) = value.get_ref().as_array() else {
            let expected = "a list of tables, like `[{ image = \"ghcr.io/astral-sh/uv:0.6.13\", from = \"/uv\", to = \"/usr/local/bin/\" }]`";
            self.wrong_type("copy-from", expected, value);
            return Vec::new();
        };
        let mut copies = Vec::new();
        for item in array {
            let key = format!("copy-from[{}]", copies.len());
            let Some(table) = self.table(&key, item) else { continue };
            let (mut image, mut from, mut to) = (None, None, None);
            for (name, value) in table {
                match &**name.get_ref() {
                    "image" => image = self.image(&format!("{key}.image"), value),
                    "from" => from = self.place(&format!("{key}.from"), value),
                    "to" => to = self.place(&format!("{key}.to"), value),
                    _ => self.unknown(name, &format!("`{key}`"), COPY_FROM),
                }
            }
            match (image, from, to) {
                (Some(image), Some(from), to) => {
                    // What stands where it stood is how files are most often taken.
                    let to = to.unwrap_or_else(|| from.clone());
                    copies.push(CopyFrom { image, from, to });
                }
                _ if table.contains_key("image") && table.contains_key("from") => {}
                _ => {
                    let message = format!("`{key}` lacks the image or what to take from it");
                    self.wrong_value(item.span(), message, "write `image`, `from`, and `to` where it goes elsewhere");
                }
            }
        }
        copies
    }

    /// `false`, or a table.
    pub(super) fn dev(&mut self, value: &Value<'_>) -> Option<DevSettings> {
        if !value.get_ref().is_table() {
            let wanted = self.boolean("dev", value)?;
            return Some(DevSettings { skip: !wanted, ..DevSettings::default() });
        }
        let mut dev = DevSettings::default();
        for (key, value) in self.table("dev", value)? {
            match &**key.get_ref() {
                "command" => dev.command = self.command("dev.command", value),
                "port" => dev.port = self.port("dev.port", value),
                _ => self.unknown(key, "`dev`", DEV),
            }
        }
        Some(dev)
    }

    /// An absolute path inside an image.
    fn place(&mut self, key: &str, value: &Value<'_>) -> Option<ImagePath> {
        let text = self.text(key, value)?;
        if !text.starts_with('/') || text.chars().any(char::is_control) {
            let message = format!("`{key}` is no absolute path");
            self.wrong_value(value.span(), message, "begin with `/`, the root of the image");
            return None;
        }
        Some(ImagePath::new(&text))
    }
}

/// `1h30m`, `90s`: as Docker writes durations, in whole seconds.
fn seconds(text: &str) -> Option<u32> {
    let mut total = 0u32;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let number: u32 = rest[..digits].parse().ok()?;
        let factor = match rest.as_bytes()[digits] {
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(factor)?)?;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_docker_writes_them() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("1m30s", Some(90)),
            ("2h", Some(7200)),
            ("0s", Some(0)),
            ("", None),
            ("30", None),
            ("s", None),
            ("1.5s", None),
            ("10ms", None),
            ("99999999999s", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
