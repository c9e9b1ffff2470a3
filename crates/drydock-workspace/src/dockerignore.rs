//! `.dockerignore` with the rules of BuildKit's `patternmatcher`.

use drydock_lockfile::WorkspacePath;

/// The patterns of a `.dockerignore`.
#[derive(Debug, Clone, Default)]
pub struct Dockerignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone)]
struct Pattern {
    /// It begins with `!`: what it matches is not ignored after all.
    exception: bool,
    /// `**` with nothing but plain characters behind: the matcher compares the end of the path, whatever is before.
    suffix: Option<String>,
    /// It has no wildcards.
    literal: Option<String>,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `*`
    AnyInPart,
    /// `?`
    OneInPart,
    /// `**` at the end
    Anything,
    /// `**/`
    AnyFolders,
    /// `[a-z]`
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Dockerignore {
    /// Reads the lines of a `.dockerignore`.
    pub fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let patterns = text.lines().filter(|line| !line.starts_with('#')).filter_map(pattern).collect();
        Self { patterns }
    }

    /// Whether the file or folder at `path` stays out, by itself or because a folder above it does.
    pub fn ignores(&self, path: &WorkspacePath) -> bool {
        let mut ignored = false;
        for pattern in &self.patterns {
            if pattern.exception == ignored && pattern.matches_here_or_above(path.as_str()) {
                ignored = !pattern.exception;
            }
        }
        ignored
    }

    /// Whether a pattern names the path itself. The same as [`Self::ignores`] below a folder that is not ignored, as long
    /// as there are no exceptions; a walk from above need not ask about every folder again.
    pub(crate) fn names(&self, path: &WorkspacePath) -> bool {
        if self.may_return_below() {
            return self.ignores(path);
        }
        self.patterns.iter().any(|pattern| pattern.matches(path.as_str()))
    }

    /// Whether something below the ignored folder at `path` may be taken back by an exception.
    pub(crate) fn may_return_below(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.exception)
    }
}

fn pattern(line: &str) -> Option<Pattern> {
    let line = line.trim();
    let (exception, text) = match line.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, line),
    };
    if text.is_empty() {
        return None;
    }
    let text = clean(text);
    let text = text.strip_prefix('/').unwrap_or(&text);
    let suffix = text.strip_prefix("**").filter(|rest| !rest.is_empty() && !rest.contains(['*', '?', '[', ']', '\\']));
    let tokens = tokens(text);
    let literal = tokens.iter().map(|token| if let Token::Char(char) = token { Some(*char) } else { None }).collect();
    Some(Pattern { exception, suffix: suffix.map(str::to_owned), literal, tokens })
}

/// Go's `filepath.Clean`.
fn clean(text: &str) -> String {
    let rooted = text.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        tokens.push(match char {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                if chars.peek() == Some(&'/') {
                    chars.next();
                }
                if chars.peek().is_none() { Token::Anything } else { Token::AnyFolders }
            }
            '*' => Token::AnyInPart,
            '?' => Token::OneInPart,
            '[' => class(&mut chars),
            '\\' => Token::Char(chars.next().unwrap_or('\\')),
            char => Token::Char(char),
        });
    }
    tokens
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Token {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while let Some(char) = chars.next() {
        let from = match char {
            ']' => break,
            '\\' => chars.next().unwrap_or('\\'),
            char => char,
        };
        let to = if chars.next_if_eq(&'-').is_some() {
            match chars.next() {
                Some('\\') => chars.next().unwrap_or('\\'),
                Some(to) => to,
                None => from,
            }
        } else {
            from
        };
        ranges.push((from, to));
    }
    Token::Class { negated, ranges }
}

impl Pattern {
    fn matches_here_or_above(&self, path: &str) -> bool {
        self.matches(path) || path.match_indices('/').any(|(at, _)| self.matches(&path[..at]))
    }

