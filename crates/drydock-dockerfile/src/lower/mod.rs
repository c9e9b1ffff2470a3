//! A plan as a Dockerfile.

mod build;
mod dev;
mod install;
mod runtime;
mod system;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use drydock_plan::{
    BaseStage, BuildPlan, CheckStage, ContextContent, ImageRef, PackageManager, PackageName, Stage, StageId, StageKind,
    TargetName, WorkspacePath,
};
use indexmap::IndexMap;
use rayon::prelude::*;

use crate::generated::relocate;
use crate::syntax::{
    self, Argument, Base, Command, Copy, EnvValue, Image, Instruction, Key, Line, Run, ShellValue, StageName, Syntax,
    Variable,
};

/// An empty folder in the stages of checks.
const PASSED: &str = "/drydock/passed";

/// A Dockerfile, and which lines of it are whose.
#[derive(Debug, Clone)]
pub struct Dockerfile {
    syntax: Syntax,
    stages: Vec<StageText>,
}

/// One stage of a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageText {
    /// Its name.
    pub id: StageId,
    /// The packages it installs for or builds; the one whose image it is, for a target.
    pub packages: BTreeSet<PackageName>,
    /// The target it is the image of.
    pub target: Option<TargetName>,
    /// Its lines, the remark above it included, counted from 1.
    pub lines: RangeInclusive<usize>,
    /// Its text, the remark above it left out.
    pub text: String,
}

/// Writes a plan as a Dockerfile. Generated files of the context (masked manifests, pruned lockfiles) are expected in
/// the folder `generated` of the context: [`generated_directory`](crate::generated_directory()) unless they are
/// written elsewhere.
///
/// # Panics
/// If the plan holds what [`validate`](crate::validate()) refuses.
pub fn lower(plan: &BuildPlan, generated: &WorkspacePath) -> Dockerfile {
    let lowering = Lowering::new(plan, generated);
    let syntax = Syntax {
        header: lowering.header(),
        arguments: lowering
            .image_arguments
            .iter()
            .map(|(image, name)| Argument { name: name.clone(), default: Some(line(image.as_str())) })
            .collect(),
        stages: plan.stages.par_iter().map(|stage| lowering.stage(stage)).collect(),
    };
    let targets: BTreeMap<&TargetName, &PackageName> =
        plan.targets.iter().map(|target| (&target.name, &target.package)).collect();
    let texts: Vec<String> = syntax.stages.par_iter().map(syntax::Stage::body).collect();
    let mut next = syntax.head().lines().count() + 1;
    let mut stages = Vec::with_capacity(texts.len());
    for ((planned, stage), text) in plan.stages.iter().zip(&syntax.stages).zip(texts) {
        // A blank line stands before each stage.
        let first = next + 1;
        next = first + stage.remark().lines().count() + text.lines().count();
        let (packages, target) = subject(&targets, planned);
        stages.push(StageText { id: planned.id.clone(), packages, target, lines: first..=next - 1, text });
    }
    Dockerfile { syntax, stages }
}

impl Dockerfile {
    /// The instructions that an image of the stage `id` is made by, in order, those of the stages that it begins with
    /// first: which stage's each is, and its keyword.
    pub fn lineage(&self, id: &StageId) -> Vec<(&StageId, &'static str)> {
        let mut lineage = Vec::new();
        let mut next = self.stages.iter().position(|stage| stage.id == *id);
        while let Some(place) = next {
            let stage = &self.syntax.stages[place];
            let own =
                stage.instructions.iter().rev().map(|instruction| (&self.stages[place].id, instruction.keyword()));
            lineage.extend(own);
            next = match &stage.base {
                Base::Stage(name) => self.syntax.stages.iter().position(|other| other.name == *name),
                Base::Image(_) | Base::Argument(_) | Base::Scratch => None,
            };
        }
        lineage.reverse();
        lineage
    }

    /// The stage that the line, counted from 1, belongs to. `None` for the head and the blank lines between stages.
    pub fn stage_at(&self, line: usize) -> Option<&StageText> {
        self.stages.iter().find(|stage| stage.lines.contains(&line))
    }

    /// The stages, in order.
    pub fn stages(&self) -> &[StageText] {
        &self.stages
    }

    /// The file as values.
    pub fn syntax(&self) -> &Syntax {
        &self.syntax
    }
}

impl fmt::Display for Dockerfile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.syntax.head())?;
        for (stage, rendered) in self.syntax.stages.iter().zip(&self.stages) {
            write!(formatter, "\n{}{}", stage.remark(), rendered.text)?;
        }
        Ok(())
    }
}

