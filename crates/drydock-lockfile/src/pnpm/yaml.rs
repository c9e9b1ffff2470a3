//! Writes small YAML: settings and importers.

use std::fmt::Write as _;

use serde_json::Value;

/// A block of `key: value` lines at an indent, nested values below.
pub(crate) fn write_entry(out: &mut String, indent: usize, key: &str, value: &Value) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) if map.is_empty() => writeln!(out, "{pad}{}: {{}}", scalar(key)),
        Value::Array(items) if items.is_empty() => writeln!(out, "{pad}{}: []", scalar(key)),
        Value::Object(map) => {
            let written = writeln!(out, "{pad}{}:", scalar(key));
            for (key, value) in map {
                write_entry(out, indent + 2, key, value);
            }
            written
        }
        Value::Array(items) => {
            // JSON is YAML: nested collections in lists are rare enough to be written so.
            let written = writeln!(out, "{pad}{}:", scalar(key));
            written.and_then(|()| items.iter().try_for_each(|item| writeln!(out, "{pad}  - {}", plain(item))))
        }
        value => writeln!(out, "{pad}{}: {}", scalar(key), plain(value)),
    }
    .expect("writing to memory does not fail");
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        value => value.to_string(),
    }
}

/// A text so that YAML reads it as that text: bare when it is a plain word, quoted otherwise.
pub(crate) fn scalar(text: &str) -> String {
    let bare = text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/'))
        && !matches!(&*text.to_ascii_lowercase(), "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    if bare {
        text.to_owned()
    } else if text.chars().any(char::is_control) {
        Value::from(text).to_string()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let value = serde_json::json!({
            "packages": ["a", "packages/b", "!x", "*"], "onlyBuiltDependencies": [], "empty": {},
            "overrides": {"@s/a>b@^1": "npm:x@1", "it's": "yes", "line": "a\nb", "1": "1.0"},
            "strict": true, "n": 3, "none": null, "list": [{"a": [1, "x"]}],
        });
        let mut text = String::new();
        for (key, value) in value.as_object().unwrap() {
            write_entry(&mut text, 0, key, value);
        }
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, value, "{text}");
    }
}
