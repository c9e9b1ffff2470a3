//! What holds for every workspace.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::print_stderr,
    reason = "a test stops at what it does not expect; snapshots are long"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use drydock_plan::{BuildPlan, InstallStrategy, Settings, StageKind, WorkspacePath};
use proptest::prelude::*;
use serde_json::json;
use support::monorepo::{Member, Monorepo};
use support::planned;

/// What one generated member is: whether it is built, run, and what it needs among those before it.
#[derive(Debug, Clone)]
struct Shape {
    built: bool,
    service: bool,
    edges: Vec<(usize, u8)>,
    registry: Vec<u8>,
}

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let shape = (
        any::<bool>(),
        prop::bool::weighted(0.4),
        prop::collection::vec((0..12_usize, 0..4_u8), 0..4),
        prop::collection::vec(0..20_u8, 0..6),
    )
        .prop_map(|(built, service, edges, registry)| Shape { built, service, edges, registry });
    prop::collection::vec(shape, 1..12)
}

fn strategy() -> impl Strategy<Value = InstallStrategy> {
    prop::sample::select(vec![
        InstallStrategy::Auto,
        InstallStrategy::Shared,
        InstallStrategy::Target,
        InstallStrategy::Package,
    ])
}

/// Members `p0`, `p1`, …; each needs only those before it. The last one is a service.
fn monorepo(shapes: &[Shape]) -> Monorepo {
    let mut monorepo = Monorepo::new([]);
    let mut members = Vec::new();
    for (index, shape) in shapes.iter().enumerate() {
        let mut member = Member::new(&format!("packages/p{index}"), &format!("@x/p{index}"));
        for (to, kind) in &shape.edges {
            if *to < index {
                let map =
                    ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"][usize::from(*kind)];
                member = member.with(map, &format!("@x/p{to}"), "*");
            }
        }
        for name in &shape.registry {
            member = member.with("dependencies", &format!("r{name}"), "1.0.0");
        }
        if shape.built {
            member = member.script("build", "tsc").field("main", json!("dist/index.js"));
        }
        if shape.service || index + 1 == shapes.len() {
            member = member.script("start", if shape.built { "node dist/index.js" } else { "node index.js" });
        }
        monorepo = monorepo.file(&format!("packages/p{index}/src/index.ts"), "export {}");
        monorepo = monorepo.file(&format!("packages/p{index}/index.js"), "");
        members.push(member);
    }
    monorepo.with_members(members)
}

/// Every stage as text, by name.
fn by_name(plan: &BuildPlan) -> BTreeMap<String, String> {
    plan.stages.iter().map(|stage| (stage.id.to_string(), format!("{stage:?}"))).collect()
}

