//! How a text is written so that BuildKit reads back the same text.
//!
//! What stands in a Dockerfile passes several readers, one after the other, and each has its own escapes:
//!
//! 1. lines: a backslash at the end of a line joins it with the next; a line that begins with `#` is dropped;
//! 2. the instruction's own form: a JSON array, `key=value` pairs, or the rest of the line;
//! 3. words: quotes are removed, backslashes escape, `$name` is expanded (COPY, ENV, ARG, LABEL, WORKDIR, USER;
//!    never RUN, CMD, ENTRYPOINT and HEALTHCHECK);
//! 4. globs: sources of COPY with `*`, `?` or `[` are patterns as Go's `filepath.Match` reads them.

use super::text::{Line, Variable};

/// A text as a word of WORKDIR, USER, or a value of ENV, ARG and LABEL: as it is where nothing in it has a meaning,
/// in double quotes otherwise.
pub(crate) fn value(text: &Line) -> String {
    let text = text.as_str();
    if is_plain(text) {
        return text.to_owned();
    }
    format!("\"{}\"", in_double_quotes(text))
}

/// A text and then what a variable holds, as one word.
pub(crate) fn value_before(text: &Line, variable: &Variable) -> String {
    if is_plain(text.as_str()) {
        format!("{text}${{{variable}}}")
    } else {
        format!("\"{}${{{variable}}}\"", in_double_quotes(text.as_str()))
    }
}

/// Escapes what has a meaning between double quotes.
fn in_double_quotes(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '$') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The source and destination words of a COPY, before its form (plain or JSON) is chosen.
pub(crate) fn copy_source(path: &str) -> String {
    expanded_word(&anchored(&glob_literal(path)))
}

/// The destination of a COPY; no pattern, but a word that is expanded.
pub(crate) fn copy_destination(path: &str) -> String {
    expanded_word(&anchored(path))
}

/// Whether a word of COPY may stand without JSON around it.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.chars().all(|character| character.is_alphanumeric() || "._-/@+,:=%~".contains(character))
}

/// Strings as a JSON array on one line.
pub(crate) fn json_array<S: AsRef<str>>(elements: &[S]) -> String {
    let elements: Vec<String> = elements.iter().map(|element| json_string(element.as_ref())).collect();
    format!("[{}]", elements.join(", "))
}

/// A JSON string.
pub(crate) fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A word of a POSIX shell command, quoted where it must be.
pub(crate) fn shell_word(text: &str) -> String {
    let plain =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/@+,:=%".contains(&byte));
    if plain { text.to_owned() } else { shell_quoted(text) }
}

/// The first word of a POSIX shell command: no assignment, no keyword, and never read as a flag of RUN.
pub(crate) fn shell_command_word(text: &str) -> String {
    const KEYWORDS: [&str; 15] = [
        "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "select", "then", "until",
        "while",
    ];
    if text.starts_with('-') || text.contains('=') || KEYWORDS.contains(&text) {
        shell_quoted(text)
    } else {
        shell_word(text)
    }
}

/// A text in single quotes, as a POSIX shell reads them.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A relative path that another reading threatens (`--flag`, `<<heredoc`, `host:repository`) begins with `./`.
fn anchored(path: &str) -> String {
    let threatened = path.starts_with('-') || path.contains([':', '<', '#']);
    if threatened && !path.starts_with('/') { format!("./{path}") } else { path.to_owned() }
}

/// Readers drop it at the beginning of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Makes each character of the path stand for itself in a pattern of `filepath.Match`.
///
/// A character class around a special character works in every reader: where BuildKit finds no `*`, `?` or `[` it
/// takes a path as it is, backslashes included, so a backslash must itself bring the `[` that makes it a pattern.
///
/// Clients that send a folder read the sources once more, as patterns of an ignore file, to learn which files to send:
/// a `!` at the beginning negates there, spaces at the ends are dropped, and a pattern becomes a regular expression in
/// which `^`, `|` and braces keep their meaning (and `+` and parentheses did until Docker 23).
fn glob_literal(path: &str) -> String {
    let outer_space = path.starts_with(char::is_whitespace) || path.ends_with(char::is_whitespace);
    if !path.contains(['*', '?', '[', '\\', '^']) && !path.starts_with(['!', BYTE_ORDER_MARK]) && !outer_space {
        return path.to_owned();
    }
    let mut pattern = String::with_capacity(path.len() + 8);
    let last = path.chars().count() - 1;
    for (index, character) in path.chars().enumerate() {
        match character {
            '\\' | '^' => pattern.extend(['[', '\\', character, ']']),
            '*' | '?' | '[' | '{' | '}' | '|' | '+' | '(' | ')' => pattern.extend(['[', character, ']']),
            '!' | BYTE_ORDER_MARK if index == 0 => pattern.extend(['[', character, ']']),
            space if space.is_whitespace() && (index == 0 || index == last) => pattern.extend(['[', space, ']']),
            other => pattern.push(other),
        }
    }
    pattern
}

/// Escapes what the reader of words removes or expands.
fn expanded_word(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (index, character) in text.chars().enumerate() {
        if matches!(character, '\\' | '\'' | '"' | '$' | '<') || (index == 0 && character == BYTE_ORDER_MARK) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_only_where_they_must_be() {
        let value = |text: &str| value(&Line::new(text).unwrap());
        assert_eq!(value("/app/packages/api"), "/app/packages/api");
        assert_eq!(value("é/ü"), "é/ü");
        assert_eq!(value(""), r#""""#);
        assert_eq!(value("a b"), r#""a b""#);
        assert_eq!(value("#1"), r##""#1""##);
        assert_eq!(value(r#"$HOME "\"#), r#""\$HOME \"\\""#);
        assert_eq!(value("--flag"), r#""--flag""#);
    }

    #[test]
    fn copy_words_stand_for_themselves() {
        assert_eq!(copy_source("packages/api"), "packages/api");
        assert_eq!(copy_source("--from"), "./--from");
        assert_eq!(copy_source("<<EOF"), r"./\<\<EOF");
        assert_eq!(copy_source("git@host:x"), "./git@host:x");
        assert_eq!(copy_source("$a'b"), r"\$a\'b");
        assert_eq!(copy_source("[id]/*?"), "[[]id]/[*][?]");
        assert_eq!(copy_source(r"a\b"), r"a[\\\\]b");
        assert_eq!(copy_source("!a^b "), r"[!]a[\\^]b[ ]");
        assert_eq!(copy_destination("[id]"), "[id]");
    }

    #[test]
    fn shell_words_stand_for_themselves() {
        assert_eq!(shell_word("build:prod"), "build:prod");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word("~"), "'~'");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_command_word("A=b"), "'A=b'");
        assert_eq!(shell_command_word("if"), "'if'");
        assert_eq!(shell_command_word("--mount=x"), "'--mount=x'");
        assert_eq!(shell_command_word("npm"), "npm");
    }
}
