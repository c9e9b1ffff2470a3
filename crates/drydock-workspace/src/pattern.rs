//! Path patterns with minimatch's rules, which npm uses for `workspaces`: `*`, `?`, `[…]`, `{a,b}`, `{1..3}`, `**`
//! as a whole part, and the extended forms `@(…)`, `?(…)`, `*(…)`, `+(…)`, `!(…)`.

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct PathPattern {
    /// One list of parts for each way the braces expand.
    pub(crate) alternatives: Vec<Vec<Part>>,
}

/// What stands between two `/` of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// `**`: any number of parts.
    Globstar,
    /// Exactly this.
    Literal(String),
    /// Anything that fits.
    Glob(Vec<Token>),
}

/// A piece of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Char(char),
    /// `?`
    AnyChar,
    /// `*`
    AnyText,
    /// `[a-z]`
    Class {
        negated: bool,
        items: Vec<ClassItem>,
    },
    /// `@(a|b)` and its kin.
    Group {
        operator: char,
        alternatives: Vec<Vec<Token>>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClassItem {
    Range(char, char),
    Posix(&'static str),
}

impl PathPattern {
    /// Compiles `text`. Every text is a pattern; what is malformed stands for itself.
    pub(crate) fn new(text: &str) -> Self {
        let alternatives = expand_braces(text).iter().map(|text| parts(text)).collect();
        Self { alternatives }
    }

    /// Whether the pattern matches all of `path`, its parts separated by `/`. With `dot`, wildcards match names that
    /// begin with a dot.
    pub(crate) fn matches(&self, path: &str, dot: bool) -> bool {
        let path: Vec<&str> = path.split('/').collect();
        self.alternatives.iter().any(|parts| match_parts(parts, &path, dot))
    }

    /// Whether the pattern matches the directory `path`, or everything in it.
    pub(crate) fn matches_directory(&self, path: &str, dot: bool) -> bool {
        self.matches(path, dot) || self.matches(&format!("{path}/"), dot)
    }
}

impl Part {
    /// Whether the part matches one name.
    pub(crate) fn matches(&self, name: &str, dot: bool) -> bool {
        match self {
            Self::Globstar => dot || !name.starts_with('.'),
            Self::Literal(literal) => literal == name,
            Self::Glob(tokens) => {
                if name.is_empty() || name == "." || name == ".." {
                    return false;
                }
                if name.starts_with('.') && !dot && !may_begin_with_dot(tokens) {
                    return false;
                }
                match_tokens(tokens, &name.chars().collect::<Vec<_>>())
            }
        }
    }
}

/// Splits a pattern without braces into parts; `.` parts vanish and `x/..` cancels out, as minimatch does.
fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if matches!(parts.last(), Some(Part::Literal(name)) if name != "..") => {
                parts.pop();
            }
            "**" => {
                if parts.last() != Some(&Part::Globstar) {
                    parts.push(Part::Globstar);
                }
            }
            text => parts.push(part_of(text)),
        }
    }
    parts
}

fn part_of(text: &str) -> Part {
    let tokens = Parser { chars: text.chars().collect(), at: 0 }.tokens(&[]);
    let literal: Option<String> =
        tokens.iter().map(|token| if let Token::Char(char) = token { Some(*char) } else { None }).collect();
    literal.map_or(Part::Glob(tokens), Part::Literal)
}

/// minimatch's `matchOne`: a trailing empty part of the path stands for a trailing slash.
fn match_parts(pattern: &[Part], path: &[&str], dot: bool) -> bool {
    match (pattern, path) {
        ([], [] | [""]) => true,
        ([], _) | (_, []) => false,
        ([Part::Globstar], rest) => rest.iter().all(|part| !hidden(part, dot)),
        ([Part::Globstar, after @ ..], rest) => {
            if match_parts(after, rest, dot) {
                return true;
            }
            !hidden(rest[0], dot) && rest.len() > 1 && match_parts(pattern, &rest[1..], dot)
        }
        ([part, after @ ..], [name, rest @ ..]) => part.matches(name, dot) && match_parts(after, rest, dot),
    }
}

fn hidden(name: &str, dot: bool) -> bool {
    name == "." || name == ".." || (!dot && name.starts_with('.'))
}

