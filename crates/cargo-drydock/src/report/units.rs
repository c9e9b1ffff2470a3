//! Durations, sizes and counts as people read them, and text cut to the columns there are.

use std::borrow::Cow;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `0.3s`, `12.4s`, `3m 07s`, `1h 02m`.
pub(crate) fn duration(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    let seconds = tenths / 10;
    match seconds {
        0..60 => format!("{seconds}.{}s", tenths % 10),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// For who measures: `143 ms`, and from ten seconds on as everybody wants it.
pub(crate) fn fine_duration(exact: Duration) -> String {
    if exact < Duration::from_secs(10) { format!("{} ms", exact.as_millis()) } else { duration(exact) }
}

/// Decimal units, as Docker has them: `912 B`, `41.2 kB`, `1.3 GB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    // Exact enough: a size that needs more than 52 bits is shown with three digits.
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(value < 99.95);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// `text` with control characters escaped, so that a name cannot speak to the terminal or begin a line of its own.
pub(crate) fn tame(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let tamed = text.chars().flat_map(|character| {
        let escaped = character.is_control().then(|| character.escape_default());
        let plain = escaped.is_none().then_some(character);
        escaped.into_iter().flatten().chain(plain)
    });
    Cow::Owned(tamed.collect())
}

/// `text` on one line in at most `columns` columns, with `…` where something was cut off.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    let line: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    if line.width() <= columns {
        return line;
    }
    let mut fitted = String::new();
    let mut used = 1;
    for character in line.chars() {
        used += character.width().unwrap_or_default();
        if used > columns {
            break;
        }
        fitted.push(character);
    }
    if columns > 0 {
        fitted.push('…');
    }
    fitted
}

/// `text` in lines of at most `columns` columns, broken between words. What stands in backticks is one word, as long as it
/// fits; what does not fit in a line of its own is cut.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut quoted = false;
    let words = text.split(|character: char| {
        quoted ^= character == '`';
        character == ' ' && !quoted
    });
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fit(word, columns)),
        }
    }
    lines
}

/// `text` filled up with blanks to `columns` columns.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let blanks = columns.saturating_sub(text.width());
    format!("{text}{:blanks$}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let shown = |millis| duration(Duration::from_millis(millis));
        assert_eq!(shown(0), "0.0s");
        assert_eq!(shown(249), "0.2s");
        assert_eq!(shown(59_960), "1m 00s");
        assert_eq!(shown(187_000), "3m 07s");
        assert_eq!(shown(3_720_000), "1h 02m");
        assert_eq!(fine_duration(Duration::from_micros(9_999_900)), "9999 ms");
        assert_eq!(fine_duration(Duration::from_secs(10)), "10.0s");
    }

    #[test]
    fn sizes_have_three_digits() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1000), "1.0 kB");
        assert_eq!(bytes(41_234), "41.2 kB");
        assert_eq!(bytes(182_400_000), "182 MB");
        assert_eq!(bytes(999_999_999), "1.0 GB");
    }

    #[test]
    fn names_cannot_speak_to_the_terminal() {
        assert_eq!(tame("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\nb");
        assert_eq!(tame("@acme/日"), "@acme/日");
    }

    #[test]
    fn text_is_cut_by_columns_not_bytes() {
        assert_eq!(fit("RUN npm ci", 10), "RUN npm ci");
        assert_eq!(fit("RUN npm ci", 5), "RUN …");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("a\nb\tc", 9), "a b c");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(pad("日", 4), "日  ");
    }

    #[test]
    fn lines_are_broken_between_words_and_not_in_code() {
        let text = "ran from `COPY a b`: a/x.js modified, a/y.js added";
        assert_eq!(wrap(text, 80), [text]);
        assert_eq!(wrap(text, 20), ["ran from `COPY a b`:", "a/x.js modified,", "a/y.js added"]);
        assert_eq!(wrap(text, 8), ["ran from", "`COPY a…", "a/x.js", "modifie…", "a/y.js", "added"]);
        assert_eq!(wrap("", 8), [""]);
    }
}
