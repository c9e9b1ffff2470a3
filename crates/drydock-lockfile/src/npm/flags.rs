//! npm's flags: why an entry is there.

use crate::npm::edge::EdgeKind;
use crate::npm::lock::EntryId;

/// What only certain edges reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "npm's five independent flags, computed together")]
pub(crate) struct Flag {
    pub(crate) extraneous: bool,
    pub(crate) dev: bool,
    pub(crate) optional: bool,
    pub(crate) dev_optional: bool,
    pub(crate) peer: bool,
}

impl Flag {
    const ALL: Self = Self { extraneous: true, dev: true, optional: true, dev_optional: true, peer: true };
    const NONE: Self = Self { extraneous: false, dev: false, optional: false, dev_optional: false, peer: false };
}

/// The flags of all entries of a lockfile.
#[derive(Debug)]
pub(crate) struct Flags(Vec<Flag>);

impl Flags {
    /// Walks outwards from the root, as arborist's `calc-dep-flags.js` does. `target` is where a link leads; `edges`
    /// calls its visitor with the kind and the target of each resolved edge of an entry.
    pub(crate) fn compute(
        entries: usize,
        target: impl Fn(EntryId) -> Option<EntryId>,
        edges: impl Fn(EntryId, &mut dyn FnMut(EdgeKind, EntryId)),
    ) -> Self {
        let mut flags = vec![Flag::ALL; entries];
        flags[EntryId::ROOT.index()] = Flag::NONE;
        let mut seen = vec![false; entries];
        let mut stack = vec![EntryId::ROOT];
        while let Some(from) = stack.pop() {
            seen[from.index()] = true;
            let source = flags[from.index()];
            if let Some(to) = target(from) {
                let before = flags[to.index()];
                let after = Flag {
                    extraneous: before.extraneous && source.extraneous,
                    dev: before.dev && source.dev,
                    optional: before.optional && source.optional,
                    dev_optional: before.dev_optional && source.dev_optional,
                    peer: before.peer && source.peer,
                };
                flags[to.index()] = after;
                if after != before || !seen[to.index()] {
                    stack.push(to);
                }
                continue;
            }
            edges(from, &mut |kind, to| {
                let (peer, optional, dev) = (kind.is_peer(), kind.is_optional(), kind == EdgeKind::Development);
                let before = flags[to.index()];
                let mut after = before;
                // What only optional peers reach stays extraneous.
                after.extraneous &= source.extraneous || (peer && optional);
                after.dev &= source.dev || dev;
                after.optional &= source.optional || optional;
                after.dev_optional &= source.dev_optional || source.dev || source.optional || dev || optional;
                after.peer &= source.peer || peer;
                if after != before {
                    flags[to.index()] = after;
                    stack.push(to);
                }
            });
        }
        for flag in &mut flags[1..] {
            flag.dev_optional &= !(flag.dev || flag.optional);
        }
        Self(flags)
    }

    pub(crate) fn of(&self, id: EntryId) -> Flag {
        self.0[id.index()]
    }
}
