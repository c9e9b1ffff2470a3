//! TypeScript's configuration files, as far as they tell what a compiler writes.

use drydock_lockfile::WorkspacePath;
use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::Place;
use super::folder::line_of;
use crate::error::WorkspaceError;
use crate::manager;
use crate::workspace::Workspace;

/// How long a chain of `extends` may be; TypeScript itself refuses circles only.
const MAX_CHAIN: usize = 24;

/// One `tsconfig.json`, unmerged.
#[derive(Debug, Clone, Default)]
pub(crate) struct TsConfig {
    /// The file.
    pub(crate) path: WorkspacePath,
    /// `extends`, as written, with lines.
    pub(crate) extends: Vec<(String, usize)>,
    /// The `path` of each of `references`, as written, with lines.
    pub(crate) references: Vec<(String, usize)>,
    /// `compilerOptions` that say where things are written.
    options: Options,
}

#[derive(Debug, Clone, Default)]
struct Options {
    out_dir: Option<(String, usize)>,
    out_file: Option<(String, usize)>,
    declaration_dir: Option<(String, usize)>,
    no_emit: Option<bool>,
    declaration: Option<bool>,
    only_declarations: Option<bool>,
}

/// What a compiler that follows a configuration writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Emit {
    /// `outDir`, resolved.
    pub(crate) out_dir: Option<Told>,
    /// `outFile`, resolved.
    pub(crate) out_file: Option<Told>,
    /// `declarationDir`, resolved, when declarations are written.
    pub(crate) declaration_dir: Option<Told>,
    /// `noEmit`: it only checks.
    pub(crate) nothing: bool,
    /// `emitDeclarationOnly`.
    pub(crate) only_declarations: bool,
    /// A configuration that it extends is not in the tree, so that what is missing here may be said there.
    pub(crate) unfollowed: bool,
    /// Other configurations of the same package that `tsc --build` goes on to.
    pub(crate) references: Vec<WorkspacePath>,
}

/// A path and the option that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) path: WorkspacePath,
    pub(crate) place: Place,
}

/// Reads the file at `path`. `None` when there is none or it does not parse: the compiler says so better.
pub(crate) fn read(workspace: &Workspace, path: &WorkspacePath) -> Result<Option<TsConfig>, WorkspaceError> {
    let Some(text) = manager::text(&*workspace.tree, path)? else { return Ok(None) };
    Ok(parse(path, &text))
}

fn parse(path: &WorkspacePath, text: &str) -> Option<TsConfig> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default()).ok()?;
    let Some(Value::Object(object)) = parsed.value else { return None };
    let line = |value: &Value<'_>| line_of(text, value.range().start);
    let string = |value: &Value<'_>| value.as_string_lit().map(|literal| (literal.value.to_string(), line(value)));
    let extends = match object.get("extends").map(|property| &property.value) {
        Some(Value::Array(list)) => list.elements.iter().filter_map(string).collect(),
        Some(value) => string(value).into_iter().collect(),
        None => Vec::new(),
    };
    let references = object.get_array("references").into_iter().flat_map(|list| &list.elements).filter_map(|element| {
        let Value::Object(reference) = element else { return None };
        reference.get("path").and_then(|property| string(&property.value))
    });
    let options = object.get_object("compilerOptions").map_or_else(Options::default, |options| {
        let text = |key: &str| options.get(key).and_then(|property| string(&property.value));
        Options {
            out_dir: text("outDir"),
            out_file: text("outFile"),
            declaration_dir: text("declarationDir"),
            no_emit: boolean(options, "noEmit"),
            declaration: boolean(options, "declaration").or_else(|| boolean(options, "composite")),
            only_declarations: boolean(options, "emitDeclarationOnly"),
        }
    });
    Some(TsConfig { path: path.clone(), extends, references: references.collect(), options })
}

fn boolean(object: &Object<'_>, key: &str) -> Option<bool> {
    object.get_boolean(key).map(|literal| literal.value)
}

