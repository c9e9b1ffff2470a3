//! The configuration of a part of the workspace.

use std::collections::BTreeSet;

use drydock_plan::TargetName;
use toml_edit::{DocumentMut, Item, TableLike};

/// What `text` says of the whole, of `packages` and of `targets`, in its own words. Services wait for none of the targets
/// `gone` any more. `None` when nothing is left.
pub(super) fn cut(
    text: &str,
    is_cargo_manifest: bool,
    packages: &BTreeSet<&str>,
    targets: &BTreeSet<TargetName>,
    gone: &BTreeSet<TargetName>,
) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    if is_cargo_manifest {
        let mut table = document.as_item_mut();
        for key in ["workspace", "metadata", "drydock"] {
            table = table.get_mut(key)?;
        }
        document = DocumentMut::from(std::mem::take(table).into_table().ok()?);
    }
    let named = |name: &str| targets.iter().any(|target| target.as_str() == name);
    retain(&mut document, "package", |name| packages.contains(name));
    retain(&mut document, "target", named);
    for name in names(&document, "target") {
        let waits = ["target", &name, "compose", "depends-on"]
            .into_iter()
            .try_fold(document.as_item_mut(), |item, key| item.as_table_like_mut()?.get_mut(key));
        if let Some(waits) = waits.and_then(Item::as_array_mut) {
            let before = waits.len();
            waits.retain(|other| other.as_str().is_none_or(|other| !gone.iter().any(|gone| gone.as_str() == other)));
            if waits.len() < before {
                waits.fmt();
            }
        }
    }
    let text = document.to_string();
    (!text.trim().is_empty()).then(|| format!("{}\n", text.trim()))
}

/// The names of the tables in a table of the document.
fn names(document: &DocumentMut, key: &str) -> Vec<String> {
    let table = document.get(key).and_then(Item::as_table_like);
    table.into_iter().flat_map(TableLike::iter).map(|(name, _)| name.to_owned()).collect()
}

/// Keeps what `is_kept` of a table of the document, and the table itself where it holds anything.
fn retain(document: &mut DocumentMut, key: &str, is_kept: impl Fn(&str) -> bool) {
    for name in names(document, key).iter().filter(|name| !is_kept(name)) {
        document[key].as_table_like_mut().expect("it has names").remove(name);
    }
    if document.get(key).and_then(Item::as_table_like).is_some_and(TableLike::is_empty) {
        document.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, is_cargo_manifest: bool) -> Option<String> {
        let (api, web) = (TargetName::new("api"), TargetName::new("web"));
        cut(text, is_cargo_manifest, &["lib"].into(), &[api].into(), &[web].into())
    }

    #[test]
    fn what_is_about_others_goes() {
        let text = "\
            # Ours.\n[workspace]\nnode = \"22\" # for now\n\n[target.web]\nport = 1\n\n# It waits.\n[target.api]\n\
            compose = { port = 8081, depends-on = [\"web\", \"db\"] }\n\n[package.lib]\nbuild = false\n\n[package.\"@a/b\"]\n\
            build = false\n";
        insta::assert_snapshot!(check(text, false).expect("it says something"), @r#"
        # Ours.
        [workspace]
        node = "22" # for now

        # It waits.
        [target.api]
        compose = { port = 8081, depends-on = ["db"] }

        [package.lib]
        build = false
        "#);
        let inline = "target = { web = { port = 1 }, api = { port = 2 } }\npackage.other.build = false\n";
        insta::assert_snapshot!(check(inline, false).expect("it says something"), @"target = { api = { port = 2 } }");
        assert_eq!(check("[target.web]\nport = 1\n[package.other]\n", false), None);
    }

    #[test]
    fn the_table_of_a_cargo_manifest_becomes_a_file() {
        let text = "\
            [workspace]\nmembers = []\n\n[workspace.metadata.drydock.workspace]\nnode = \"22\"\n\n\
            # The server.\n[workspace.metadata.drydock.target.api]\nport = 3\n\n[workspace.metadata.drydock.target.web]\n\n\
            [profile.dev]\ndebug = 0\n";
        insta::assert_snapshot!(check(text, true).expect("it says something"), @r#"
        [workspace]
        node = "22"

        # The server.
        [target.api]
        port = 3
        "#);
    }
}
