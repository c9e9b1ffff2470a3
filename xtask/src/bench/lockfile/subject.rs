//! A tree that both tools can prune.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::host;

/// A copy of a repository.
pub(super) struct Subject {
    /// Where it lies.
    pub(super) folder: PathBuf,
    /// What it holds, and what was added for turbo's sake.
    pub(super) description: String,
}

impl Subject {
    /// Copies what git knows of `source` to `folder`, or everything where it is no checkout, and adds what turbo
    /// refuses to work without.
    pub(super) fn prepare(source: &Path, folder: &Path) -> Result<Self> {
        fs_err::create_dir_all(folder)?;
        let files = tree_files(source)?;
        for file in &files {
            let to = folder.join(file);
            fs_err::create_dir_all(to.parent().context("a file lies in a folder")?)?;
            if source.join(file).is_file() {
                fs_err::copy(source.join(file), to)?;
            }
        }
        let mut description = format!("{} files", files.len());
        let manifest_path = folder.join("package.json");
        let mut manifest: Value = serde_json::from_str(&fs_err::read_to_string(&manifest_path)?)?;
        if manifest.get("packageManager").is_none() {
            manifest["packageManager"] = json!("npm@11.13.0");
            fs_err::write(&manifest_path, serde_json::to_string_pretty(&manifest)?)?;
            description.push_str(", `packageManager` added");
        }
        if !folder.join("turbo.json").is_file() {
            fs_err::write(folder.join("turbo.json"), "{ \"tasks\": {} }\n")?;
            description.push_str(", turbo.json added");
        }
        // turbo asks git what belongs to a package.
        let git = |arguments: &[&str]| host::run_quiet(Command::new("git").arg("-C").arg(folder).args(arguments));
        git(&["init", "--quiet"])?;
        git(&["add", "--all"])?;
        git(&["-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "--quiet", "-m", "tree"])?;
        Ok(Self { folder: folder.to_owned(), description })
    }
}

/// The files of a folder that git knows of; all of them where it is no checkout of its own.
fn tree_files(source: &Path) -> Result<Vec<String>> {
    if source.join(".git").exists() {
        let text = host::run_quiet(Command::new("git").arg("-C").arg(source).args(["ls-files", "-z"]))?;
        return Ok(text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect());
    }
    let mut files = Vec::new();
    walk(source, "", &mut files)?;
    Ok(files)
}

/// What of a folder decides an install: manifests, lockfile, `.npmrc`.
pub(super) fn install_files(folder: &Path) -> Result<Vec<String>> {
    let mut files = tree_files(folder)?;
    files.retain(|path| {
        !path.contains("node_modules/")
            && (path.rsplit('/').next() == Some("package.json")
                || matches!(path.as_str(), "package-lock.json" | ".npmrc"))
    });
    Ok(files)
}

fn walk(root: &Path, below: &str, files: &mut Vec<String>) -> Result<()> {
    for entry in fs_err::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name().into_string().ok().context("a file's name is not UTF-8")?;
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        if entry.file_type()?.is_dir() {
            if name != "node_modules" && name != ".git" {
                walk(root, &path, files)?;
            }
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// How many files a folder holds.
pub(super) fn count_files(folder: &Path) -> Result<usize> {
    let mut files = Vec::new();
    walk(folder, "", &mut files)?;
    Ok(files.len())
}
