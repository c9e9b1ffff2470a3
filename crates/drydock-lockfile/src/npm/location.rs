//! Keys of `packages`: where a package lies, relative to the root.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// Splits a location into the owner of its `node_modules` and the name in it. `None` for directories that are not in
/// a `node_modules`, the root included.
pub(crate) fn split_child(location: &str) -> Option<(&str, &str)> {
    let (before, last) = location.rsplit_once('/')?;
    if let Some(owner) = owner_of(before) {
        return (!last.is_empty() && !last.starts_with('@')).then_some((owner, last));
    }
    let at = before.rfind('/')?;
    let scoped = before[at + 1..].starts_with('@') && !last.is_empty();
    scoped.then(|| Some((owner_of(&before[..at])?, &location[at + 1..])))?
}

/// What a path that ends in `node_modules` belongs to.
fn owner_of(folder: &str) -> Option<&str> {
    let owner = folder.strip_suffix("node_modules")?;
    if owner.is_empty() { Some("") } else { owner.strip_suffix('/') }
}

/// The directories above a location, nearest first, the root (`""`) last.
pub(crate) fn ancestors(location: &str) -> impl Iterator<Item = &str> {
    let mut next = (!location.is_empty()).then_some(location);
    std::iter::from_fn(move || {
        let above = next?.rsplit_once('/').map_or("", |(above, _)| above);
        next = (!above.is_empty()).then_some(above);
        Some(above)
    })
}

/// A location outside the workspace.
pub(crate) fn is_outside(location: &str) -> bool {
    location == ".." || location.starts_with("../")
}

/// A name as npm compares it inside one `node_modules`: file systems may ignore case and Unicode composition
/// (arborist, `case-insensitive-map.js`).
pub(crate) fn fold_name(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.nfkd().collect::<String>().to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_locations_at_the_last_node_modules() {
        assert_eq!(split_child(""), None);
        assert_eq!(split_child("packages/a"), None);
        assert_eq!(split_child("node_modules/a"), Some(("", "a")));
        assert_eq!(split_child("node_modules/@s/a"), Some(("", "@s/a")));
        assert_eq!(split_child("packages/b/node_modules/a"), Some(("packages/b", "a")));
        assert_eq!(split_child("node_modules/x/node_modules/@s/a"), Some(("node_modules/x", "@s/a")));
        assert_eq!(split_child("node_modules/x/packages/y"), None, "a directory inside an installed package");
        assert_eq!(split_child("my_node_modules/a"), None);
        assert_eq!(split_child("node_modules/@s"), None);
        assert_eq!(split_child("node_modules/"), None);
    }

    #[test]
    fn climbs_to_the_root() {
        assert_eq!(ancestors("a/b/c").collect::<Vec<_>>(), ["a/b", "a", ""]);
        assert_eq!(ancestors("a").collect::<Vec<_>>(), [""]);
        assert_eq!(ancestors("").count(), 0);
    }

    #[test]
    fn folds_as_npm_does() {
        assert_eq!(fold_name("JSONStream"), "jsonstream");
        assert_eq!(fold_name("caf\u{e9}"), "cafe\u{301}");
        assert!(matches!(fold_name("@scope/name-1.x"), Cow::Borrowed(_)));
    }
}
