//! The bytes of a pruned `package-lock.json`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::install::{Selection, Shape};
use crate::manifest::DependencyKind;
use crate::npm::closure::EntrySet;
use crate::npm::flags::Flag;
use crate::npm::graph::NpmGraph;
use crate::npm::lock::EntryId;
use crate::npm::seal::Maps;
use crate::value::in_order;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document<'g> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'g str>,
    pub(crate) lockfile_version: u8,
    pub(crate) requires: bool,
    /// In byte order of the locations.
    pub(crate) packages: BTreeMap<&'g str, Package<'g>>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Package<'g> {
    Directory(Map<String, Value>),
    Placed(Box<Placed<'g>>),
}

/// An entry in a `node_modules`. What is only for people to read (licence, funding, deprecation) is left out: it
/// changes without any change to what is installed.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "npm's own flags, one key each")]
pub(crate) struct Placed<'g> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'g str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'g str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved: Option<&'g str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    integrity: Option<&'g str>,
    #[serde(skip_serializing_if = "is_false")]
    link: bool,
    #[serde(skip_serializing_if = "is_false")]
    in_bundle: bool,
    #[serde(skip_serializing_if = "is_false")]
    dev: bool,
    #[serde(skip_serializing_if = "is_false")]
    optional: bool,
    #[serde(skip_serializing_if = "is_false")]
    dev_optional: bool,
    #[serde(skip_serializing_if = "is_false")]
    peer: bool,
    #[serde(skip_serializing_if = "is_false")]
    has_install_script: bool,
    #[serde(skip_serializing_if = "is_false")]
    has_shrinkwrap: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patched: Option<Cow<'g, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle_dependencies: Option<Cow<'g, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accept_dependencies: Option<Cow<'g, Value>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dependencies: BTreeMap<&'g str, Cow<'g, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bin: Option<Cow<'g, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engines: Option<Cow<'g, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<Cow<'g, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<Cow<'g, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    libc: Option<Cow<'g, Value>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    optional_dependencies: BTreeMap<&'g str, Cow<'g, str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    peer_dependencies: BTreeMap<&'g str, Cow<'g, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_dependencies_meta: Option<Cow<'g, Value>>,
}

fn ordered(value: Option<&Value>) -> Option<Cow<'_, Value>> {
    value.map(in_order)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl NpmGraph<'_> {
    /// A kept entry of a `node_modules`. Its flags are the pruned tree's, or other packages would show through them.
    pub(crate) fn placed<'g>(
        &'g self,
        id: EntryId,
        keep: &'g EntrySet,
        selection: &'g Selection,
        flag: Flag,
    ) -> Placed<'g> {
        let entry = self.lock.entry(id);
        if entry.link.0 {
            return Placed { resolved: entry.resolved.get(), link: true, ..Placed::default() };
        }
        let foreign = self.is_foreign(id);
        let maps = if foreign { Maps::default() } else { self.maps(id, keep, selection) };
        let verbatim = |kind: DependencyKind| entry.map(kind).iter().map(|(name, spec)| (name, Cow::Borrowed(spec)));
        let (dependencies, optional_dependencies, peer_dependencies, meta) = if foreign {
            (
                verbatim(DependencyKind::Production).collect(),
                verbatim(DependencyKind::Optional).collect(),
                verbatim(DependencyKind::Peer).collect(),
                ordered(entry.peer_dependencies_meta.as_ref()),
            )
        } else {
            let optional = maps.optional_peers.iter().map(|name| (*name, serde_json::json!({ "optional": true })));
            let meta = (!maps.optional_peers.is_empty()).then(|| Cow::Owned(optional.collect()));
            (maps.production, maps.optional, maps.peer, meta)
        };
        Placed {
            name: entry.name.get(),
            version: entry.version.get(),
            resolved: entry.resolved.get(),
            integrity: entry.integrity.get(),
            link: false,
            in_bundle: entry.in_bundle.0,
            dev: flag.dev,
            optional: flag.optional,
            dev_optional: flag.dev_optional,
            peer: flag.peer,
            has_install_script: entry.has_install_script.0,
            has_shrinkwrap: entry.has_shrinkwrap.0,
            patched: ordered(entry.patched.as_ref()),
            bundle_dependencies: ordered(entry.bundle_dependencies.as_ref()),
            accept_dependencies: ordered(entry.accept_dependencies.as_ref())
                .filter(|_| foreign || selection.shape != Shape::Sealed),
            dependencies,
            bin: ordered(entry.bin.as_ref()),
            engines: ordered(entry.engines.as_ref()),
            os: ordered(entry.os.as_ref()),
            cpu: ordered(entry.cpu.as_ref()),
            libc: ordered(entry.libc.as_ref()),
            optional_dependencies,
            peer_dependencies,
            peer_dependencies_meta: meta,
        }
    }
}
