//! Cuts YAML as pnpm writes it into the texts of its entries: keys at two spaces inside a key at none.

use std::ops::Range;

/// The ranges of the top-level keys of one document, in the file's order, each with its key.
pub(crate) fn sections(text: &str, document: Range<usize>) -> Vec<(String, Range<usize>)> {
    blocks(text, document, 0)
}

/// The ranges of the keys at `indent` spaces, each from its key's line to the next one's, blank lines at the end left out.
pub(crate) fn blocks(text: &str, within: Range<usize>, indent: usize) -> Vec<(String, Range<usize>)> {
    let mut found: Vec<(String, Range<usize>)> = Vec::new();
    let mut at = within.start;
    for line in text[within.clone()].split_inclusive('\n') {
        let end = at + line.len();
        let content = line.trim_end();
        let spaces = content.len() - content.trim_start().len();
        if !content.is_empty() && spaces == indent && !content.trim_start().starts_with('#') {
            if let Some(key) = key_of(content.trim_start()) {
                found.push((key, at..end));
            }
        } else if let Some((_, range)) = found.last_mut()
            && !content.is_empty()
            && spaces > indent
        {
            range.end = end;
        }
        at = end;
    }
    found
}

/// The key of a line `key:`, `key: value` or `'key': value`.
fn key_of(line: &str) -> Option<String> {
    if let Some(rest) = line.strip_prefix('\'') {
        // In single quotes a quote is written twice.
        let mut from = 0;
        loop {
            let at = from + rest[from..].find('\'')?;
            if rest[at + 1..].starts_with('\'') {
                from = at + 2;
                continue;
            }
            return rest[at + 1..].starts_with(':').then(|| rest[..at].replace("''", "'"));
        }
    }
    if line.starts_with('"') {
        let end = line.rfind("\":")?;
        return serde_json::from_str(&line[..=end]).ok();
    }
    let key = line.strip_suffix(':').or_else(|| line.split_once(": ").map(|(key, _)| key))?;
    Some(key.to_owned())
}

/// The range of the last YAML document: pnpm 11 writes what its own environment needs into one before it.
pub(crate) fn last_document(text: &str) -> Range<usize> {
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        if line.trim_end() == "---" {
            start = at;
        }
    }
    start..text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "lockfileVersion: '9.0'\n\npackages:\n\n  '@s/a@1.0.0':\n    resolution: {integrity: x}\n    engines: {node: '>=1'}\n\n  b@1.0.0: {}\n\n  'it''s@1.0.0(p@2.0.0)':\n    deprecated: |-\n      text\n\n      more\n\nsnapshots:\n";

    #[test]
    fn cuts_at_keys() {
        let sections = sections(TEXT, 0..TEXT.len());
        let keys: Vec<&str> = sections.iter().map(|(key, _)| &**key).collect();
        assert_eq!(keys, ["lockfileVersion", "packages", "snapshots"]);
        let packages = blocks(TEXT, sections[1].1.clone(), 2);
        let shown: Vec<(&str, &str)> = packages.iter().map(|(key, range)| (&**key, &TEXT[range.clone()])).collect();
        assert_eq!(shown[0].0, "@s/a@1.0.0");
        assert_eq!(shown[0].1, "  '@s/a@1.0.0':\n    resolution: {integrity: x}\n    engines: {node: '>=1'}\n");
        assert_eq!(shown[1], ("b@1.0.0", "  b@1.0.0: {}\n"));
        assert_eq!(shown[2].0, "it's@1.0.0(p@2.0.0)");
        assert!(shown[2].1.ends_with("      text\n\n      more\n"), "a blank line inside a text belongs to it");
    }

    #[test]
    fn the_last_document_counts() {
        let text = "---\nlockfileVersion: '9.0'\nimporters: {}\n---\nlockfileVersion: '9.0'\n";
        assert_eq!(&text[last_document(text)], "lockfileVersion: '9.0'\n");
        assert_eq!(last_document("a: 1\n"), 0..5);
    }
}
