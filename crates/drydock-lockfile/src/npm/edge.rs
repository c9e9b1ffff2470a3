//! Which dependency map a name counts in.

use crate::hash::FastSet;
use crate::manifest::DependencyKind;

/// What an edge demands of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum EdgeKind {
    Production,
    Development,
    Optional,
    Peer,
    PeerOptional,
}

impl EdgeKind {
    pub(crate) fn of(map: DependencyKind, optional_peer: bool) -> Self {
        match map {
            DependencyKind::Production => Self::Production,
            DependencyKind::Development => Self::Development,
            DependencyKind::Optional => Self::Optional,
            DependencyKind::Peer if optional_peer => Self::PeerOptional,
            DependencyKind::Peer => Self::Peer,
        }
    }

    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Self::Peer | Self::PeerOptional)
    }

    /// npm installs nothing in its place when the target is missing or fails.
    pub(crate) fn is_optional(self) -> bool {
        matches!(self, Self::Optional | Self::PeerOptional)
    }
}

/// Calls `visit(name, spec, map, position in the map)` once for each name of the four maps, with the map that decides
/// (arborist's `_loadDeps` fills the edges peer, production, optional, development; later ones replace earlier ones).
/// Development dependencies count for directories of the tree only.
pub(crate) fn effective<'a, I>(
    maps: impl Fn(DependencyKind) -> I,
    is_top: bool,
    mut visit: impl FnMut(&'a str, &'a str, DependencyKind, u32),
) where
    I: Iterator<Item = (&'a str, &'a str)>,
{
    let mut seen: FastSet<&str> = FastSet::default();
    let kinds = DependencyKind::BY_PRECEDENCE.iter().filter(|kind| is_top || **kind != DependencyKind::Development);
    let mut left: Vec<DependencyKind> = kinds.copied().filter(|kind| maps(*kind).next().is_some()).collect();
    left.reverse();
    while let Some(kind) = left.pop() {
        for (position, (name, spec)) in (0_u32..).zip(maps(kind)) {
            // Names within one map differ; only those of earlier maps can stand in the way.
            if !seen.contains(name) {
                visit(name, spec, kind, position);
            }
        }
        if !left.is_empty() {
            seen.extend(maps(kind).map(|(name, _)| name));
        }
    }
}