fn check_plan(plan: &BuildPlan) {
    let mut before: BTreeSet<&str> = BTreeSet::new();
    for stage in &plan.stages {
        for needed in stage.needs() {
            assert!(before.contains(needed.as_str()), "`{}` needs `{needed}`, which is not before it", stage.id);
        }
        assert!(before.insert(stage.id.as_str()), "two stages are named `{}`", stage.id);
    }
    let files: Vec<&str> = plan.context.iter().map(|file| file.path.as_str()).collect();
    assert!(
        files.is_sorted() && files.windows(2).all(|pair| pair[0] != pair[1]),
        "the context is sorted, each file once"
    );
    let in_context = |path: &str| {
        files.iter().any(|file| *file == path || file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    };
    for stage in &plan.stages {
        let mut read: Vec<&str> = Vec::new();
        match &stage.kind {
            StageKind::Build(build) => {
                read.extend(build.root_files.iter().chain(&build.sources).map(WorkspacePath::as_str));
            }
            StageKind::Install(install) => read.push(install.input.as_str()),
            StageKind::Runtime(runtime) => {
                let of_context = runtime.copies.iter().filter(|copy| copy.source == drydock_plan::CopySource::Context);
                read.extend(of_context.flat_map(|copy| &copy.paths).map(WorkspacePath::as_str));
            }
            _ => {}
        }
        for path in read {
            assert!(in_context(path), "`{}` copies `{path}`, which the context does not have", stage.id);
        }
    }
}

/// Whether a package reaches another without development edges, peers of development included.
fn runs_with(shapes: &[Shape], from: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::from([from]);
    let mut pending = vec![from];
    while let Some(index) = pending.pop() {
        for (to, kind) in &shapes[index].edges {
            if *to < index && *kind != 1 && reached.insert(*to) {
                pending.push(*to);
            }
        }
    }
    reached
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn stages_are_in_order_and_copy_what_is_there(shapes in shapes(), install in strategy()) {
        let settings = Settings { install, ..Settings::default() };
        let plan = planned(&monorepo(&shapes).load(), &settings, &[]).unwrap();
        check_plan(&plan);
    }

    #[test]
    fn the_order_of_members_changes_nothing(shapes in shapes(), install in strategy(), by in 0..12_usize) {
        let settings = Settings { install, ..Settings::default() };
        let monorepo = monorepo(&shapes);
        let one = planned(&monorepo.load(), &settings, &[]).unwrap();
        let other = planned(&monorepo.rotated(by).load(), &settings, &[]).unwrap();
        // The root manifest lists its members, and an image may hold that manifest: it is of the tree, not of the plan.
        prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }

    #[test]
    fn fewer_targets_have_some_of_the_same_stages(shapes in shapes(), install in strategy(), pick in 0..12_usize) {
        let settings = Settings { install, ..Settings::default() };
        let workspace = monorepo(&shapes).load();
        let all = planned(&workspace, &settings, &[]).unwrap();
        let target = all.targets[pick % all.targets.len()].name.to_string();
        let some = planned(&workspace, &settings, &[&target]).unwrap();
        let all_stages = by_name(&all);
        for (id, stage) in by_name(&some) {
            prop_assert_eq!(Some(&stage), all_stages.get(&id), "{}", id);
        }
        let context: BTreeSet<String> = all.context.iter().map(|file| format!("{file:?}")).collect();
        for file in &some.context {
            prop_assert!(context.contains(&format!("{file:?}")), "{}", file.path);
        }
        check_plan(&some);
    }

    #[test]
    fn images_hold_what_runs_and_nothing_else(shapes in shapes()) {
        let plan = planned(&monorepo(&shapes).load(), &Settings::default(), &[]).unwrap();
        for target in &plan.targets {
            let index: usize = target.package.as_str().strip_prefix("@x/p").unwrap().parse().unwrap();
            let expected: BTreeSet<String> = runs_with(&shapes, index).iter().map(|index| format!("@x/p{index}")).collect();
            let held: BTreeSet<String> = target.packages.iter().map(ToString::to_string).collect();
            prop_assert_eq!(held, expected, "{}", target.name);
        }
    }
}

/// The folder of real repositories: `DRYDOCK_CORPUS`, else `shared/corpus` beside the checkout. `None`, after saying
/// so, when it is not there; that is a failure where it was asked for or in CI.
fn corpus() -> Option<PathBuf> {
    let asked = std::env::var_os("DRYDOCK_CORPUS").map(PathBuf::from);
    let required = asked.is_some() || std::env::var("CI").is_ok_and(|ci| ci == "true");
    let folder = asked.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"));
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(!required, "the corpus is not at {}: set DRYDOCK_CORPUS to its folder", folder.display());
    eprintln!("THE CORPUS IS NOT THERE, LIBRECHAT WAS NOT PLANNED: set DRYDOCK_CORPUS to its folder");
    None
}

#[test]
fn librechat_is_planned_in_order() {
    let Some(corpus) = corpus() else { return };
    let workspace = support::disk(&corpus.join("librechat"));
    let plan = planned(&workspace, &Settings::default(), &[]).unwrap();
    check_plan(&plan);
    insta::assert_snapshot!(support::stages(&plan), @r#"
    base: base from node:24.16.0-bookworm-slim

    runtime-base: base from base
      system tini

    install: Build install from base
      for @librechat/api, @librechat/data-schemas, librechat-data-provider
      input .drydock/install/install

    build-librechat-data-provider: build librechat-data-provider from install
      sources packages/data-provider
      run npm run build
      writes packages/data-provider/dist

    build-data-schemas: build @librechat/data-schemas from install
      reads packages/data-provider/package.json
      takes packages/data-provider/dist of build-librechat-data-provider
      sources packages/data-schemas
      run npm run build
      writes packages/data-schemas/dist

    build-api: build @librechat/api from install
      reads packages/data-provider/package.json packages/data-schemas/package.json
      takes packages/data-provider/dist of build-librechat-data-provider
      takes packages/data-schemas/dist of build-data-schemas
      sources packages/api
      run npm run build
      writes packages/api/dist

    runtime-deps-backend: Production install from runtime-base
      for @librechat/api, @librechat/backend, @librechat/data-schemas, librechat-data-provider
      input .drydock/install/runtime-deps-backend

    backend: service from runtime-deps-backend
      copy package.json packages/api/package.json packages/data-provider/package.json packages/data-schemas/package.json
      copy packages/data-provider/dist of build-librechat-data-provider
      copy packages/data-schemas/dist of build-data-schemas
      copy packages/api/dist of build-api
      copy api
      env NODE_ENV=production
      port 3000
      entrypoint tini --
      command in .: ["node", "api/server/index.js"]
    "#);
    insta::assert_snapshot!(support::decisions(&plan), @"
    node = node:24.16.0-bookworm-slim (.nvmrc says `24.16.0`)
    install = shared (all that is built serves backend)
    target backend = service (package.json has the script `backend`: `cross-env NODE_ENV=production node api/server/index.js`)
    target backend: command = node api/server/index.js (package.json has the script `backend`: `cross-env NODE_ENV=production node api/server/index.js`)
    target backend: port = 3000 (nothing names its port, and express is most often given this one)
    target backend: init = tini (signals reach what it runs, with or without a handler, and a container stops at once)
    ");
}
