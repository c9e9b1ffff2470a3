//! Platforms as Docker writes them: `linux/arm64`, `linux/arm/v7`.

use drydock_diagnostics::closest;

/// The architectures that BuildKit knows, in Go's words.
const ARCHITECTURES: &[&str] =
    &["386", "amd64", "arm", "arm64", "loong64", "mips64", "mips64le", "ppc64le", "riscv64", "s390x"];

/// What other people call them.
const ALIASES: &[(&str, &str)] =
    &[("aarch64", "arm64"), ("armhf", "arm"), ("i386", "386"), ("x64", "amd64"), ("x86_64", "amd64")];

/// A platform in the spelling that the daemon uses: `amd64` and `linux/x86_64` are `linux/amd64`. The error is what to
/// do about it.
pub(crate) fn normal(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let (os, architecture, variant) = match parts[..] {
        [architecture] => ("linux", architecture, None),
        [os, architecture] => (os, architecture, None),
        [os, architecture, variant] => (os, architecture, Some(variant)),
        _ => return Err("write `OS/ARCHITECTURE`, like `linux/arm64`".to_owned()),
    };
    if os != "linux" {
        return Err(match closest(os, ["linux"]) {
            Some(_) => format!("did you mean `linux/{architecture}`?"),
            None => "write a platform of Linux, like `linux/arm64`: the images are made for no other".to_owned(),
        });
    }
    let architecture = ALIASES.iter().find(|(alias, _)| *alias == architecture).map_or(architecture, |(_, name)| name);
    if !ARCHITECTURES.contains(&architecture) {
        let names = ARCHITECTURES.iter().copied().chain(ALIASES.iter().map(|(alias, _)| *alias));
        return Err(match closest(architecture, names) {
            Some(near) => format!("did you mean `linux/{near}`?"),
            None => "write `linux/amd64`, `linux/arm64` or another architecture that BuildKit knows".to_owned(),
        });
    }
    match variant {
        None | Some("v8") if architecture == "arm64" => Ok("linux/arm64".to_owned()),
        None => Ok(format!("linux/{architecture}")),
        Some(variant)
            if variant.len() == 2
                && variant.starts_with('v')
                && variant.ends_with(|end: char| end.is_ascii_digit()) =>
        {
            Ok(format!("linux/{architecture}/{variant}"))
        }
        Some(_) => Err(format!("a variant is `v` and a digit: `linux/{architecture}/v7`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_have_one_spelling() {
        for (text, expected) in [
            ("linux/amd64", "linux/amd64"),
            ("arm64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm/v7", "linux/arm/v7"),
            ("linux/x86_64", "linux/amd64"),
            ("aarch64", "linux/arm64"),
        ] {
            assert_eq!(normal(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_none_has_a_way_out() {
        let help = |text| normal(text).unwrap_err();
        assert_eq!(help("linux/amd46"), "did you mean `linux/amd64`?");
        assert_eq!(help("linus/amd64"), "did you mean `linux/amd64`?");
        assert!(help("windows/amd64").starts_with("write a platform of Linux"));
        assert!(help("linux/").starts_with("write `linux/amd64`"));
        assert!(help("linux/arm/seven").starts_with("a variant"));
        assert!(help("a/b/c/d").starts_with("write `OS/"));
    }
}