/// Whose work a stage is.
fn subject(
    targets: &BTreeMap<&TargetName, &PackageName>,
    stage: &Stage,
) -> (BTreeSet<PackageName>, Option<TargetName>) {
    let of_target = |name: &TargetName| {
        let package = targets.get(name).map(|&package| package.clone());
        (package.into_iter().collect(), Some(name.clone()))
    };
    match &stage.kind {
        StageKind::Image(_) | StageKind::Base(_) | StageKind::Gate(_) => (BTreeSet::new(), None),
        StageKind::Install(install) => (install.packages.clone(), None),
        StageKind::Build(build) | StageKind::Check(CheckStage { work: build, .. }) => {
            (BTreeSet::from([build.package.clone()]), None)
        }
        StageKind::Runtime(runtime) => of_target(&runtime.target),
        StageKind::Static(site) => of_target(&site.target),
        StageKind::Dev(dev) => of_target(&dev.target),
    }
}

/// What lowering a stage needs to know of the plan around it.
struct Lowering<'p> {
    plan: &'p BuildPlan,
    generated: &'p WorkspacePath,
    stages: BTreeMap<&'p StageId, &'p Stage>,
    /// The paths of the context that are files and neither folders nor symbolic links.
    files: BTreeSet<&'p WorkspacePath>,
    /// Images that several stages begin with, and the argument that names each.
    image_arguments: IndexMap<&'p ImageRef, Variable>,
    /// The install that a reader meets first.
    first_install: Option<&'p StageId>,
}

impl<'p> Lowering<'p> {
    fn new(plan: &'p BuildPlan, generated: &'p WorkspacePath) -> Self {
        let files = plan
            .context
            .iter()
            .filter(|file| !matches!(file.content, ContextContent::Symlink(_)))
            .map(|file| &file.path)
            .collect();
        let first_install =
            plan.stages.iter().find(|stage| matches!(stage.kind, StageKind::Install(_))).map(|stage| &stage.id);
        let stages = plan.stages.iter().map(|stage| (&stage.id, stage)).collect();
        Self { plan, generated, stages, files, image_arguments: image_arguments(plan), first_install }
    }

    fn header(&self) -> Vec<String> {
        let mut lines = vec![
            "Written by `cargo drydock dockerfile`, and overwritten by it: change drydock.toml instead.".to_owned(),
        ];
        if self.first_install.is_some() {
            lines.push(format!("The files under {}/ are written with it.", self.generated));
        }
        lines
    }

    fn stage(&self, stage: &'p Stage) -> syntax::Stage {
        let (base, instructions) = match &stage.kind {
            StageKind::Image(image) => (self.image_base(image), Vec::new()),
            StageKind::Base(base) => self.base(stage, base),
            StageKind::Install(install) => (self.stage_base(&install.from), self.install(install)),
            StageKind::Build(build) => (self.stage_base(&build.from), self.build(build)),
            StageKind::Check(check) => (self.stage_base(&check.work.from), self.check(check)),
            StageKind::Gate(gate) => (Base::Scratch, gate.checks.iter().map(passed).collect()),
            StageKind::Runtime(runtime) => (self.stage_base(&runtime.from), self.runtime(runtime)),
            StageKind::Static(site) => (self.image_base(&site.image), self.site(site)),
            StageKind::Dev(dev) => (self.stage_base(&dev.from), self.dev(dev)),
        };
        let comment = stage.comment.clone().or_else(|| self.remark(stage));
        syntax::Stage { name: stage_name(&stage.id), base, comment, instructions }
    }

    /// What a reader would wonder about where the plan says nothing.
    fn remark(&self, stage: &Stage) -> Option<String> {
        if self.first_install == Some(&stage.id) {
            return Some(
                "Installs see manifests and lockfiles cut down to what they install, so that only a change of that\n\
                 installs anew; the real manifests come with the sources."
                    .to_owned(),
            );
        }
        let StageKind::Base(BaseStage { image: Some(_), .. }) = stage.kind else { return None };
        let fetches = |manager: &PackageManager| matches!(manager, PackageManager::Npm | PackageManager::Pnpm);
        self.managers(&stage.id).iter().any(fetches).then(|| {
            "A registry that cannot be reached fails an install after about a minute, not ten. These settings are\n\
                 arguments, so that installs have them and no image does."
                .to_owned()
        })
    }

