//! Build caches outside of the daemon, as `docker buildx` writes them: `type=registry,ref=example.com/cache`.

use drydock_build::CacheEntry;
use drydock_diagnostics::closest;

/// The kinds that BuildKit knows, with what each cannot do without when a cache is read and when it is written.
const KINDS: &[(&str, Option<&str>, Option<&str>)] = &[
    ("registry", Some("ref"), Some("ref")),
    ("inline", None, None),
    ("gha", None, None),
    ("local", Some("src"), Some("dest")),
    ("s3", Some("bucket"), Some("bucket")),
    ("azblob", Some("account_url"), Some("account_url")),
];

/// A cache. The error is what is wrong, and what to do about it.
pub(crate) fn parse(text: &str) -> Result<CacheEntry, (String, String)> {
    const FORM: &str = "write `type=registry,ref=NAME`, `type=gha`, `type=inline` or `type=local,dest=FOLDER`";
    let Some(entry) = CacheEntry::parse(text) else {
        let reason = if text.split(',').all(|part| part.contains('=')) {
            "it has no `type`".to_owned()
        } else {
            "a part of it has no `=`".to_owned()
        };
        return Err((reason, FORM.to_owned()));
    };
    if !KINDS.iter().any(|(kind, ..)| *kind == entry.kind) {
        let help = match closest(&entry.kind, KINDS.iter().map(|(kind, ..)| *kind)) {
            Some(near) => format!("did you mean `type={near}`?"),
            None => FORM.to_owned(),
        };
        return Err((format!("there is no type `{}`", entry.kind), help));
    }
    Ok(entry)
}

/// What a cache lacks: the attribute that its kind cannot do without.
pub(crate) fn lacks(entry: &CacheEntry, written: bool) -> Option<&'static str> {
    let (_, read_needs, write_needs) = KINDS.iter().find(|(kind, ..)| *kind == entry.kind)?;
    let needs = if written { *write_needs } else { *read_needs };
    needs.filter(|attribute| entry.attributes.get(*attribute).is_none_or(String::is_empty))
}

/// Whether several targets that write this cache would overwrite each other's: BuildKit keeps one manifest under each
/// name.
pub(crate) fn is_shared(entry: &CacheEntry) -> bool {
    matches!(entry.kind.as_str(), "registry" | "local" | "s3" | "azblob")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_cache_has_a_way_out() {
        let wrong = |text| parse(text).unwrap_err();
        assert_eq!(wrong("type=registri,ref=a").1, "did you mean `type=registry`?");
        assert_eq!(wrong("ref=a").0, "it has no `type`");
        assert_eq!(wrong("type=gha,x").0, "a part of it has no `=`");
        assert!(wrong("type=zebra").1.starts_with("write `type=registry"));
    }

    #[test]
    fn what_a_kind_needs_depends_on_the_direction() {
        let local = parse("type=local,src=a").unwrap();
        assert_eq!((lacks(&local, false), lacks(&local, true)), (None, Some("dest")));
        let registry = parse("type=registry,ref=").unwrap();
        assert_eq!(lacks(&registry, true), Some("ref"));
        assert_eq!(lacks(&parse("type=gha").unwrap(), true), None);
    }
}
