//! Values as YAML that people read: block style, plain where nothing else could be meant.

use serde_json::Value;

/// The value of a document, with a line break at its end. Strings that could be read as anything else are quoted as JSON
/// quotes them, which YAML reads the same.
pub(crate) fn yaml(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text
}

/// Writes a value whose lines begin `depth` columns in.
fn write(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                indent(text, depth);
                text.push_str(&scalar(key));
                text.push(':');
                below(text, value, depth + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                indent(text, depth);
                text.push('-');
                match item {
                    // Its first line stands behind the dash.
                    Value::Object(entries) if !entries.is_empty() => {
                        let mut block = String::new();
                        write(&mut block, item, depth + 2);
                        text.push(' ');
                        text.push_str(&block[depth + 2..]);
                    }
                    other => below(text, other, depth + 2),
                }
            }
        }
        other => {
            indent(text, depth);
            text.push_str(&flow(other));
            text.push('\n');
        }
    }
}

/// Writes what stands behind a key or a dash.
fn below(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => text.push('\n'),
        Value::Object(entries) if !entries.is_empty() => {
            text.push('\n');
            write(text, value, depth);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            write(text, value, depth);
        }
        other => {
            text.push(' ');
            text.push_str(&flow(other));
            text.push('\n');
        }
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        // Numbers, booleans, `null`, `[]` and `{}` are the same in both.
        other => other.to_string(),
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n(' ', depth));
}

/// A string: plain when it begins with a letter, `/` or a relative path, and holds nothing that YAML has a meaning for.
fn scalar(text: &str) -> String {
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        || text.starts_with("./")
        || text.starts_with("../")
        // A hidden folder: without a slash behind it could be a number.
        || text.strip_prefix('.').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_lowercase()) && rest.contains('/'));
    let holds = text.chars().all(|other| other.is_ascii_alphanumeric() || "._-/@+*".contains(other) || other == ':')
        && !text.ends_with(':');
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "nan" | "inf"
    );
    if text == "." || begins && holds && !word { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn it_reads_well() {
        let value = json!({
            "name": "chat",
            "services": { "api": { "image": "api", "args": { "COMMIT": null }, "ports": ["80:80"], "none": [] } },
            "rules": [{ "path": "./api", "ignore": ["node_modules/"] }, "no", 7, [true]],
        });
        insta::assert_snapshot!(yaml(&value), @r#"
        name: chat
        services:
          api:
            image: api
            args:
              COMMIT:
            ports:
              - "80:80"
            none: []
        rules:
          - path: ./api
            ignore:
              - node_modules/
          - "no"
          - 7
          -
            - true
        "#);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ -~]{0,12}".prop_map(Value::from),
            "\\PC{0,6}".prop_map(Value::from),
            prop_oneof![Just("1e3"), Just("0x1f"), Just("12:30"), Just("~"), Just("a: b"), Just("No"), Just(".5")]
                .prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{1,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// By a reader of YAML that is not ours.
        #[test]
        fn what_is_written_is_read_again(value in values()) {
            let text = yaml(&value);
            let read: Value = serde_saphyr::from_str(&text).expect(&text);
            prop_assert_eq!(read, value, "{}", text);
        }
    }
}