    fn matches(&self, path: &str) -> bool {
        if let Some(suffix) = &self.suffix {
            return path.ends_with(suffix.as_str()) || suffix.strip_prefix('/') == Some(path);
        }
        if let Some(literal) = &self.literal {
            return literal == path;
        }
        matches(&self.tokens, path)
    }
}

fn matches(tokens: &[Token], path: &str) -> bool {
    let Some((token, after)) = tokens.split_first() else { return path.is_empty() };
    // What is left of the path behind its first character.
    let behind = |fits: &dyn Fn(char) -> bool| {
        let mut chars = path.chars();
        chars.next().filter(|char| fits(*char)).map(|_| chars.as_str())
    };
    let step = |fits: &dyn Fn(char) -> bool| behind(fits).is_some_and(|rest| matches(after, rest));
    match token {
        Token::Char(expected) => step(&|char| char == *expected),
        Token::OneInPart => step(&|char| char != '/'),
        Token::Class { negated, ranges } => {
            step(&|char| ranges.iter().any(|(from, to)| (*from..=*to).contains(&char)) != *negated)
        }
        Token::AnyInPart => {
            let part = path.find('/').unwrap_or(path.len());
            starts(path).take_while(|at| *at <= part).any(|at| matches(after, &path[at..]))
        }
        Token::Anything => starts(path).any(|at| matches(after, &path[at..])),
        Token::AnyFolders => {
            matches(after, path) || path.match_indices('/').any(|(at, _)| matches(after, &path[at + 1..]))
        }
    }
}

/// Where the characters of a text begin, and where it ends.
fn starts(text: &str) -> impl Iterator<Item = usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignores_what_buildkit_ignores() {
        // The rules of `moby/patternmatcher`, as its documentation gives them.
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("docs", &["docs", "docs/a/b"], &["x/docs", "docs2"]),
            ("/docs/", &["docs", "docs/a"], &["x/docs"]),
            ("./docs/../src", &["src/a"], &["docs"]),
            ("**/node_modules", &["node_modules", "a/node_modules", "a/node_modules/b"], &["a/node_modules2"]),
            ("*.md", &["README.md"], &["docs/README.md"]),
            ("**/*.md", &["README.md", "docs/x/README.md"], &["README.mdx"]),
            (".*", &[".git", ".env.local"], &["a/.env"]),
            ("*/temp*", &["a/temporary", "a/temp/b"], &["temp", "a/b/temp"]),
            ("temp?", &["tempa"], &["temp", "tempab"]),
            ("a/**", &["a/b", "a/b/c"], &["a", "ab"]),
            ("a/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["a/xb"]),
            ("[a-c].txt", &["b.txt"], &["d.txt"]),
            ("[^a-c].txt", &["d.txt"], &["b.txt"]),
            (r"\*.txt", &["*.txt"], &["a.txt"]),
            ("**foo", &["foo", "a/barfoo"], &["foobar"]),
            ("*\n!keep.txt", &["other"], &["keep.txt"]),
            ("dir\n!dir/keep", &["dir/other"], &["dir/keep", "dir/keep/below"]),
            ("*.md\n!README*.md\nREADME-secret.md", &["README-secret.md", "x.md"], &["README.md"]),
            ("# docs\n  src  ", &["src"], &["# docs", "docs"]),
            ("**", &["a", "a/b"], &[]),
            ("", &[], &["a"]),
        ];
        for (text, ignored, kept) in cases {
            let rules = Dockerignore::parse(text);
            for path in *ignored {
                assert!(rules.ignores(&WorkspacePath::new(path).unwrap()), "{text:?} should ignore {path}");
            }
            for path in *kept {
                assert!(!rules.ignores(&WorkspacePath::new(path).unwrap()), "{text:?} should keep {path}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in r"[a\*\?\[\]\^!\./\\ -]{0,14}", path in "[a/]{0,6}") {
            Dockerignore::parse(&text).ignores(&WorkspacePath::new(&format!("x{path}")).unwrap());
        }
    }
}
