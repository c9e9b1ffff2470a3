//! Splits a command line into its words.

/// Why a line cannot be split without a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SplitError {
    /// A quote is opened and never closed.
    OpenQuote,
    /// The character has a meaning in a shell.
    NeedsShell(char),
}

/// The words of `line`, as a POSIX shell splits them: blanks separate, quotes and backslashes keep together. What only
/// a shell can do (variables, pipes, redirections, several commands) is refused rather than passed on literally.
pub(super) fn split(line: &str) -> Result<Vec<String>, SplitError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some('\'') => break,
                        Some(inner) => word.push(inner),
                        None => return Err(SplitError::OpenQuote),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some('"') => break,
                        Some('\\') => match characters.next() {
                            Some(escaped @ ('"' | '\\' | '$' | '`')) => word.push(escaped),
                            Some(other) => word.extend(['\\', other]),
                            None => return Err(SplitError::OpenQuote),
                        },
                        Some(special @ ('$' | '`')) => return Err(SplitError::NeedsShell(special)),
                        Some(inner) => word.push(inner),
                        None => return Err(SplitError::OpenQuote),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(characters.next()),
            '$' | '`' | '|' | '&' | ';' | '<' | '>' | '(' | ')' | '*' | '?' => {
                return Err(SplitError::NeedsShell(character));
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_a_shell_does() {
        let words = |line: &str| split(line).map(|words| words.join("|"));
        assert_eq!(words("node  server/index.js\t--port 1"), Ok("node|server/index.js|--port|1".to_owned()));
        assert_eq!(words(r#"node 'a b' "c \" d" e\ f ''"#), Ok(r#"node|a b|c " d|e f|"#.to_owned()));
        assert_eq!(words("node 'a"), Err(SplitError::OpenQuote));
        assert_eq!(words("a && b"), Err(SplitError::NeedsShell('&')));
        assert_eq!(words("node $X"), Err(SplitError::NeedsShell('$')));
        assert_eq!(words("node '$X'"), Ok("node|$X".to_owned()));
    }
}
