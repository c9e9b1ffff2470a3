//! Writes into the configuration what settles findings. What is there, comments and order, stays.

use std::io;

use camino::Utf8PathBuf;
use drydock_diagnostics::{Category, Diagnose, Fix};
use toml_edit::{Array, DocumentMut, Item, Table, Value};

use super::super::load::Loaded;
use super::super::whole::replace;
use super::finding::Check;
use crate::config::FILE_NAME;
use crate::failure::Failure;

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    /// The file.
    pub(super) file: String,
    /// What it holds now, in order.
    pub(super) fixes: Vec<Fix>,
}

/// What keeps a fix from being written.
#[derive(Debug, thiserror::Error)]
enum FixError {
    /// The disk refuses.
    #[error("could not write the configuration")]
    Disk(#[source] io::Error),
    /// The configuration was edited while `doctor` looked at it.
    #[error("`{file}` does not parse")]
    Syntax { file: Utf8PathBuf },
}

impl Diagnose for FixError {
    fn code(&self) -> &'static str {
        match self {
            Self::Disk(_) => "unwritable",
            Self::Syntax { .. } => "config-changed",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Disk(_) => "check that the folder may be written to".to_owned(),
            Self::Syntax { .. } => "it was edited meanwhile; run `drydock doctor` again".to_owned(),
        })
    }
}

/// Writes all that the findings offer.
pub(super) fn write(loaded: &Loaded, checks: &[Check]) -> Result<Written, Failure> {
    let file = loaded.config.file.clone().unwrap_or_else(|| loaded.root.join(FILE_NAME));
    let shown = file.strip_prefix(&loaded.root).unwrap_or(&file).to_string();
    let mut fixes: Vec<Fix> =
        checks.iter().flat_map(|check| &check.findings).filter_map(|found| found.fix.clone()).collect();
    fixes.sort();
    fixes.dedup();
    if fixes.is_empty() {
        return Ok(Written { file: shown, fixes });
    }
    let before = match fs_err::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(FixError::Disk(error).into()),
    };
    let is_cargo = file.file_name() == Some("Cargo.toml");
    let after = applied(&before, is_cargo, &fixes).ok_or(FixError::Syntax { file: file.clone() })?;
    replace(file.as_std_path(), &after).map_err(FixError::Disk)?;
    Ok(Written { file: shown, fixes })
}

/// The text with all fixes in it. `None` when it does not parse, or a key is something else than a table or a list.
fn applied(text: &str, is_cargo: bool, fixes: &[Fix]) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    for fix in fixes {
        let (list, tables) = fix.keys.split_last()?;
        let prefix = ["workspace", "metadata", "drydock"].into_iter().filter(|_| is_cargo);
        let mut table: &mut Item = document.as_item_mut();
        let path: Vec<&str> = prefix.chain(tables.iter().map(String::as_str)).collect();
        for (depth, key) in path.iter().enumerate() {
            let inline = table.is_inline_table();
            let parent = table.as_table_like_mut()?;
            let is_innermost = depth + 1 == path.len();
            let created = parent.get(key).is_none();
            table = parent.entry(key).or_insert_with(|| {
                if inline {
                    return Item::Value(Value::InlineTable(toml_edit::InlineTable::new()));
                }
                let mut made = Table::new();
                // `[package.web]` says it all; no `[package]` before it.
                made.set_implicit(!is_innermost);
                Item::Table(made)
            });
            if !created
                && is_innermost
                && let Some(found) = table.as_table_mut()
            {
                found.set_implicit(false);
            }
        }
        let entry = table.as_table_like_mut()?.entry(list).or_insert(Item::Value(Value::Array(Array::new())));
        let array = entry.as_array_mut()?;
        for value in &fix.values {
            if !array.iter().any(|there| there.as_str() == Some(value)) {
                array.push(value.as_str());
            }
        }
    }
    Some(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(keys: [&str; 3], values: &[&str]) -> Fix {
        Fix { keys: keys.map(str::to_owned).into(), values: values.iter().map(|value| (*value).to_owned()).collect() }
    }

    #[test]
    fn comments_and_order_stay() {
        let text = "# ours\n[workspace]\nnode = \"22\" # for now\n\n[package.\"@acme/web\"] # the front end\nroot-files = [\"a\"] # needed\n";
        let fixes = [
            fix(["package", "@acme/web", "root-files"], &["a", "b"]),
            fix(["package", "@acme/web", "depends-on"], &["lib"]),
            fix(["package", "api", "depends-on"], &["lib"]),
        ];
        let after = applied(text, false, &fixes).expect("it parses");
        insta::assert_snapshot!(after, @r#"
        # ours
        [workspace]
        node = "22" # for now

        [package."@acme/web"] # the front end
        root-files = ["a", "b"] # needed
        depends-on = ["lib"]

        [package.api]
        depends-on = ["lib"]
        "#);
        assert_eq!(applied(&after, false, &fixes).as_deref(), Some(after.as_str()), "a second time changes nothing");
    }

    #[test]
    fn an_empty_file_a_cargo_manifest_and_inline_tables() {
        let fixes = [fix(["package", "api", "depends-on"], &["lib"])];
        assert_eq!(applied("", false, &fixes).expect("it parses"), "[package.api]\ndepends-on = [\"lib\"]\n");
        let cargo = "[workspace]\nmembers = []\n\n[workspace.metadata.drydock.workspace]\nnode = \"22\"\n";
        insta::assert_snapshot!(applied(cargo, true, &fixes).expect("it parses"), @r#"
        [workspace]
        members = []

        [workspace.metadata.drydock.workspace]
        node = "22"

        [workspace.metadata.drydock.package.api]
        depends-on = ["lib"]
        "#);
        let inline = "package = { api = { env = { A = \"1\" } } }\n";
        insta::assert_snapshot!(applied(inline, false, &fixes).expect("it parses"), @r#"package = { api = { env = { A = "1" } , depends-on = ["lib"] } }"#);
    }

    #[test]
    fn what_is_no_list_is_left_alone() {
        let fixes = [fix(["package", "api", "depends-on"], &["lib"])];
        assert_eq!(applied("package.api.depends-on = 1\n", false, &fixes), None);
        assert_eq!(applied("package = [", false, &fixes), None);
    }
}