fn may_begin_with_dot(tokens: &[Token]) -> bool {
    match tokens.first() {
        Some(Token::Char(char)) => *char == '.',
        Some(Token::Group { operator, alternatives }) => {
            *operator != '!' && alternatives.iter().any(|tokens| may_begin_with_dot(tokens))
        }
        _ => false,
    }
}

fn match_tokens(tokens: &[Token], text: &[char]) -> bool {
    let Some((token, after)) = tokens.split_first() else { return text.is_empty() };
    match token {
        Token::Char(char) => text.first() == Some(char) && match_tokens(after, &text[1..]),
        Token::AnyChar => !text.is_empty() && match_tokens(after, &text[1..]),
        Token::AnyText => (0..=text.len()).any(|taken| match_tokens(after, &text[taken..])),
        Token::Class { negated, items } => text.first().is_some_and(|char| {
            items.iter().any(|item| item.holds(*char)) != *negated && match_tokens(after, &text[1..])
        }),
        Token::Group { operator, alternatives } => match_group(*operator, alternatives, after, text),
    }
}

fn match_group(operator: char, alternatives: &[Vec<Token>], after: &[Token], text: &[char]) -> bool {
    let one = |rest: &dyn Fn(&[char]) -> bool| {
        (0..=text.len())
            .any(|taken| alternatives.iter().any(|tokens| match_tokens(tokens, &text[..taken])) && rest(&text[taken..]))
    };
    match operator {
        '@' => one(&|rest| match_tokens(after, rest)),
        '?' => match_tokens(after, text) || one(&|rest| match_tokens(after, rest)),
        '*' | '+' => {
            (operator == '*' && match_tokens(after, text))
                || one(&|rest| {
                    match_tokens(after, rest)
                        || (rest.len() < text.len() && match_group('+', alternatives, after, rest))
                })
        }
        // What follows the group is part of what must not match, as in minimatch's look-ahead.
        _ => {
            let refused = alternatives.iter().any(|tokens| {
                let whole: Vec<Token> = tokens.iter().chain(after).cloned().collect();
                match_tokens(&whole, text)
            });
            !refused && (0..=text.len()).any(|taken| match_tokens(after, &text[taken..]))
        }
    }
}

impl ClassItem {
    fn holds(&self, char: char) -> bool {
        match self {
            Self::Range(from, to) => (*from..=*to).contains(&char),
            Self::Posix(name) => match *name {
                "alpha" => char.is_alphabetic(),
                "digit" => char.is_ascii_digit(),
                "alnum" => char.is_alphanumeric(),
                "upper" => char.is_uppercase(),
                "lower" => char.is_lowercase(),
                "space" => char.is_whitespace(),
                "blank" => matches!(char, ' ' | '\t'),
                "punct" => char.is_ascii_punctuation(),
                "xdigit" => char.is_ascii_hexdigit(),
                "word" => char.is_alphanumeric() || char == '_',
                _ => false,
            },
        }
    }
}

const POSIX_CLASSES: [&str; 10] =
    ["alpha", "digit", "alnum", "upper", "lower", "space", "blank", "punct", "xdigit", "word"];

struct Parser {
    chars: Vec<char>,
    at: usize,
}

impl Parser {
    /// Reads tokens up to one of `until` (not consumed) or the end.
    fn tokens(&mut self, until: &[char]) -> Vec<Token> {
        let mut tokens = Vec::new();
        while let Some(&char) = self.chars.get(self.at) {
            if until.contains(&char) {
                break;
            }
            self.at += 1;
            let group = self.chars.get(self.at) == Some(&'(') && "@?*+!".contains(char);
            tokens.push(match char {
                _ if group => match self.group(char) {
                    Some(token) => token,
                    None => simple(char),
                },
                '[' => self.class().unwrap_or(Token::Char('[')),
                '\\' => match self.chars.get(self.at) {
                    Some(&escaped) => {
                        self.at += 1;
                        Token::Char(escaped)
                    }
                    None => Token::Char('\\'),
                },
                char => simple(char),
            });
            if tokens.len() > 1 && tokens[tokens.len() - 2..] == [Token::AnyText, Token::AnyText] {
                tokens.pop();
            }
        }
        tokens
    }

