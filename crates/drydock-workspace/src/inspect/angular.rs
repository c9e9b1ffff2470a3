//! `angular.json`.

use drydock_lockfile::WorkspacePath;
use serde_json::Value;

use super::arguments::{plain, value};
use super::commands::Look;
use super::{Output, Place};
use crate::error::WorkspaceError;

/// What `ng build` makes.
pub(crate) struct Built {
    /// Where; `None` when that is not to be told.
    pub(crate) output: Option<Output>,
    /// It is a site of static files: neither a library nor rendered by a server.
    pub(crate) is_site: bool,
    /// The folder a web server gets: below the output where the builder puts server code beside it.
    pub(crate) served: Option<WorkspacePath>,
}

/// What `ng build` makes by the `angular.json` in the package or at the root. `None` when there is none to read.
pub(crate) fn build(look: &Look<'_, '_>) -> Result<Option<Built>, WorkspaceError> {
    let root = WorkspacePath::root();
    for home in [look.directory, &root] {
        let path = home.join("angular.json").expect("a plain name stays inside");
        let Some(file) = look.folder.read(&path)? else { continue };
        let Ok(settings) = serde_json::from_str::<Value>(&file.text) else { return Ok(None) };
        let Some((name, project)) = project(look, home, &settings) else { return Ok(None) };
        let targets = project.get("architect").or_else(|| project.get("targets"));
        let Some(target) = targets.and_then(|targets| targets.get("build")) else { return Ok(None) };
        let builder = target.get("builder").and_then(Value::as_str).unwrap_or_default();
        let options = target.get("options").unwrap_or(&Value::Null);
        let with_browser_folder = builder.ends_with(":application");
        let library = builder.contains("ng-packagr") || builder.ends_with(":ng-packagr");
        let written = options.get("outputPath");
        let base = written.and_then(|written| written.as_str().or_else(|| written.get("base")?.as_str()));
        let browser = written.and_then(|written| written.get("browser")?.as_str()).unwrap_or("browser");
        let output = match (value(&look.command.arguments, &["--output-path"]), base) {
            (Some(text), _) => home.join(text).ok().map(|path| look.named(path)),
            (None, Some(text)) => home.join(text).ok().map(|path| Output {
                path,
                why: format!("{path}: outputPath of `{name}`", path = file.path),
                place: Some(Place { file: file.path.clone(), line: line_of(&file.text, name) }),
            }),
            (None, None) if library => None,
            (None, None) => home.join(&format!("dist/{name}")).ok().map(|path| look.usual(path)),
        };
        let served = output.as_ref().and_then(|output| {
            if with_browser_folder { output.path.join(browser).ok() } else { Some(output.path.clone()) }
        });
        let on_server = options.get("ssr").is_some_and(|ssr| !matches!(ssr, Value::Bool(false) | Value::Null))
            && options.get("outputMode").and_then(Value::as_str) != Some("static");
        return Ok(Some(Built { output, is_site: !library && !on_server, served }));
    }
    Ok(None)
}

/// The part of `angular.json` that the command builds: the one it names, the one whose folder is the package, the only one.
fn project<'v>(look: &Look<'_, '_>, home: &WorkspacePath, settings: &'v Value) -> Option<(&'v str, &'v Value)> {
    let all = settings.get("projects")?.as_object()?;
    let named = plain(&look.command.arguments, &["--configuration", "-c", "--output-path", "--base-href"]);
    if let Some((name, project)) = named.get(1).and_then(|name| all.get_key_value(*name)) {
        return Some((name, project));
    }
    let folder = |project: &Value| home.join(project.get("root")?.as_str()?).ok();
    let here = || {
        let package = &look.folder.package.path;
        all.iter().find(|(_, project)| folder(project).is_some_and(|folder| folder == *package))
    };
    let default = || all.get_key_value(settings.get("defaultProject")?.as_str()?);
    let application =
        || all.iter().find(|(_, one)| one.get("projectType").and_then(Value::as_str) == Some("application"));
    let found = default().or_else(here).or_else(application).or_else(|| all.iter().next());
    found.map(|(name, project)| (name.as_str(), project))
}

/// The line of `outputPath` in the part called `name`, else of that part.
fn line_of(text: &str, name: &str) -> Option<usize> {
    use drydock_diagnostics::json::locate;
    let below = |group: &str| locate(text, &["projects", name, group, "build", "options", "outputPath"]);
    let span = below("architect").or_else(|| below("targets")).or_else(|| locate(text, &["projects", name]))?;
    Some(super::folder::line_of(text, span.start))
}
