//! What task runners are told that a build writes: Turborepo, Nx, Lerna, Wireit.

use drydock_lockfile::WorkspacePath;
use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::commands::without_glob;
use super::folder::{Folder, TextFile, line_of};
use super::{Output, Place};
use crate::error::WorkspaceError;

/// What a task runner is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints {
    /// Outputs, in the order of the file.
    pub(crate) outputs: Vec<Output>,
    /// What is no output though inside one.
    pub(crate) excluded: Vec<WorkspacePath>,
    /// It is said of this package, not of every package.
    pub(crate) own: bool,
}

/// The most telling hint about what `script` of the package writes.
pub(crate) fn hints(folder: &Folder<'_>, script: &str) -> Result<Option<Hints>, WorkspaceError> {
    if let Some(hints) = wireit(folder, script) {
        return Ok(Some(hints));
    }
    for source in [turbo, nx, lerna] {
        if let Some(hints) = source(folder, script)? {
            return Ok(Some(hints));
        }
    }
    Ok(None)
}

/// `wireit.build.output` in the manifest.
fn wireit(folder: &Folder<'_>, script: &str) -> Option<Hints> {
    let manifest = &folder.package.manifest;
    let list = manifest.field("wireit")?.get(script)?.get("output")?.as_array()?;
    let place = folder.manifest_place(&["wireit", script, "output"]);
    let mut hints = Hints { own: true, ..Hints::default() };
    for text in list.iter().filter_map(serde_json::Value::as_str) {
        hints.add(folder, &folder.package.path, text, &format!("{}: wireit", place.file), &place);
    }
    Some(hints)
}

/// `turbo.json`: the package's own, then the root's entry for the package, then the root's for all.
fn turbo(folder: &Folder<'_>, script: &str) -> Result<Option<Hints>, WorkspaceError> {
    let package = folder.package;
    let own_key = format!("{}#{script}", package.name);
    let root = WorkspacePath::root();
    let first = if package.path.is_root() { (&root, "//#build", true) } else { (&package.path, script, true) };
    let places = [first, (&root, own_key.as_str(), true), (&root, script, false)];
    for (at, key, own) in places {
        let mut file = None;
        for name in ["turbo.json", "turbo.jsonc"] {
            file = match file {
                None => folder.read(&at.join(name).expect("a plain name stays inside"))?,
                some => some,
            };
        }
        let Some(file) = file else { continue };
        let found = with_object(&file, |object| {
            let scripts = object.get_object("tasks").or_else(|| object.get_object("pipeline"))?;
            strings(&file, scripts.get_object(key)?.get("outputs").map(|property| &property.value)?)
        });
        let Some(list) = found else { continue };
        let mut hints = Hints { own, ..Hints::default() };
        for (text, line) in list {
            let place = Place { file: file.path.clone(), line: Some(line) };
            let why = format!("{}: outputs of `{key}`", file.path);
            match text.strip_prefix("$TURBO_ROOT$/") {
                Some(rest) => hints.add(folder, &root, rest, &why, &place),
                None if text == "$TURBO_EXTENDS$" => {}
                None => hints.add(folder, &package.path, &text, &why, &place),
            }
        }
        return Ok(Some(hints));
    }
    Ok(None)
}

/// Nx: `project.json`, `nx` in the manifest, `targetDefaults` in `nx.json`.
fn nx(folder: &Folder<'_>, script: &str) -> Result<Option<Hints>, WorkspaceError> {
    let package = folder.package;
    let path = package.path.join("project.json").expect("a plain name stays inside");
    let own = folder.read(&path)?;
    let described = own.as_ref().and_then(|file| {
        with_object(file, |object| {
            let target = object.get_object("targets")?.get_object(script)?;
            Some(nx_target(file, target))
        })
    });
    let manifest_file = TextFile { path: package.manifest.path().clone(), text: package.manifest.text().clone() };
    let described = match described {
        Some(target) => Some((own.expect("it was read").path, target)),
        None if package.manifest.field("nx").is_some() => with_object(&manifest_file, |object| {
            let target = object.get_object("nx")?.get_object("targets")?.get_object(script)?;
            Some((manifest_file.path.clone(), nx_target(&manifest_file, target)))
        }),
        None => None,
    };
    let mut hints = Hints { own: true, ..Hints::default() };
    if let Some((file, target)) = &described {
        for (text, line) in &target.outputs {
            let place = Place { file: file.clone(), line: Some(*line) };
            hints.add_nx(folder, text, &format!("{file}: outputs of `{script}`"), &place, target);
        }
        if let Some((text, line)) = target.option("outputPath").filter(|_| target.outputs.is_empty()) {
            let place = Place { file: file.clone(), line: Some(*line) };
            hints.add_nx(folder, text, &format!("{file}: outputPath of `{script}`"), &place, target);
        }
        if !hints.outputs.is_empty() {
            return Ok(Some(hints));
        }
    }
    let Some(file) = folder.read(&WorkspacePath::new("nx.json").expect("a plain name stays inside"))? else {
        return Ok(None);
    };
    let Some(target) =
        with_object(&file, |object| Some(nx_target(&file, object.get_object("targetDefaults")?.get_object(script)?)))
    else {
        return Ok(None);
    };
    hints.own = false;
    for (text, line) in &target.outputs {
        let place = Place { file: file.path.clone(), line: Some(*line) };
        let with_options = described.as_ref().map_or(&target, |(_, own)| own);
        hints.add_nx(folder, text, &format!("{}: targetDefaults of `{script}`", file.path), &place, with_options);
    }
    Ok((!hints.outputs.is_empty()).then_some(hints))
}

