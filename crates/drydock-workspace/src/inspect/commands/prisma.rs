//! `prisma generate`.

use drydock_lockfile::WorkspacePath;

use super::{Look, Writes};
use crate::error::WorkspaceError;
use crate::inspect::arguments::value;
use crate::inspect::folder::TextFile;
use crate::inspect::javascript::{self, Literal};
use crate::inspect::{Output, Place};
use crate::tree::EntryKind;
use crate::workspace::PackageManager;

/// A `generator` of a schema.
#[derive(Debug, PartialEq, Eq)]
struct Generator<'t> {
    provider: &'t str,
    /// With its 1-based line.
    output: Option<(&'t str, usize)>,
}

impl Look<'_, '_> {
    /// Prisma writes its client where the schema says, else beside `@prisma/client` in `node_modules`.
    pub(super) fn prisma_generate(&self) -> Result<Writes, WorkspaceError> {
        let mut outputs = Vec::new();
        let mut unknown = false;
        for file in self.prisma_schemas()? {
            for generator in generators(&file.text) {
                let why = format!("{}: the generator `{}`", file.path, generator.provider);
                match generator.output {
                    Some((text, line)) => {
                        let Some(path) = file.path.parent().and_then(|folder| folder.join(text).ok()) else { continue };
                        let place = Some(Place { file: file.path.clone(), line: Some(line) });
                        outputs.push(Output { path, why, place });
                    }
                    None if generator.provider == "prisma-client-js" => match self.beside_prisma_client() {
                        Some(path) => {
                            let place = Some(Place { file: file.path.clone(), line: None });
                            outputs.push(Output { path, why, place });
                        }
                        None => unknown = true,
                    },
                    None => unknown = true,
                }
            }
        }
        Ok(match (outputs.is_empty(), unknown) {
            (true, _) => Writes::Unknown,
            (false, true) => Writes::AtLeast(outputs),
            (false, false) => Writes::These(outputs),
        })
    }

    fn prisma_schemas(&self) -> Result<Vec<TextFile>, WorkspaceError> {
        let in_manifest =
            self.folder.package.manifest.field("prisma").and_then(|prisma| prisma.get("schema")?.as_str());
        let config = self.folder.config(self.directory, "prisma.config")?;
        let in_config = config.and_then(|file| javascript::option(file.path.as_str(), &file.text, &["schema"]));
        let in_config = match in_config {
            Some((Literal::Text(text), _)) => Some(text),
            _ => None,
        };
        let told = value(&self.command.arguments, &["--schema"]).or(in_manifest).or(in_config.as_deref());
        for place in told.into_iter().chain(["prisma/schema.prisma", "schema.prisma"]) {
            let Some(path) = self.path(place) else { continue };
            if let Some(file) = self.folder.read(&path)? {
                return Ok(vec![file]);
            }
            if !self.folder.is_directory(&path)? {
                continue;
            }
            let mut files = Vec::new();
            for entry in self.folder.workspace.tree.list(&path)?.iter() {
                let is_schema = matches!(entry.kind, EntryKind::File { .. }) && entry.name.ends_with(".prisma");
                if let Some(at) = is_schema.then(|| path.join(&entry.name).ok()).flatten() {
                    files.extend(self.folder.read(&at)?);
                }
            }
            return Ok(files);
        }
        Ok(Vec::new())
    }

    /// `node_modules/.prisma` in the folder whose `node_modules` holds `@prisma/client`, where the lockfile tells it.
    fn beside_prisma_client(&self) -> Option<WorkspacePath> {
        let workspace = self.folder.workspace;
        let package = &self.folder.package.path;
        if matches!(workspace.manager, PackageManager::Pnpm | PackageManager::Bun) {
            return None;
        }
        let own = package.join("node_modules/@prisma/client").ok()?;
        let in_lock = |path: &WorkspacePath| {
            workspace.lockfile.as_ref().is_some_and(|lockfile| lockfile.text.contains(&format!("\"{path}\"")))
        };
        let holder = if in_lock(&own) { package.clone() } else { WorkspacePath::root() };
        holder.join("node_modules/.prisma").ok()
    }
}

/// The `generator` blocks of a schema.
fn generators(text: &str) -> Vec<Generator<'_>> {
    let mut found: Vec<Generator<'_>> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("generator ") && line.ends_with('{') {
            inside = true;
            found.push(Generator { provider: "", output: None });
        } else if line.starts_with('}') {
            inside = false;
        } else if inside
            && let Some((key, rest)) = line.split_once('=')
            && let Some(text) = rest.trim().strip_prefix('"').and_then(|rest| rest.split('"').next())
            && let Some(generator) = found.last_mut()
        {
            match key.trim() {
                "provider" => generator.provider = text,
                "output" => generator.output = Some((text, number + 1)),
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generators_are_found_among_models() {
        let text = "datasource db {\n  provider = \"postgresql\"\n}\n\ngenerator client {\n  provider = \"prisma-client\"\n  \
                    output   = \"../src/generated\" // here\n}\ngenerator zod {\n  provider = \"zod-prisma\"\n}\nmodel A {\n  id Int @id\n}\n";
        let expected = [
            Generator { provider: "prisma-client", output: Some(("../src/generated", 7)) },
            Generator { provider: "zod-prisma", output: None },
        ];
        assert_eq!(generators(text), expected);
    }
}