    fn base(&self, stage: &Stage, base: &BaseStage) -> (Base, Vec<Instruction>) {
        let mut instructions = Vec::new();
        let from = match (&base.image, &base.from) {
            (Some(image), _) => {
                instructions.push(Instruction::Workdir(line(self.plan.root.as_str())));
                self.image_base(image)
            }
            (None, Some(from)) => self.stage_base(from),
            (None, None) => {
                instructions.push(Instruction::Workdir(line(self.plan.root.as_str())));
                Base::Scratch
            }
        };
        // Packages first: a new variable is no reason to install them again, and may refer to what they bring.
        instructions.extend(self.system_packages(&stage.id, &base.system_packages));
        instructions.extend(base.copies.iter().map(|copy| {
            Instruction::Copy(Copy {
                from: Some(stage_name(&copy.stage)),
                owner: None,
                sources: vec![copy.from.as_str().to_owned()],
                destination: copy.to.as_str().to_owned(),
            })
        }));
        instructions.extend(env(env_pairs(&base.env)));
        if base.image.is_some() {
            let managers = self.managers(&stage.id);
            instructions.extend(arguments(&install::settings(&managers)));
            instructions.extend(self.install_managers(&managers));
        }
        (from, instructions)
    }

    fn stage_base(&self, id: &StageId) -> Base {
        debug_assert!(self.stages.contains_key(id), "stage `{id}` is not in the plan");
        Base::Stage(stage_name(id))
    }

    fn image_base(&self, image: &ImageRef) -> Base {
        match self.image_arguments.get(image) {
            Some(name) => Base::Argument(name.clone()),
            None => Base::Image(self.image(image)),
        }
    }

    /// The image under a name that no stage has: FROM takes the stage where both exist.
    fn image(&self, image: &ImageRef) -> Image {
        let hidden = self.stages.contains_key(&StageId::new(&image.as_str().to_ascii_lowercase()));
        let reference = if hidden { format!("docker.io/library/{image}") } else { image.as_str().to_owned() };
        Image::new(&reference).expect("validate() refuses what is no reference to an image")
    }

    /// The stage `id` and those it begins with, nearest first.
    fn ancestors(&self, id: &StageId) -> impl Iterator<Item = &'p Stage> {
        std::iter::successors(self.stages.get(id).copied(), |stage| {
            let from = match &stage.kind {
                StageKind::Base(base) => base.from.as_ref(),
                StageKind::Install(install) => Some(&install.from),
                StageKind::Build(build) | StageKind::Check(CheckStage { work: build, .. }) => Some(&build.from),
                StageKind::Runtime(runtime) => Some(&runtime.from),
                StageKind::Dev(dev) => Some(&dev.from),
                StageKind::Image(_) | StageKind::Gate(_) | StageKind::Static(_) => None,
            };
            from.and_then(|id| self.stages.get(id).copied())
        })
    }

    /// The base stages among the ancestors of `id`, nearest first.
    fn bases(&self, id: &StageId) -> impl Iterator<Item = &'p BaseStage> {
        self.ancestors(id).filter_map(|stage| match &stage.kind {
            StageKind::Base(base) => Some(base),
            _ => None,
        })
    }

    /// COPY instructions that bring files and folders of the context to their own places below the root of the
    /// workspace: files of one folder together, in the order of `paths`.
    fn copy_from_context(&self, paths: &[WorkspacePath]) -> Vec<Instruction> {
        let mut groups: IndexMap<String, Vec<String>> = IndexMap::new();
        for path in paths {
            let source = relocate(path, self.generated);
            if self.files.contains(path) {
                let folder = path.parent().unwrap_or_default();
                let folder = if folder.is_root() { "./".to_owned() } else { format!("{folder}/") };
                groups.entry(folder).or_default().push(source.display().to_owned());
            } else {
                groups.insert(own_place(path), vec![source.display().to_owned()]);
            }
        }
        groups
            .into_iter()
            .map(|(destination, sources)| Instruction::Copy(Copy { from: None, owner: None, sources, destination }))
            .collect()
    }

    /// COPY instructions that bring paths of another stage to their own places.
    fn copy_from_stage<'a>(
        &'a self,
        stage: &'a StageId,
        paths: &'a [WorkspacePath],
    ) -> impl Iterator<Item = Instruction> + 'a {
        paths.iter().map(|path| {
            Instruction::Copy(Copy {
                from: Some(stage_name(stage)),
                owner: None,
                sources: vec![self.in_image(path)],
                destination: own_place(path),
            })
        })
    }

    /// A COPY instruction that puts the content of another stage's folder into the folder `to`.
    fn content_from_stage(&self, stage: &StageId, folder: &WorkspacePath, to: &WorkspacePath) -> Instruction {
        Instruction::Copy(Copy {
            from: Some(stage_name(stage)),
            owner: None,
            sources: vec![self.in_image(folder)],
            destination: own_place(to),
        })
    }

    /// Goes to a folder of the workspace, unless it is there.
    fn change_directory(&self, from: &mut WorkspacePath, to: &WorkspacePath, instructions: &mut Vec<Instruction>) {
        if from != to {
            instructions.push(Instruction::Workdir(line(&self.in_image(to))));
            *from = to.clone();
        }
    }

    /// The absolute path inside an image.
    fn in_image(&self, path: &WorkspacePath) -> String {
        let root = self.plan.root.as_str().trim_end_matches('/');
        if path.is_root() { self.plan.root.as_str().to_owned() } else { format!("{root}/{}", path.as_str()) }
    }
}

