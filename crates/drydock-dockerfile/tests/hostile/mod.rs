//! Texts that try to break out of their place.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// What has a meaning to some reader between us and the image: the reader of lines, of JSON, of words, of patterns, of
/// ignore files, a shell; and what only looks odd.
const CHARACTERS: [&str; 52] = [
    " ", "\"", "'", "$", "\\", "\n", "\t", "\r", "#", "*", "?", "[", "]", "{", "}", "(", ")", "!", "<", ">", "-", "~",
    "^", "|", ";", "&", "=", ":", "%", "`", ",", "@", "+", ".", "a", "b", "Z", "0", "_", "é", "雪", "😀", "e\u{301}",
    "\u{a0}", "\u{85}", "\u{2028}", "\u{feff}", "\u{1b}", "\u{7f}", "à", "x", "EOF",
];

/// Texts that once were wrong somewhere, or are likely to be.
const KNOWN: [&str; 69] = [
    "a",
    "--from=x",
    "--",
    "-",
    "<<EOF",
    "0<<EOF",
    "a <<EOF b",
    "<<-EOF",
    "$HOME",
    "${HOME}",
    "${",
    "$",
    "$$",
    "\\$HOME",
    "#",
    "#comment",
    " #",
    "\\",
    "a\\",
    "\\\\",
    "\\n",
    "a\\b",
    "a\\*",
    "a\\\\*",
    "*",
    "**",
    "?",
    "[",
    "]",
    "[]",
    "[a",
    "[a-z]",
    "[!a]",
    "[^a]",
    "^a",
    "{a,b}",
    " ",
    " lead",
    "trail ",
    "\u{a0}lead",
    "trail\u{a0}",
    "\ttab\t",
    "two\nlines",
    "\n",
    "x\n",
    "\nx",
    "a\r",
    "\r",
    "!",
    "!a",
    "!!",
    "git@host:x",
    "x.git",
    "https:",
    "C:",
    "~",
    "~root",
    "+page.svelte",
    "(group)",
    "[[...slug]]",
    "it's",
    "\"",
    "%{x}",
    "\u{feff}",
    "\u{feff}\u{85}",
    "a|b*",
    "|a?",
    "x{1}*",
    "!|$!^b`",
];

/// Distinct texts, the known ones first.
pub(crate) fn hostile_texts(count: usize) -> Vec<String> {
    let mut texts: Vec<String> = KNOWN.iter().map(|&text| text.to_owned()).collect();
    texts.push(String::new());
    let mut seen: BTreeSet<String> = texts.iter().cloned().collect();
    let strategy = vec(select(&CHARACTERS[..]), 1..12).prop_map(|parts| parts.concat());
    // The same texts on every run, unless more cases are asked for.
    let mut runner = TestRunner::deterministic();
    let count = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(count);
    while texts.len() < count {
        let text = strategy.new_tree(&mut runner).expect("the strategy rejects nothing").current();
        if seen.insert(text.clone()) {
            texts.push(text);
        }
    }
    texts
}

/// Distinct names of files.
pub(crate) fn hostile_names(count: usize) -> Vec<String> {
    hostile_texts(count).into_iter().filter(|text| !matches!(text.as_str(), "" | "." | "..")).collect()
}
