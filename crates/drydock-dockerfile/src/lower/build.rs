//! Stages that build a package.

use drydock_plan::{BuildStage, CheckStage, WorkspacePath};

use super::{Lowering, PASSED, arguments, key, line, run};
use crate::syntax::{Command, EnvValue, Instruction, Line, Mount, MountId, Run, Script, ShellValue};

impl Lowering<'_> {
    /// What changes least comes first: root files, what other packages built, the package's own sources.
    pub(super) fn build(&self, build: &BuildStage) -> Vec<Instruction> {
        let mut instructions = self.copy_from_context(&build.root_files);
        for input in &build.inputs {
            instructions.extend(self.copy_from_stage(&input.stage, &input.paths));
        }
        instructions.extend(self.copy_from_context(&build.sources));
        instructions.extend(executables(&build.executables));
        let environment = Environment::new(build);
        instructions.extend(environment.instruction());
        instructions.extend(arguments(&build.args));

        let mut directory = WorkspacePath::root();
        for (folder, words) in &build.before {
            self.change_directory(&mut directory, folder, &mut instructions);
            instructions.push(run(environment.command(words)));
        }
        self.change_directory(&mut directory, &build.directory, &mut instructions);
        instructions.push(Instruction::Run(self.build_command(build, &environment)));
        instructions
    }

    /// A check is run as a build is; what is taken from it then is an empty folder.
    pub(super) fn check(&self, check: &CheckStage) -> Vec<Instruction> {
        let mut instructions = self.build(&check.work);
        instructions.push(Instruction::Workdir(line(PASSED)));
        instructions
    }

    /// What is trimmed is removed in the same layer that made it.
    fn build_command(&self, build: &BuildStage, environment: &Environment<'_>) -> Run {
        let mut commands = vec![environment.command(&build.command)];
        if !build.trim.is_empty() {
            let words = ["rm".to_owned(), "-rf".to_owned()].into_iter();
            commands.push(Command::new(words.chain(build.trim.iter().map(|path| self.in_image(path)))));
        }
        let mounts = build.secrets.iter().map(|id| Mount::Secret {
            id: MountId::new(id).expect("validate() refuses ids that are none"),
            target: None,
        });
        Run { mounts: mounts.collect(), script: Script { commands } }
    }
}

/// Sets the executable bits of files, relative to the root of the workspace.
fn executables(files: &[WorkspacePath]) -> Option<Instruction> {
    let mut words = vec!["chmod".to_owned(), "+x".to_owned()];
    if files.iter().any(|path| path.as_str().starts_with('-')) {
        words.push("--".to_owned());
    }
    words.extend(files.iter().map(|path| path.as_str().to_owned()));
    (!files.is_empty()).then(|| run(Command::new(words)))
}

/// The environment of a build: said once by ENV, but for values with line breaks, which only a command can be given.
struct Environment<'p> {
    lines: Vec<(&'p str, Line)>,
    blocks: Vec<(String, ShellValue)>,
}

impl<'p> Environment<'p> {
    fn new(build: &'p BuildStage) -> Self {
        let mut environment = Self { lines: Vec::new(), blocks: Vec::new() };
        for (name, value) in &build.env {
            match (Line::new(value), Line::new(name)) {
                (Ok(value), Ok(_)) => environment.lines.push((name, value)),
                _ => environment.blocks.push((name.clone(), ShellValue::Text(value.clone()))),
            }
        }
        environment
    }

    fn instruction(&self) -> Option<Instruction> {
        let pairs: Vec<_> = self.lines.iter().map(|(name, value)| (key(name), EnvValue::Text(value.clone()))).collect();
        (!pairs.is_empty()).then_some(Instruction::Env(pairs))
    }

    fn command(&self, words: &[String]) -> Command {
        Command { environment: self.blocks.clone(), words: words.to_vec() }
    }
}