/// `command.publish.contents` of `lerna.json`: the folder of each package that is published.
fn lerna(folder: &Folder<'_>, _: &str) -> Result<Option<Hints>, WorkspaceError> {
    let Some(file) = folder.read(&WorkspacePath::new("lerna.json").expect("a plain name stays inside"))? else {
        return Ok(None);
    };
    let contents = with_object(&file, |object| {
        let value = &object.get_object("command")?.get_object("publish")?.get("contents")?.value;
        Some((value.as_string_lit()?.value.to_string(), line_of(&file.text, value.range().start)))
    });
    let Some((text, line)) = contents else { return Ok(None) };
    let place = Place { file: file.path.clone(), line: Some(line) };
    let mut hints = Hints::default();
    hints.add(folder, &folder.package.path, &text, &format!("{}: command.publish.contents", file.path), &place);
    Ok(Some(hints))
}

/// An Nx target: its outputs and the options that they may refer to.
struct NxTarget {
    outputs: Vec<(String, usize)>,
    options: Vec<(String, (String, usize))>,
}

impl NxTarget {
    fn option(&self, name: &str) -> Option<&(String, usize)> {
        self.options.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

fn nx_target(file: &TextFile, target: &Object<'_>) -> NxTarget {
    let outputs = target.get("outputs").and_then(|property| strings(file, &property.value)).unwrap_or_default();
    let options = target.get_object("options").into_iter().flat_map(|options| &options.properties);
    let text =
        |value: &Value<'_>| Some((value.as_string_lit()?.value.to_string(), line_of(&file.text, value.range().start)));
    let options = options.filter_map(|property| Some((property.name.as_str().to_owned(), text(&property.value)?)));
    NxTarget { outputs, options: options.collect() }
}

impl Hints {
    /// Takes in one pattern, written relative to `base`.
    fn add(&mut self, folder: &Folder<'_>, base: &WorkspacePath, text: &str, why: &str, place: &Place) {
        let (negated, text) = text.strip_prefix('!').map_or((false, text), |text| (true, text));
        let text = text.trim_start_matches('/');
        let Ok(path) = base.join(without_glob(text)) else { return };
        if negated {
            // `!dist/**/*.map` leaves out files, not the folder.
            let whole = text.strip_suffix("/**").or_else(|| text.strip_suffix("/**/*")).unwrap_or(text);
            if without_glob(whole) == whole {
                self.excluded.push(path);
            }
            return;
        }
        // A pattern for files at the top of the package says nothing about a folder.
        if folder.package.path.is_within(&path) || path.parts().any(|part| part == "node_modules") {
            return;
        }
        self.outputs.push(Output { path, why: why.to_owned(), place: Some(place.clone()) });
    }

    /// Takes in one Nx output: relative to the root, with placeholders.
    fn add_nx(&mut self, folder: &Folder<'_>, text: &str, why: &str, place: &Place, target: &NxTarget) {
        let package = folder.package;
        let mut text = text
            .replace("{projectRoot}", package.path.display())
            .replace("{workspaceRoot}/", "")
            .replace("{projectName}", package.name.as_str());
        while let Some((start, end)) =
            text.find("{options.").and_then(|start| Some((start, start + text[start..].find('}')?)))
        {
            let name = &text[start + "{options.".len()..end];
            // An option that is not set is no output.
            let Some((value, _)) = target.option(name).filter(|(value, _)| !value.contains('{')) else { return };
            let value = value.clone();
            text.replace_range(start..=end, &value);
        }
        if !text.starts_with('{') {
            self.add(folder, &WorkspacePath::root(), &text, why, place);
        }
    }
}

fn with_object<T>(file: &TextFile, read: impl FnOnce(&Object<'_>) -> Option<T>) -> Option<T> {
    let parsed = parse_to_ast(&file.text, &CollectOptions::default(), &ParseOptions::default()).ok()?;
    match parsed.value? {
        Value::Object(object) => read(&object),
        _ => None,
    }
}

fn strings(file: &TextFile, value: &Value<'_>) -> Option<Vec<(String, usize)>> {
    let list = value.as_array()?;
    let text = |element: &Value<'_>| {
        Some((element.as_string_lit()?.value.to_string(), line_of(&file.text, element.range().start)))
    };
    Some(list.elements.iter().filter_map(text).collect())
}
