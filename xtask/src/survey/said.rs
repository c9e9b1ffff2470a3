//! The line of a program's output that says what went wrong.

use serde_json::Value;

/// Beginnings of npm's lines that tell where and with what it ran, not why it ended.
const NPM_ABOUT: [&str; 14] = [
    "code ",
    "errno ",
    "syscall ",
    "path ",
    "command ",
    "workspace ",
    "location ",
    "Lifecycle script",
    "A complete log",
    "signal ",
    "in workspace",
    "at location",
    "dest ",
    "Found: ",
];

/// Words of lines about a host that cannot be reached.
const UNREACHABLE: [&str; 12] = [
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "ENETUNREACH",
    "Could not resolve host",
    "getaddrinfo",
    "no such host",
    "403 Forbidden",
    "fetch failed",
    "SSL_ERROR",
];

/// Words of lines that say what is wrong.
const WRONG: [&str; 12] = [
    "rror: ",
    "rror TS",
    "[ERROR]",
    "ERROR",
    "Cannot ",
    "not found",
    "must be ",
    "Missing ",
    "fatal: ",
    "is required",
    "xception: ",
    "ENOENT",
];

/// Words of lines that name what is missing, which says more than that something is.
const MISSING: [&str; 3] = ["is not set", "must be set", "environment variable"];

/// A line that tells something, and whether it is about the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) line: String,
    pub(super) network: bool,
}

/// Finds the line of `lines` that says best why a program ended: one about the network, else the first that says what is
/// wrong, else the last that is not npm's own.
pub(super) fn reason<'l>(lines: impl IntoIterator<Item = &'l str>) -> Option<Said> {
    let lines: Vec<String> = lines.into_iter().filter_map(plain).collect();
    let has = |line: &str, words: &[&str]| words.iter().any(|word| line.contains(word));
    // `Uncaught exception:` announces the line that tells.
    let tells = |line: &str| !is_source(line) && !line.ends_with(':') && !line.ends_with("output)");
    let found = |words: &'static [&'static str]| lines.iter().find(|line| has(line, words) && tells(line));
    let network = found(&UNREACHABLE);
    let line = network
        .or_else(|| found(&MISSING))
        .or_else(|| found(&WRONG))
        .or_else(|| lines.iter().rfind(|line| !is_source(line)))?;
    Some(Said { line: shortened(line), network: network.is_some() })
}

/// A line without colours and without what npm puts before it; `None` where nothing is left that tells anything.
fn plain(line: &str) -> Option<String> {
    let line = without_escapes(line);
    // A line of a logger that writes JSON.
    let logged = serde_json::from_str::<Value>(&line).ok();
    let message = ["msg", "message"].iter().find_map(|key| logged.as_ref()?.get(key)?.as_str());
    let mut text = message.unwrap_or(&line).trim();
    for prefix in ["npm error ", "npm ERR! ", "npm error", "npm ERR!", "⨯ ", "✖ ", "✘ ", "> ", "| "] {
        if let Some(rest) = text.strip_prefix(prefix) {
            text = rest.trim();
            if prefix.starts_with("npm") && NPM_ABOUT.iter().any(|about| text.starts_with(about)) {
                return None;
            }
        }
    }
    let upkeep = ["npm notice", "npm warn", "npm WARN", "npm http", "npm verb", "Node.js v"];
    let tells = text.chars().any(char::is_alphanumeric) && !upkeep.iter().any(|start| text.starts_with(start));
    tells.then(|| text.to_owned())
}

/// Whether a line is a place in a stack, or of the code around an error.
fn is_source(line: &str) -> bool {
    let is_numbered = line.split_once(" | ").is_some_and(|(number, _)| number.trim().parse::<u32>().is_ok());
    line.starts_with("at ") || line.starts_with("throw ") || line.starts_with("node:") || is_numbered
}

fn without_escapes(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        if character != '\u{1b}' {
            text.push(if character == '\t' { ' ' } else { character });
            continue;
        }
        // `ESC [ … letter`
        if rest.next() == Some('[') {
            rest.by_ref().find(char::is_ascii_alphabetic);
        }
    }
    text
}

/// As much of a line as fits on one of the page.
fn shortened(line: &str) -> String {
    const MOST: usize = 200;
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        let said = reason(text.lines()).unwrap();
        format!("{}{}", if said.network { "network: " } else { "" }, said.line)
    }

    #[test]
    fn what_went_wrong_is_found_among_what_was_said() {
        let npm = "> tsc\n\nsrc/a.ts(3,1): error TS2304: no name\nsrc/b.ts(1,1): error TS2304: nor this\n\
                   npm error Lifecycle script `build` failed with error:\nnpm error code 2\nnpm error path /app/a\n";
        assert_eq!(line(npm), "src/a.ts(3,1): error TS2304: no name");
        let thrown = "/app/index.js:3\n  throw new Error('x: y');\n\u{1b}[31mError: x: y\u{1b}[0m\n    at Object.<anonymous>\n\nNode.js v24.1.0\n";
        assert_eq!(line(thrown), "Error: x: y");
        assert_eq!(line("{\"level\":50,\"msg\":\"A_KEY must be set\"}\n"), "A_KEY must be set");
        assert_eq!(line("*** Error: no configuration. ***\nA_KEY is not set\n*****\n"), "A_KEY is not set");
        let download =
            "Downloading\nError: request to https://example.org/a failed, reason: getaddrinfo ENOTFOUND example.org\n";
        assert_eq!(
            line(download),
            "network: Error: request to https://example.org/a failed, reason: getaddrinfo ENOTFOUND example.org"
        );
        let announced = "[11ty] Uncaught exception: (more in DEBUG output)\n[11ty] spawn tap ENOENT (via Error)\n[11ty] Original error stack trace: Error: spawn tap ENOENT\n";
        assert_eq!(line(announced), "[11ty] spawn tap ENOENT (via Error)");
        assert_eq!(line("one\ntwo\nnpm error code ELIFECYCLE\n    at x (y.js:1:2)\n"), "two");
        assert_eq!(reason(["", "----", "npm error code 1"]), None);
    }

    #[test]
    fn a_long_line_is_cut() {
        assert_eq!(line(&"é".repeat(300)), format!("{}…", "é".repeat(200)));
    }
}
