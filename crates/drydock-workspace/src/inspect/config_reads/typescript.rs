//! What TypeScript configurations lead to.

use drydock_lockfile::WorkspacePath;
use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::gather::{Gather, Role};
use super::resolve;
use crate::error::WorkspaceError;
use crate::inspect::folder::line_of;
use crate::inspect::{Place, outputs, tsconfig};
use crate::manager;

/// A path that a configuration writes down, with its line.
struct Written {
    text: String,
    line: usize,
}

/// What one configuration writes down.
#[derive(Default)]
struct Config {
    extends: Vec<Written>,
    references: Vec<Written>,
    /// `files`, `include`, `rootDirs`, `typeRoots`.
    files: Vec<Written>,
    /// The targets of `paths`, from `baseUrl`.
    paths: Vec<Written>,
    base_url: Option<String>,
}

/// Follows the configuration at `path`.
pub(super) fn follow(gather: &mut Gather<'_, '_>, path: &WorkspacePath, role: Role) -> Result<(), WorkspaceError> {
    let Some(text) = manager::text(&*gather.workspace.tree, path)? else { return Ok(()) };
    // One that does not parse is for the compiler to complain about.
    let Some(config) = read(&text) else { return Ok(()) };
    let folder = path.parent().unwrap_or_default();
    let place = |line| Place { file: path.clone(), line: Some(line) };
    for Written { text: extended, line } in &config.extends {
        match tsconfig::extended_file(gather.workspace, path, extended)? {
            Some(file) => {
                if !covered_by_dependency(gather, &file)? {
                    gather.file(&file, &place(*line), "extends")?;
                }
                gather.enqueue(file, role);
            }
            None if extended.starts_with('.') => match folder.join(extended) {
                Ok(target) => gather.warn_missing(path, &target, *line, &text),
                Err(_) => gather.warn_outside(path, extended, *line, &text),
            },
            // A package of the registry.
            None => {}
        }
    }
    for Written { text: reference, line } in &config.references {
        let Ok(target) = folder.join(reference) else { continue };
        let tree = &*gather.workspace.tree;
        let is_folder = tree.is_directory(&target)?;
        let file = if is_folder { target.join("tsconfig.json").unwrap_or(target.clone()) } else { target };
        if tree.is_file(&file)? {
            if role == Role::ProjectConfig
                && let Some(project) = file.parent()
            {
                gather.directory(&project, false, &place(*line), "references, built by `tsc --build`")?;
            }
            gather.file(&file, &place(*line), "references")?;
            gather.enqueue(file, role);
        }
    }
    if role == Role::BundlerConfig {
        return Ok(());
    }
    let inherited = !gather.is_own(path);
    if !inherited {
        for Written { text: listed, line } in &config.files {
            if resolve::goes_up(listed) {
                gather.path(&folder, listed, &place(*line), &format!("`{listed}`"))?;
            }
        }
    }
    let base = config.base_url.as_deref().and_then(|base| folder.join(base).ok()).unwrap_or(folder);
    for Written { text: target, line } in &config.paths {
        let Some((found, _)) = resolve::named(&*gather.workspace.tree, &base, target)? else { continue };
        let (resolve::Found::File(found) | resolve::Found::Folder(found)) = found;
        // A list shared by all packages names the sources of all: only those of dependencies are read.
        let owner = gather.workspace.package_of(&found).filter(|owner| !owner.path.is_root());
        if inherited && owner.is_some_and(|owner| !gather.dependencies().contains(&owner.path)) {
            continue;
        }
        gather.path(&base, target, &place(*line), &format!("`{target}` in `paths`"))?;
    }
    Ok(())
}

/// Whether a file comes with the outputs of a member that the package depends on.
fn covered_by_dependency(gather: &Gather<'_, '_>, file: &WorkspacePath) -> Result<bool, WorkspaceError> {
    let Some(owner) = gather.workspace.package_of(file).filter(|owner| !owner.path.is_root()) else { return Ok(false) };
    if !gather.dependencies().contains(&owner.path) {
        return Ok(false);
    }
    let outputs = outputs::outputs(gather.workspace, owner)?;
    Ok(outputs.paths.iter().any(|output| file.is_within(&output.path)))
}

fn read(text: &str) -> Option<Config> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default()).ok()?;
    let Some(Value::Object(object)) = parsed.value else { return None };
    let written = |value: &Value<'_>| {
        let literal = value.as_string_lit()?;
        Some(Written { text: literal.value.to_string(), line: line_of(text, value.range().start) })
    };
    let list = |value: Option<&Value<'_>>| -> Vec<Written> {
        match value {
            Some(Value::Array(list)) => list.elements.iter().filter_map(written).collect(),
            Some(value) => written(value).into_iter().collect(),
            None => Vec::new(),
        }
    };
    let mut config =
        Config { extends: list(object.get("extends").map(|property| &property.value)), ..Config::default() };
    for key in ["files", "include"] {
        config.files.extend(list(object.get(key).map(|property| &property.value)));
    }
    for element in object.get_array("references").into_iter().flat_map(|list| &list.elements) {
        if let Value::Object(reference) = element {
            config.references.extend(list(reference.get("path").map(|property| &property.value)));
        }
    }
    if let Some(options) = object.get_object("compilerOptions") {
        for key in ["rootDirs", "typeRoots"] {
            config.files.extend(list(options.get(key).map(|property| &property.value)));
        }
        config.base_url = options.get_string("baseUrl").map(|literal| literal.value.to_string());
        for property in options.get_object("paths").into_iter().flat_map(|paths| &paths.properties) {
            config.paths.extend(list(Some(&property.value)));
        }
    }
    Some(config)
}
