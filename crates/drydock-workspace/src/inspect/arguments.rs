//! Command-line arguments of build tools.

/// The value of the last of the options `names`, written `--name value` or `--name=value`; for one-letter options
/// `-nvalue` is not read. Case does not matter, as `tsc` takes `--outdir`.
pub(crate) fn value<'a>(arguments: &'a [String], names: &[&str]) -> Option<&'a str> {
    let is = |word: &str| names.iter().any(|name| word.eq_ignore_ascii_case(name));
    let mut found = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.split_once('=') {
            Some((name, value)) if is(name) => found = Some(value),
            _ if is(argument) => found = rest.next().map(String::as_str).or(found),
            _ => {}
        }
    }
    found.filter(|value| !value.is_empty())
}

/// Whether one of the switches `names` is set.
pub(crate) fn is_set(arguments: &[String], names: &[&str]) -> bool {
    arguments.iter().enumerate().any(|(at, argument)| {
        let (name, value) = argument.split_once('=').unwrap_or((argument, "true"));
        let next = arguments.get(at + 1).map(String::as_str);
        names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)) && value != "false" && next != Some("false")
    })
}

/// The arguments that are neither options nor the values of the options `valued`.
pub(crate) fn plain<'a>(arguments: &'a [String], valued: &[&str]) -> Vec<&'a str> {
    let mut plain = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument.starts_with('-') && argument.len() > 1 {
            if valued.iter().any(|name| argument.eq_ignore_ascii_case(name)) {
                rest.next();
            }
        } else {
            plain.push(argument.as_str());
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_are_read_in_both_spellings() {
        let arguments = words("src --outDir a --outdir=b -p x.json --noEmit false --watch");
        assert_eq!(value(&arguments, &["--outDir"]), Some("b"));
        assert_eq!(value(&arguments, &["-p", "--project"]), Some("x.json"));
        assert_eq!(value(&words("--outDir"), &["--outDir"]), None);
        assert!(is_set(&arguments, &["--watch"]));
        assert!(!is_set(&arguments, &["--noEmit"]));
        assert_eq!(plain(&arguments, &["--outDir", "-p", "--noEmit"]), ["src"]);
    }
}
