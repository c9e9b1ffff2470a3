//! The configuration as a commit has it.

use std::collections::BTreeMap;

use camino::Utf8Path;
use drydock_lockfile::WorkspacePath;
use drydock_workspace::Tree;

use super::source::Source;
use super::{Config, ConfigError, FILE_NAME, pins};

impl Config {
    /// The configuration that `tree`, another state of the workspace at `root`, holds in the place where this one was
    /// found. A file outside the workspace has one state only.
    pub(crate) fn in_tree(&self, root: &Utf8Path, tree: &dyn Tree) -> Result<Self, Vec<ConfigError>> {
        let mut config = self.without_pins(root, tree)?;
        let file = config.lock_file(root);
        let path = file.strip_prefix(root).ok().and_then(|inside| WorkspacePath::new(inside.as_str()).ok());
        // What is outside was read with the configuration that it belongs to.
        if let Some(path) = path {
            let bytes = tree.read(&path).ok().flatten();
            let text = bytes.as_deref().map(String::from_utf8_lossy);
            config.settings.pins =
                text.map_or_else(|| Ok(BTreeMap::new()), |text| pins::parse(path.as_str(), &text))?;
        }
        Ok(config)
    }

    fn without_pins(&self, root: &Utf8Path, tree: &dyn Tree) -> Result<Self, Vec<ConfigError>> {
        let inside = match &self.file {
            Some(file) => match file.strip_prefix(root) {
                Ok(inside) => inside.as_str(),
                Err(_) => return Self::load(root, Some(file)),
            },
            None => FILE_NAME,
        };
        for name in [inside, FILE_NAME] {
            let Ok(path) = WorkspacePath::new(name) else { continue };
            let Some(bytes) = tree.read(&path).ok().flatten() else { continue };
            let source = Source {
                file: root.join(name),
                shown: name.to_owned(),
                text: String::from_utf8_lossy(&bytes).into_owned(),
                is_cargo_manifest: path.file_name() == "Cargo.toml",
            };
            return match Self::parse(&source) {
                // A manifest that said nothing of drydock yet.
                Err(errors) if matches!(errors.as_slice(), [ConfigError::NoTable { .. }]) => Ok(Self::default()),
                result => result,
            };
        }
        Ok(Self::default())
    }
}
