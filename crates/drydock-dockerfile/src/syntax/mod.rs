//! A Dockerfile as values. What can be built of these types is written so that BuildKit reads back exactly it, whatever
//! characters paths and values hold; what a Dockerfile cannot say (a line break in an ENV) has no value here.
//!
//! The dialect is the one that every daemon since Docker 20.10 reads without a `# syntax` line: no heredocs, no
//! `COPY --link`, `--parents` or `--exclude`.

mod quote;
mod render;
mod script;
mod text;

pub use script::{Command, Script, ShellValue};
pub use text::{Image, Key, Line, MountId, StageName, TextError, Variable};

/// A Dockerfile without what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Syntax {
    /// Remarks at the head, a line each.
    pub header: Vec<String>,
    /// Arguments that FROM may refer to.
    pub arguments: Vec<Argument>,
    /// The stages, each after those it refers to.
    pub stages: Vec<Stage>,
}

/// One `FROM … AS` and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: StageName,
    /// What it begins with.
    pub base: Base,
    /// A remark above it.
    pub comment: Option<String>,
    /// What it does, in order.
    pub instructions: Vec<Instruction>,
}

/// What a stage begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// Another stage.
    Stage(StageName),
    /// An image.
    Image(Image),
    /// The image that a global argument names.
    Argument(Variable),
    /// Nothing.
    Scratch,
}

/// `ARG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: Variable,
    /// Its value when none is given.
    pub default: Option<Line>,
}

/// An instruction of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instruction {
    /// `ARG`.
    Arg(Argument),
    /// `ENV`, at least one.
    Env(Vec<(Key, EnvValue)>),
    /// `LABEL`, at least one.
    Label(Vec<(Key, Line)>),
    /// `WORKDIR`.
    Workdir(Line),
    /// `COPY`.
    Copy(Copy),
    /// `RUN`.
    Run(Run),
    /// `USER`.
    User(Line),
    /// `EXPOSE`, a TCP port.
    Expose(u16),
    /// `HEALTHCHECK`.
    Healthcheck(Healthcheck),
    /// `ENTRYPOINT`, in exec form.
    Entrypoint(Vec<String>),
    /// `CMD`, in exec form.
    Cmd(Vec<String>),
}

impl Instruction {
    /// The word that it begins with.
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Arg(_) => "ARG",
            Self::Env(_) => "ENV",
            Self::Label(_) => "LABEL",
            Self::Workdir(_) => "WORKDIR",
            Self::Copy(_) => "COPY",
            Self::Run(_) => "RUN",
            Self::User(_) => "USER",
            Self::Expose(_) => "EXPOSE",
            Self::Healthcheck(_) => "HEALTHCHECK",
            Self::Entrypoint(_) => "ENTRYPOINT",
            Self::Cmd(_) => "CMD",
        }
    }
}

/// A value of `ENV`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// This text; nothing in it is expanded.
    Text(Line),
    /// What a variable holds.
    Variable(Variable),
    /// This text, then what a variable holds.
    Before(Line, Variable),
}

/// `COPY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The stage to copy from; the context when there is none.
    pub from: Option<StageName>,
    /// `user:group` that owns what is copied; root when nothing is said.
    pub owner: Option<Line>,
    /// Files and folders, at least one, each by its literal path; of a folder, its content is copied.
    pub sources: Vec<String>,
    /// Where to: a folder, with `/` at the end, or the new name of the only source.
    pub destination: String,
}

/// `RUN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What is mounted while it runs.
    pub mounts: Vec<Mount>,
    /// What it runs.
    pub script: Script,
}

/// What a `RUN` sees beside its file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// A folder that outlives builds.
    Cache {
        /// Which one.
        id: MountId,
        /// Where it is seen.
        target: &'static str,
        /// Who may use it at the same time.
        sharing: Sharing,
    },
    /// A secret as a file; absent when none of this id is given.
    Secret {
        /// Which one.
        id: MountId,
        /// Where it is seen; `/run/secrets/<id>` when nothing is said.
        target: Option<&'static str>,
    },
    /// The ssh agent that is forwarded; absent when none is.
    Ssh,
}

/// Who may use a cache at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Everybody: for caches that are safe under concurrent writers.
    Shared,
    /// One at a time.
    Locked,
}

/// `HEALTHCHECK`, in exec form. Times are in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healthcheck {
    /// How often it runs.
    pub interval: u32,
    /// When it is given up.
    pub timeout: u32,
    /// How long failures do not count after the start.
    pub start_period: u32,
    /// How many failures in a row make the container unhealthy.
    pub retries: u32,
    /// What runs.
    pub command: Vec<String>,
}
