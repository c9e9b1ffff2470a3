//! Stages in which targets are developed.

use drydock_plan::{CopySource, DevStage, WorkspacePath};

use super::{Lowering, line, run};
use crate::syntax::{Command, Instruction};

impl Lowering<'_> {
    /// Its user owns the files, and the folders that tools write to: beside what they come from, and below
    /// `node_modules`.
    pub(super) fn dev(&self, dev: &DevStage) -> Vec<Instruction> {
        let mut instructions = Vec::new();
        instructions.extend(self.system_packages(&dev.from, &dev.system_packages));
        instructions.extend(super::runtime::environment(&dev.env, &dev.path));
        instructions.extend(self.folders_of(&dev.user, &dev.owned));
        let owner = line(&format!("{0}:{0}", dev.user));
        for copy in &dev.copies {
            let copies: Vec<Instruction> = match &copy.source {
                CopySource::Context => self.copy_from_context(&copy.paths),
                CopySource::Stage(stage) => self.copy_from_stage(stage, &copy.paths).collect(),
            };
            instructions.extend(copies.into_iter().map(|instruction| match instruction {
                Instruction::Copy(mut copy) => {
                    copy.owner = Some(owner.clone());
                    Instruction::Copy(copy)
                }
                other => other,
            }));
        }
        let mut directory = WorkspacePath::root();
        for (folder, words) in &dev.setup {
            self.change_directory(&mut directory, folder, &mut instructions);
            instructions.push(run(Command::new(words.iter().cloned())));
        }
        self.change_directory(&mut directory, &dev.workdir, &mut instructions);
        instructions.push(Instruction::User(line(&dev.user)));
        let check = dev.healthcheck.as_ref();
        instructions.extend(super::runtime::started(dev.port, check, &dev.entrypoint, &dev.command));
        instructions
    }
}
