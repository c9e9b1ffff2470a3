//! Stages that are images of servers whose builds pack what they need of their dependencies.

use drydock_lockfile::WorkspacePath;
use drydock_workspace::inspect::Packed;
use indexmap::IndexMap;

use crate::copies::Copies;
use crate::error::PlanError;
use crate::model::{CopySource, RuntimeCopy, Stage, StageId, TargetName};
use crate::node::Images;
use crate::plan::Planner;
use crate::targets::FoundTarget;

impl Planner<'_> {
    /// The image of such a server: it begins with the base, and nothing is installed. Beside the base: the one with a
    /// shell and, where the base has none, the stage in which files are prepared.
    pub(crate) fn packed(
        &mut self,
        name: &TargetName,
        target: &FoundTarget,
        packed: &Packed,
        (base, with_shell, prepared): (&StageId, &StageId, Option<&StageId>),
        images: &Images,
    ) -> Result<Vec<Stage>, PlanError> {
        let own = self.members.find(target.package.as_str()).expect("targets are members");
        let configured = self.settings.targets.get(name).cloned().unwrap_or_default();
        let mut copies = Copies::default();
        for asset in &target.assets {
            let asset = self.members.find(asset.as_str()).expect("assets were looked up with their target");
            self.asset(asset, &mut copies);
        }
        for path in &configured.files {
            self.configured_file(name, path, &mut copies)?;
        }
        let build = self.build_ids.get(&own).expect("only a build packs");
        let placed = packed.files.iter().map(|placed| {
            let moved: Option<WorkspacePath> = (placed.from != placed.to).then(|| placed.to.clone());
            let source = CopySource::Stage(build.clone());
            RuntimeCopy { source, paths: vec![placed.from.clone()], to: moved, owned: false }
        });
        let copies = placed.chain(copies.finish()).collect();
        let env = self.environment(name, target, images, IndexMap::new());
        let stage = self.runtime_stage(name, target, images, base.clone(), copies, env);
        self.finished(stage, with_shell, prepared, images)
    }
}