    /// Reads `(a|b)`; `None`, nothing consumed, when it is not closed.
    fn group(&mut self, operator: char) -> Option<Token> {
        let start = self.at;
        self.at += 1;
        let mut alternatives = Vec::new();
        loop {
            alternatives.push(self.tokens(&['|', ')']));
            match self.chars.get(self.at) {
                Some('|') => self.at += 1,
                Some(_) => {
                    self.at += 1;
                    return Some(Token::Group { operator, alternatives });
                }
                None => {
                    self.at = start;
                    return None;
                }
            }
        }
    }

    /// Reads what follows `[`; `None`, nothing consumed, when it is not closed.
    fn class(&mut self) -> Option<Token> {
        let start = self.at;
        let negated = matches!(self.chars.get(self.at), Some('!' | '^'));
        if negated {
            self.at += 1;
        }
        let mut items = Vec::new();
        let first = self.at;
        loop {
            let Some(&char) = self.chars.get(self.at) else {
                self.at = start;
                return None;
            };
            if char == ']' && self.at > first {
                self.at += 1;
                return Some(Token::Class { negated, items });
            }
            if let Some((name, length)) = self.posix_class() {
                self.at += length;
                items.push(ClassItem::Posix(name));
                continue;
            }
            let from = self.class_char();
            let range =
                self.chars.get(self.at) == Some(&'-') && self.chars.get(self.at + 1).is_some_and(|next| *next != ']');
            if range {
                self.at += 1;
                let to = self.class_char();
                items.push(ClassItem::Range(from, to));
            } else {
                items.push(ClassItem::Range(from, from));
            }
        }
    }

    fn class_char(&mut self) -> char {
        let mut char = self.chars[self.at];
        self.at += 1;
        if char == '\\'
            && let Some(&escaped) = self.chars.get(self.at)
        {
            char = escaped;
            self.at += 1;
        }
        char
    }

    fn posix_class(&self) -> Option<(&'static str, usize)> {
        let rest: String = self.chars[self.at..].iter().take(12).collect();
        POSIX_CLASSES
            .into_iter()
            .find(|name| rest.strip_prefix("[:").and_then(|rest| rest.strip_prefix(name)?.strip_prefix(":]")).is_some())
            .map(|name| (name, name.len() + 4))
    }
}

fn simple(char: char) -> Token {
    match char {
        '?' => Token::AnyChar,
        '*' => Token::AnyText,
        char => Token::Char(char),
    }
}

/// How many patterns one pattern may expand to; brace bombs stop here.
const MAX_EXPANSIONS: usize = 10_000;

/// Expands `{a,b}` and `{1..3}`, nested ones too. Braces without a comma or a range stand for themselves.
pub(crate) fn expand_braces(text: &str) -> Vec<String> {
    let mut from = 0;
    while let Some((open, close)) = next_braces(text, from) {
        let inner = &text[open + 1..close];
        let Some(choices) = brace_choices(inner) else {
            from = open + 1;
            continue;
        };
        let mut expanded = Vec::new();
        for tail in expand_braces(&text[close + 1..]) {
            for choice in &choices {
                for choice in expand_braces(choice) {
                    if expanded.len() < MAX_EXPANSIONS {
                        expanded.push(format!("{}{choice}{tail}", &text[..open]));
                    }
                }
            }
        }
        return expanded;
    }
    vec![text.to_owned()]
}

/// The first balanced pair of braces at or after `from`.
fn next_braces(text: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut start = from;
    while let Some(open) = (start..bytes.len()).find(|&at| bytes[at] == b'{' && !escaped(bytes, at)) {
        let mut depth = 0;
        for at in open..bytes.len() {
            match bytes[at] {
                b'{' if !escaped(bytes, at) => depth += 1,
                b'}' if !escaped(bytes, at) => {
                    depth -= 1;
                    if depth == 0 {
                        return Some((open, at));
                    }
                }
                _ => {}
            }
        }
        start = open + 1;
    }
    None
}

fn escaped(bytes: &[u8], at: usize) -> bool {
    bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

fn brace_choices(inner: &str) -> Option<Vec<String>> {
    let bytes = inner.as_bytes();
    let mut depth = 0;
    let mut choices = Vec::new();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if !escaped(bytes, at) => depth += 1,
            b'}' if !escaped(bytes, at) => depth -= 1,
            b',' if depth == 0 && !escaped(bytes, at) => {
                choices.push(inner[start..at].to_owned());
                start = at + 1;
            }
            _ => {}
        }
    }
    if choices.is_empty() {
        return brace_range(inner);
    }
    choices.push(inner[start..].to_owned());
    Some(choices)
}