/// What a compiler run with the configuration at `path` writes. `None` when there is no such file.
pub(crate) fn emit(workspace: &Workspace, path: &WorkspacePath) -> Result<Option<Emit>, WorkspaceError> {
    let Some(config) = read(workspace, path)? else { return Ok(None) };
    let mut emit = Emit::default();
    let folder = path.parent().unwrap_or_default();
    for (reference, _) in &config.references {
        let Ok(target) = folder.join(reference) else { continue };
        let target = if has_json_ending(&target) { Ok(target) } else { target.join("tsconfig.json") };
        emit.references.extend(target);
    }
    let mut state = State::default();
    collect(workspace, &config, &folder, &mut state, &mut emit, &mut Vec::new())?;
    emit.nothing = state.no_emit.unwrap_or(false);
    emit.only_declarations = state.only_declarations.unwrap_or(false);
    if !state.declaration.unwrap_or(false) && !state.unfollowed {
        emit.declaration_dir = None;
    }
    emit.unfollowed = state.unfollowed;
    Ok(Some(emit))
}

#[derive(Default)]
struct State {
    no_emit: Option<bool>,
    declaration: Option<bool>,
    only_declarations: Option<bool>,
    unfollowed: bool,
}

impl State {
    /// Whether nothing more could be learnt from a file further up. The file that names `outDir` is taken to mean it:
    /// a `noEmit` it inherits without a word is not looked for.
    fn is_complete(&self, emit: &Emit) -> bool {
        (emit.out_dir.is_some() || emit.out_file.is_some())
            && (emit.declaration_dir.is_none() || self.declaration.is_some())
    }
}

/// Merges `config` into what is known: what is known already was said by a file that extends it.
fn collect(
    workspace: &Workspace,
    config: &TsConfig,
    first_folder: &WorkspacePath,
    state: &mut State,
    emit: &mut Emit,
    chain: &mut Vec<WorkspacePath>,
) -> Result<(), WorkspaceError> {
    if chain.len() >= MAX_CHAIN || chain.contains(&config.path) {
        return Ok(());
    }
    let folder = config.path.parent().unwrap_or_default();
    let told = |option: &Option<(String, usize)>| {
        let (text, line) = option.as_ref()?;
        let path = match text.strip_prefix("${configDir}") {
            Some(rest) => first_folder.join(rest.trim_start_matches('/')),
            None => folder.join(text),
        };
        Some(Told { path: path.ok()?, place: Place { file: config.path.clone(), line: Some(*line) } })
    };
    emit.out_dir = emit.out_dir.take().or_else(|| told(&config.options.out_dir));
    emit.out_file = emit.out_file.take().or_else(|| told(&config.options.out_file));
    emit.declaration_dir = emit.declaration_dir.take().or_else(|| told(&config.options.declaration_dir));
    state.no_emit = state.no_emit.or(config.options.no_emit);
    state.declaration = state.declaration.or(config.options.declaration);
    state.only_declarations = state.only_declarations.or(config.options.only_declarations);
    if config.extends.is_empty() || state.is_complete(emit) {
        return Ok(());
    }
    chain.push(config.path.clone());
    // Of several the last one wins.
    for (extended, _) in config.extends.iter().rev() {
        match extended_file(workspace, &config.path, extended)? {
            Some(path) => match read(workspace, &path)? {
                Some(next) => collect(workspace, &next, first_folder, state, emit, chain)?,
                None => state.unfollowed = true,
            },
            None => state.unfollowed = true,
        }
    }
    chain.pop();
    Ok(())
}

/// The file of the tree that `extends: text` in the configuration at `from` means: relative, or inside a member named
/// by its package name. `None` when it lies elsewhere, such as in `node_modules`.
pub(crate) fn extended_file(
    workspace: &Workspace,
    from: &WorkspacePath,
    text: &str,
) -> Result<Option<WorkspacePath>, WorkspaceError> {
    let base = if text.starts_with("./") || text.starts_with("../") || matches!(text, "." | "..") {
        from.parent().unwrap_or_default().join(text).ok()
    } else {
        // `@scope/name/rest`, `name/rest`
        let parts = if text.starts_with('@') { 2 } else { 1 };
        let end = text.match_indices('/').nth(parts - 1).map_or(text.len(), |(at, _)| at);
        let (name, rest) = text.split_at(end);
        workspace.package(name).and_then(|package| package.path.join(rest.trim_start_matches('/')).ok())
    };
    let Some(base) = base else { return Ok(None) };
    let mut candidates = vec![base.clone()];
    if !has_json_ending(&base) {
        let parent = base.parent().unwrap_or_default();
        candidates.extend(parent.join(&format!("{}.json", base.file_name())));
        candidates.extend(base.join("tsconfig.json"));
    }
    for candidate in candidates {
        if workspace.tree.is_file(&candidate)? {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

fn has_json_ending(path: &WorkspacePath) -> bool {
    path.as_str().rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("json"))
}
