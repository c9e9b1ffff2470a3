//! How long an install takes to compute: lockfile text in, pruned bytes out.
//!
//! `cargo bench -p drydock-lockfile`; the corpus (see `tests/support`) is measured when it is there.

#![allow(clippy::unwrap_used, reason = "a bench may fail")]
#![allow(missing_docs, reason = "criterion's macros write undocumented functions")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use drydock_lockfile::{InstallGraph, Lockfile, Manifest, PruneInput, Selection};
use support::{Workspace, corpus_workspaces, path};

fn corpus(criterion: &mut Criterion) {
    for (name, folder) in corpus_workspaces() {
        let workspace = Workspace::load(&folder);
        let Some(member) = workspace.members.keys().next().cloned() else { continue };
        let mut group = criterion.benchmark_group(format!("corpus/{name}"));
        let text = workspace.lockfile.text().clone();
        group.bench_function("parse", |bencher| {
            bencher.iter(|| Lockfile::parse(path("package-lock.json"), black_box(&text)).unwrap());
        });
        for (kind, selection) in
            [("build", Selection::build(vec![member.clone()])), ("production", Selection::production(vec![member]))]
        {
            group.bench_function(format!("closure/{kind}"), |bencher| {
                workspace.with(|input| {
                    let graph = InstallGraph::new(input).unwrap();
                    bencher.iter(|| graph.closure(black_box(&selection)).unwrap());
                });
            });
            group.bench_function(format!("prune/{kind}"), |bencher| {
                workspace.with(|input| {
                    let graph = InstallGraph::new(input).unwrap();
                    bencher.iter(|| graph.prune(black_box(&selection)).unwrap());
                });
            });
            group.bench_function(format!("parse to bytes/{kind}"), |bencher| {
                bencher.iter(|| {
                    let lockfile = Lockfile::parse(path("package-lock.json"), black_box(&text)).unwrap();
                    workspace.with(|input| {
                        let input = PruneInput { lockfile: &lockfile, ..input };
                        drydock_lockfile::prune(&input, &selection).unwrap()
                    })
                });
            });
        }
    }
}

/// A monorepo whose members each depend on the one before, on ten packages of their own and on ten shared ones.
fn generated(members: usize) -> Workspace {
    let mut lock =
        String::from("{\"lockfileVersion\":3,\"packages\":{\"\":{\"name\":\"root\",\"workspaces\":[\"packages/*\"]}");
    let mut manifests = Vec::new();
    for index in 0..members {
        let mut dependencies: Vec<(String, &str)> =
            (0..10).map(|shared| (format!("shared-{shared}"), "^1.0.0")).collect();
        dependencies.extend((0..10).map(|own| (format!("own-{index}-{own}"), "^1.0.0")));
        if index > 0 && index % 8 != 0 {
            dependencies.push((format!("member-{}", index - 1), "*"));
        }
        let dependencies =
            serde_json::to_string(&dependencies.into_iter().collect::<std::collections::BTreeMap<_, _>>()).unwrap();
        write!(lock, ",\"packages/member-{index}\":{{\"version\":\"1.0.0\",\"dependencies\":{dependencies}}}").unwrap();
        write!(lock, ",\"node_modules/member-{index}\":{{\"resolved\":\"packages/member-{index}\",\"link\":true}}")
            .unwrap();
        for own in 0..10 {
            write!(lock, ",\"node_modules/own-{index}-{own}\":{{\"version\":\"1.2.3\",\"integrity\":\"sha512-x\",\"dependencies\":{{\"shared-{own}\":\"^1.0.0\"}}}}").unwrap();
        }
        let manifest = format!("{{\"name\":\"member-{index}\",\"version\":\"1.0.0\",\"dependencies\":{dependencies}}}");
        manifests.push((path(&format!("packages/member-{index}")), manifest));
    }
    for shared in 0..10 {
        write!(lock, ",\"node_modules/shared-{shared}\":{{\"version\":\"1.0.{shared}\",\"integrity\":\"sha512-x\"}}")
            .unwrap();
    }
    lock.push_str("}}");
    Workspace {
        lockfile: Lockfile::parse(path("package-lock.json"), &lock).unwrap(),
        root: Manifest::parse(path("package.json"), "{\"name\":\"root\",\"workspaces\":[\"packages/*\"]}").unwrap(),
        members: manifests
            .into_iter()
            .map(|(directory, text)| {
                let manifest = Manifest::parse(directory.join("package.json").unwrap(), &text).unwrap();
                (directory, manifest)
            })
            .collect(),
        linked: std::collections::BTreeMap::new(),
        npmrc: None,
        pnpm_settings: None,
        bin_files: std::collections::BTreeMap::new(),
    }
}

fn sizes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("generated");
    group.sample_size(10);
    for members in [100, 1_000, 10_000] {
        let workspace = generated(members);
        let text = workspace.lockfile.text().clone();
        group.bench_with_input(BenchmarkId::new("parse", members), &text, |bencher, text| {
            bencher.iter(|| Lockfile::parse(path("package-lock.json"), black_box(text)).unwrap());
        });
        group.bench_function(BenchmarkId::new("graph", members), |bencher| {
            workspace.with(|input| bencher.iter(|| InstallGraph::new(black_box(input)).unwrap()));
        });
        group.bench_function(BenchmarkId::new("closures of all members", members), |bencher| {
            workspace.with(|input| {
                let graph = InstallGraph::new(input).unwrap();
                bencher.iter(|| {
                    let sizes = input
                        .members
                        .keys()
                        .map(|member| graph.closure(&Selection::production(vec![member.clone()])).unwrap().len());
                    sizes.sum::<usize>()
                });
            });
        });
    }
    group.finish();
}

criterion_group!(benches, corpus, sizes);
criterion_main!(benches);
