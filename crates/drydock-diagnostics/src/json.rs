//! Where a key stands in a JSON text. `serde_json` knows the place of a syntax error only; a message about a value
//! needs the place of that value.

use std::ops::Range;

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

/// The byte range of the property at `keys` (key and value), walking objects by key and arrays by index written as a
/// number. `None` when the text does not parse or has no such place.
pub fn locate(text: &str, keys: &[&str]) -> Option<Range<usize>> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default()).ok()?;
    let mut value = parsed.value?;
    let mut range = value.range().start..value.range().end;
    for key in keys {
        match value {
            Value::Object(mut object) => {
                let index = object.properties.iter().position(|property| property.name.as_str() == *key)?;
                let property = object.properties.swap_remove(index);
                range = property.range.start..property.range.end;
                value = property.value;
            }
            Value::Array(mut array) => {
                let index: usize = key.parse().ok()?;
                if index >= array.elements.len() {
                    return None;
                }
                value = array.elements.swap_remove(index);
                range = value.range().start..value.range().end;
            }
            _ => return None,
        }
    }
    Some(range)
}

/// The byte offset of a 1-based line and column as `serde_json` reports them (columns count bytes).
pub fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_nested_keys_and_elements() {
        let text = r#"{ "name": "a", "dependencies": { "b": "^1" }, "workspaces": ["x", "y"] }"#;
        let at = |keys: &[&str]| locate(text, keys).map(|range| &text[range]);
        assert_eq!(at(&["dependencies", "b"]), Some(r#""b": "^1""#));
        assert_eq!(at(&["workspaces", "1"]), Some(r#""y""#));
        assert_eq!(at(&["dependencies", "c"]), None);
        assert_eq!(at(&["workspaces", "2"]), None);
    }

    #[test]
    fn offsets_follow_lines() {
        assert_eq!(offset("ab\ncd\n", 2, 2), 4);
        assert_eq!(offset("ab", 9, 9), 2);
    }
}