fn brace_range(inner: &str) -> Option<Vec<String>> {
    let mut bounds = inner.split("..");
    let (from, to, step) = (bounds.next()?, bounds.next()?, bounds.next());
    if bounds.next().is_some() {
        return None;
    }
    let step = match step {
        Some(step) => step.parse::<i64>().ok()?.abs().max(1),
        None => 1,
    };
    let walk = |from: i64, to: i64| {
        let count = usize::try_from((to - from).abs() / step).unwrap_or(MAX_EXPANSIONS).min(MAX_EXPANSIONS - 1);
        (0..=count).map(move |index| {
            let distance = i64::try_from(index).unwrap_or(i64::MAX) * step;
            if from <= to { from + distance } else { from - distance }
        })
    };
    if let (Ok(first), Ok(last)) = (from.parse::<i32>(), to.parse::<i32>()) {
        let padded =
            |text: &str| text.trim_start_matches('-').len() > 1 && text.trim_start_matches('-').starts_with('0');
        let width = if padded(from) || padded(to) { from.len().max(to.len()) } else { 0 };
        return Some(walk(first.into(), last.into()).map(|number| format!("{number:0width$}")).collect());
    }
    let letter = |text: &str| {
        let mut chars = text.chars();
        chars.next().filter(|char| char.is_ascii_alphabetic() && chars.next().is_none())
    };
    let (first, last) = (letter(from)?, letter(to)?);
    let code = |char: char| i64::from(u32::from(char));
    Some(
        walk(code(first), code(last))
            .filter_map(|code| u32::try_from(code).ok().and_then(char::from_u32))
            .map(String::from)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_minimatch_does() {
        // (pattern, matching, not matching): each line was compared with minimatch 10.2.
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("packages/*", &["packages/a"], &["packages", "packages/a/b", "packages/.a", "a/packages/b"]),
            (
                "packages/**",
                &["packages/a", "packages/a/b", "packages/"],
                &["packages", "packages/.a", "packages/a/.b/c"],
            ),
            ("**/a", &["a", "x/a", "x/y/a"], &["x/.y/a", "ab"]),
            ("a/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["a/x", "a"]),
            ("{a,b}/c", &["a/c", "b/c"], &["c/c"]),
            ("p{1..3}", &["p1", "p3"], &["p4", "p{1..3}"]),
            ("{a}", &["{a}"], &["a"]),
            ("a?c", &["abc"], &["ac", "abbc"]),
            ("[a-c]x", &["ax", "cx"], &["dx"]),
            ("[!a-c]x", &["dx"], &["ax"]),
            ("[[:digit:]]x", &["1x"], &["ax"]),
            ("[x", &["[x"], &["x"]),
            ("!(a|b)", &["c", "ab"], &["a", "b", ".c"]),
            ("@(a|b)c", &["ac", "bc"], &["c", "abc"]),
            ("+(ab)", &["ab", "abab"], &["", "aba"]),
            ("*(ab)c", &["c", "abc", "ababc"], &["ac"]),
            ("?(a)c", &["c", "ac"], &["aac"]),
            (".*", &[".a"], &["a"]),
            ("a**", &["a", "abc"], &["a/b"]),
            (r"a\*", &["a*"], &["ab"]),
        ];
        for (pattern, matching, others) in cases {
            let compiled = PathPattern::new(pattern);
            for path in *matching {
                assert!(compiled.matches(path, false), "{pattern} should match {path}");
            }
            for path in *others {
                assert!(!compiled.matches(path, false), "{pattern} should not match {path}");
            }
        }
    }

    #[test]
    fn expands_braces_as_a_shell_does() {
        assert_eq!(expand_braces("a{b,c{d,e}}f"), ["abf", "acdf", "acef"]);
        assert_eq!(expand_braces("{01..03}"), ["01", "02", "03"]);
        assert_eq!(expand_braces("{c..a}"), ["c", "b", "a"]);
        assert_eq!(expand_braces("{a{b,c}"), ["{ab", "{ac"]);
        assert_eq!(expand_braces("{1..9..4}"), ["1", "5", "9"]);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(pattern in r"[a\*\?\[\]\(\)!@\+\{\},\./|\\-]{0,12}", path in "[a/.]{0,8}") {
            PathPattern::new(&pattern).matches(&path, true);
        }
    }
}
