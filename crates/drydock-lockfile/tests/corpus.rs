//! Real repositories: every member's closures are sealed and proven, none falls back to the whole lockfile.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail and speak")]

mod support;

use drydock_lockfile::{InstallGraph, Selection, Shape};
use support::{Workspace, corpus_workspaces};

#[test]
fn every_member_of_the_corpus_is_sealed() {
    for (name, folder) in corpus_workspaces() {
        let workspace = Workspace::load(&folder);
        workspace.with(|input| {
            let graph = InstallGraph::new(input).unwrap();
            let warnings = graph.check_sync().unwrap();
            println!(
                "{name}: {} entries, {} members, {} warnings",
                input.lockfile.len(),
                input.members.len(),
                warnings.len()
            );
            for warning in warnings {
                println!("  {}", warning.message);
            }
            for member in input.members.keys() {
                for selection in [Selection::build(vec![member.clone()]), Selection::production(vec![member.clone()])] {
                    let install = graph.prune(&selection).unwrap();
                    println!(
                        "  {member} {:?}: {} entries, {} packages, {:?}",
                        selection.kind,
                        install.entries.len(),
                        install.packages,
                        install.shape
                    );
                    for warning in &install.warnings {
                        println!("    {}", warning.message);
                    }
                    assert_eq!(install.shape, Shape::Sealed);
                    let closure = graph.closure(&selection).unwrap();
                    assert_eq!(closure.len(), install.entries.len());
                    assert_eq!(*closure.members(), install.members);
                }
            }
        });
    }
}