/// The end of what waits for a check, or for a gate: it is there when that has ended well, and it is empty.
fn passed(check: &StageId) -> Instruction {
    copy_nothing(check, &format!("{PASSED}/"))
}

/// Copies the empty folder `from` of a stage, which leaves nothing.
fn copy_nothing(stage: &StageId, from: &str) -> Instruction {
    let sources = vec![from.to_owned()];
    Instruction::Copy(Copy { from: Some(stage_name(stage)), owner: None, sources, destination: "/".to_owned() })
}

/// Where a file or folder is copied so that it keeps its place below the root of the workspace.
fn own_place(path: &WorkspacePath) -> String {
    if path.is_root() { "./".to_owned() } else { path.as_str().to_owned() }
}

/// An argument for each image that several stages begin with.
fn image_arguments(plan: &BuildPlan) -> IndexMap<&ImageRef, Variable> {
    let mut uses: IndexMap<&ImageRef, usize> = IndexMap::new();
    for stage in &plan.stages {
        if let Some(image) = stage.image() {
            *uses.entry(image).or_default() += 1;
        }
    }
    let mut names: BTreeMap<Variable, usize> = BTreeMap::new();
    let mut arguments = IndexMap::new();
    for (image, _) in uses.into_iter().filter(|(_, count)| *count > 1) {
        let name = image_argument(image);
        let count = names.entry(name.clone()).or_default();
        *count += 1;
        let name = if *count == 1 { name } else { variable(&format!("{name}_{count}")) };
        arguments.insert(image, name);
    }
    arguments
}

/// `nginxinc/nginx-unprivileged:1.29` is named by `NGINX_UNPRIVILEGED_IMAGE`.
fn image_argument(image: &ImageRef) -> Variable {
    let name = image.as_str().rsplit('/').next().unwrap_or_default();
    let name = name.split([':', '@']).next().unwrap_or_default();
    let upper: String = name
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' })
        .collect();
    let prefix = if upper.starts_with(|first: char| first.is_ascii_digit()) { "_" } else { "" };
    variable(&format!("{prefix}{upper}_IMAGE"))
}

/// Each variable with its literal value.
fn env_pairs(variables: &IndexMap<String, String>) -> Vec<(Key, EnvValue)> {
    variables.iter().map(|(name, value)| (key(name), EnvValue::Text(line(value)))).collect()
}

fn env(pairs: Vec<(Key, EnvValue)>) -> Option<Instruction> {
    if pairs.is_empty() { None } else { Some(Instruction::Env(pairs)) }
}

fn arguments(arguments: &IndexMap<String, Option<String>>) -> impl Iterator<Item = Instruction> {
    arguments.iter().map(|(name, default)| {
        Instruction::Arg(Argument { name: variable(name), default: default.as_deref().map(line) })
    })
}

/// Keeps a command of an image's lineage from leaving what Node compiled of it: package managers keep that below `/tmp`,
/// more than a megabyte, other bytes each time. In builds it makes the next command faster, and no image has it.
fn without_traces(mut command: Command) -> Command {
    const MANAGERS: [&str; 4] = ["npm", "pnpm", "yarn", "npx"];
    if command.words.first().is_some_and(|program| MANAGERS.contains(&program.as_str())) {
        let off = ("NODE_DISABLE_COMPILE_CACHE".to_owned(), ShellValue::Text("1".to_owned()));
        command.environment.insert(0, off);
    }
    command
}

fn run(command: Command) -> Instruction {
    Instruction::Run(Run { mounts: Vec::new(), script: command.into() })
}

fn line(text: &str) -> Line {
    Line::new(text).expect("validate() refuses line breaks where there is no escape for them")
}

fn key(text: &str) -> Key {
    Key::new(text).expect("validate() refuses names that are none")
}

fn variable(text: &str) -> Variable {
    Variable::new(text).expect("validate() refuses names that are none")
}

fn stage_name(id: &StageId) -> StageName {
    StageName::new(id.as_str()).expect("a plan names its stages in BuildKit's alphabet")
}
