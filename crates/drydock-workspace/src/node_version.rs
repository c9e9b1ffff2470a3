//! The version of Node that a workspace asks for.

use drydock_lockfile::{Manifest, WorkspacePath};

use crate::error::WorkspaceError;
use crate::manager::text;
use crate::tree::Tree;
use crate::workspace::{NodeSource, NodeVersion};

/// Reads, most binding first: `.nvmrc`, `.node-version`, Volta's pin, `.tool-versions`, `engines.node`. A pin beats a
/// range, since the range says what the packages bear and the pin what their authors run.
pub(crate) fn find(tree: &dyn Tree, root: &Manifest) -> Result<Option<NodeVersion>, WorkspaceError> {
    let read = |name: &str| text(tree, &WorkspacePath::new(name).expect("a plain file name stays inside"));
    for (name, source) in [(".nvmrc", NodeSource::Nvmrc), (".node-version", NodeSource::NodeVersionFile)] {
        let line = read(name)?.and_then(|text| first_line(&text));
        if let Some(spec) = line {
            return Ok(Some(NodeVersion { spec, source }));
        }
    }
    let field = |outer: &str| root.field(outer)?.get("node")?.as_str().map(str::trim).filter(|text| !text.is_empty());
    if let Some(spec) = field("volta") {
        return Ok(Some(NodeVersion { spec: spec.to_owned(), source: NodeSource::Volta }));
    }
    if let Some(spec) = read(".tool-versions")?.and_then(|text| tool_version(&text)) {
        return Ok(Some(NodeVersion { spec, source: NodeSource::ToolVersions }));
    }
    Ok(field("engines").map(|spec| NodeVersion { spec: spec.to_owned(), source: NodeSource::Engines }))
}

fn first_line(text: &str) -> Option<String> {
    let mut lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.find(|line| !line.is_empty()).map(str::to_owned)
}

fn tool_version(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        matches!(words.next(), Some("nodejs" | "node")).then(|| words.next().map(str::to_owned))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::MemoryTree;

    #[test]
    fn a_pin_beats_a_range() {
        let check = |fixture: &str, expected: Option<(&str, NodeSource)>| {
            let tree = MemoryTree::from_fixture(fixture);
            let path = WorkspacePath::new("package.json").unwrap();
            let manifest = Manifest::parse(path.clone(), &text(&tree, &path).unwrap().unwrap()).unwrap();
            let found = find(&tree, &manifest).unwrap();
            let expected = expected.map(|(spec, source)| NodeVersion { spec: spec.into(), source });
            assert_eq!(found, expected, "{fixture}");
        };
        check("//- package.json\n{}", None);
        check("//- package.json\n{\"engines\":{\"node\":\">=18\"}}", Some((">=18", NodeSource::Engines)));
        check(
            "//- package.json\n{\"engines\":{\"node\":\">=18\"},\"volta\":{\"node\":\"20.11.1\"}}",
            Some(("20.11.1", NodeSource::Volta)),
        );
        check(
            "//- package.json\n{\"volta\":{\"node\":\"20.11.1\"}}\n//- .nvmrc\n# pinned\nlts/iron # iron\n",
            Some(("lts/iron", NodeSource::Nvmrc)),
        );
        check("//- package.json\n{}\n//- .node-version\nv22\n", Some(("v22", NodeSource::NodeVersionFile)));
        check(
            "//- package.json\n{}\n//- .tool-versions\nruby 3\nnodejs 22.1.0\n",
            Some(("22.1.0", NodeSource::ToolVersions)),
        );
    }
}
