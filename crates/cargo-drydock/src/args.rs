//! What the user typed. Nothing here is resolved: see [`crate::config`] for what it comes to.

use camino::Utf8PathBuf;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::OciLabel;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Exit codes:
  0    success
  1    a build failed, `dockerfile --check` or `compose --check` found stale files,
       `affected --exit-code` found targets, `pin --check` found a base image that is not pinned or
       not the newest, `doctor` found an error,
       or `size` found too much
  2    the command line or the configuration is wrong
  3    the workspace, a manifest or the lockfile is invalid
  4    Docker is unreachable, too old, or refuses
  101  a bug in drydock
  130  interrupted";

/// The arguments as Cargo passes them: `cargo-drydock drydock …`.
#[derive(Debug, Parser)]
#[command(name = "cargo", bin_name = "cargo", styles = STYLES, disable_help_subcommand = true)]
pub(crate) enum Cargo {
    /// Container builds for JavaScript monorepos
    Drydock(Cli),
}

/// Container builds for JavaScript monorepos: one Dockerfile from the package graph, built in parallel through BuildKit
#[derive(Debug, Parser)]
#[command(name = "drydock", bin_name = "drydock", version, styles = STYLES, after_help = AFTER_HELP)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// The workspace root, or any folder inside [default: search upwards from the current folder]
    #[arg(long, value_name = "DIR", global = true, value_hint = clap::ValueHint::DirPath)]
    pub(crate) root: Option<Utf8PathBuf>,
    /// The configuration file [default: drydock.toml at the root, or Cargo.toml's workspace.metadata.drydock]
    #[arg(long, value_name = "FILE", global = true, value_hint = clap::ValueHint::FilePath)]
    pub(crate) config: Option<Utf8PathBuf>,
    /// Say more: what was inferred, and why
    #[arg(short, long, action = clap::ArgAction::Count, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Whether to colour the output [default: `CARGO_TERM_COLOR`, or auto; `NO_COLOR` is respected]
    #[arg(long, value_name = "WHEN", value_enum, global = true)]
    pub(crate) color: Option<ColorWhen>,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// When the output is a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// `--format human|json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Human,
    /// For programs: versioned, documented, stable
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build the images of all or the named targets, in parallel
    #[command(visible_alias = "b")]
    Build(Box<BuildArgs>),
    /// Run the tests, linters and type checks of all or the named packages in the daemon
    Check(Box<CheckArgs>),
    /// Print the packages and the edges between them
    Graph(GraphArgs),
    /// List the images that can be built, and what led to each
    Targets(FormatArgs),
    /// Print the stages and targets of a build without building
    Plan(PlanArgs),
    /// List the targets whose images are not what they were at a commit, and why
    Affected(AffectedArgs),
    /// Tell how a change reaches the image of a target: package, stage, instruction
    Why(WhyArgs),
    /// Tell what the last commits would have rebuilt, and which files cause most of it
    Replay(ReplayArgs),
    /// Print the combined Dockerfile, write it with what it needs, or check what is on disk
    Dockerfile(DockerfileArgs),
    /// Print the file with which `docker buildx bake` builds the same images
    Bake(BakeArgs),
    /// Write a Compose file with a service for each target, and what it builds them from
    Compose(ComposeArgs),
    /// List the files that the image of a target is made from
    Files(FilesArgs),
    /// Write a workspace of its own for one target or package: its closure's sources, manifests and lockfile
    Prune(PruneArgs),
    /// Write a commented drydock.toml of what was inferred
    Init(InitArgs),
    /// Write the digests of base images into drydock.lock, by which all that is planned goes from then on
    Pin(PinArgs),
    /// Tell what the image of a target is made of: layers, packages by bytes, and what should not be there
    Size(SizeArgs),
    /// Look for what would make builds fail or images worse: the daemon, base images, lockfile, imports, secrets
    Doctor(DoctorArgs),
    /// Print a script that completes commands in a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
}

#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct FormatArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t, hide_possible_values = true, value_name = "human|json")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Targets, by their name or their package's, or filters: `api...`, `...^lib`, `./services/*`, `[main]`, `!name`
    /// [default: all]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    #[command(flatten)]
    pub(crate) changed: ChangedArgs,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: PlanFormat,
    /// Put the targets into at most this many jobs of about equal work [default: a job for each target]
    #[arg(long, value_name = "N", value_parser = parse_jobs)]
    pub(crate) groups: Option<usize>,
    /// What stages took before, as `build --metadata-file` wrote it. Can be given several times
    #[arg(long = "times", value_name = "FILE", value_hint = clap::ValueHint::FilePath, requires = "groups")]
    pub(crate) times: Vec<Utf8PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For people
    #[default]
    Human,
    /// For programs: versioned, documented, stable
    Json,
    /// The value of `strategy.matrix` of a GitHub workflow, in one line
    GithubMatrix,
    /// A child pipeline for GitLab
    Gitlab,
}

#[derive(Debug, Args)]
pub(crate) struct AffectedArgs {
    /// Targets, or filters: `api...`, `...^lib`, `./services/*`, `[main]`, `!name` [default: all]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// The commit to compare with: where its history and that of HEAD fork [default: the branch a pull request is for, or
    /// origin's]
    #[arg(long, value_name = "REF", env = "DRYDOCK_SINCE")]
    pub(crate) since: Option<String>,
    /// Exit with 0 when no target is affected, 1 when some are, 2 when that cannot be told
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Filters may choose nothing
    #[arg(long)]
    pub(crate) allow_empty: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The target, by its name or its package's
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// The commit to compare with: where its history and that of HEAD fork
    #[arg(long, value_name = "REF", env = "DRYDOCK_SINCE", default_value = "HEAD")]
    pub(crate) since: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// How many commits
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) last: usize,
    /// The newest commit
    #[arg(long, value_name = "REF", default_value = "HEAD")]
    pub(crate) until: String,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReplayFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ReplayFormat {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
    /// A page with a chart, in one file
    Html,
}

#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    /// Packages or filters: `api...`, `...^lib`, `./services/*`, `[main]`, `!name` [default: all]
    #[arg(value_name = "PACKAGE")]
    pub(crate) packages: Vec<String>,
    /// Filters may choose nothing
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: GraphFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum GraphFormat {
    /// An indented tree
    #[default]
    Tree,
    /// For Graphviz
    Dot,
    /// For Markdown
    Mermaid,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct DockerfileArgs {
    /// Targets, by their name or their package's [default: all]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Write the Dockerfile and what it copies from into this folder [conventionally: .drydock]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) out_dir: Option<Utf8PathBuf>,
    /// Exit with 1 and print the difference when what is in the folder is stale
    #[arg(long)]
    pub(crate) check: bool,
    /// Let the image's npm judge each install in a step of its own (`npm ci --dry-run`) before it installs
    #[arg(long)]
    pub(crate) verify_install: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BakeArgs {
    /// Targets, by their name or their package's [default: all]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// The tag of each image [default: `{target}`]. Can be given several times; the fields of `build --tag` are filled in
    #[arg(short, long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct ComposeArgs {
    /// Targets, by their name or their package's [default: all]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// The images to develop in, with what `docker compose watch` does about edits
    #[arg(long)]
    pub(crate) dev: bool,
    /// Mount the sources into the images to develop in, over all but what is installed, instead of copying edits
    #[arg(long, requires = "dev")]
    pub(crate) mount: bool,
    /// The file to write, inside the workspace, or `-` to print it [default: compose.yaml; compose.dev.yaml with --dev]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) out: Option<Utf8PathBuf>,
    /// Exit with 1 and print the difference when what is on disk is stale
    #[arg(long)]
    pub(crate) check: bool,
    /// Refer to images by their tags alone, for where there are no sources
    #[arg(long, conflicts_with = "dev")]
    pub(crate) no_build: bool,
    /// The tag of each image [default: `{target}`]. Can be given several times; the fields of `build --tag` are filled in
    #[arg(short, long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct FilesArgs {
    /// The target, by its name or its package's
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// The target, which comes with what its image serves of others, or the package
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// The folder to write, which must be new or empty
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) out: Utf8PathBuf,
    /// Leave out what only development and builds need; drydock.toml and drydock.lock are then left out too
    #[arg(long)]
    pub(crate) production: bool,
    /// Keep version ranges and lockfile entries as they stand
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct InitArgs {
    /// Print it instead of writing it
    #[arg(long)]
    pub(crate) print: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PinArgs {
    /// Targets whose base images to pin, by their name or their package's, or filters [default: all]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Bring those that are pinned up to date, too: all of the targets, or these, with their tags or without
    #[arg(long, value_name = "IMAGE", num_args = 0..)]
    pub(crate) update: Option<Vec<String>>,
    /// Write nothing; exit with 1 when a base image is not pinned, its registry has a newer one, or nothing names it
    #[arg(long, conflicts_with = "update")]
    pub(crate) check: bool,
    /// Whom to ask: the address of a Docker daemon or a `buildkitd` [default: as `docker` finds it]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) builder: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SizeArgs {
    /// The target, by its name or its package's
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// The image to look into [default: what `build` calls the target's]
    #[arg(long, value_name = "REFERENCE")]
    pub(crate) image: Option<String>,
    /// How many of the biggest packages to show
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub(crate) top: usize,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct DoctorArgs {
    /// Write into the configuration what settles a finding, where that is the way
    #[arg(long)]
    pub(crate) fix: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Debug, Default, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct BuildArgs {
    /// Targets, by their name or their package's, or filters: `api...`, `...^lib`, `./services/*`, `[main]`, `!name`
    /// [default: all]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// How many targets to build at once [default: the number of processors]
    #[arg(short, long, value_name = "N", env = "DRYDOCK_JOBS", value_parser = parse_jobs)]
    pub(crate) jobs: Option<usize>,
    /// Stop the other targets when one fails; the default
    #[arg(long, overrides_with = "keep_going")]
    pub(crate) fail_fast: bool,
    /// Go on with the other targets when one fails
    #[arg(long, overrides_with = "fail_fast")]
    pub(crate) keep_going: bool,
    /// Build images that are there already; steps may still come from the cache
    #[arg(long)]
    pub(crate) force: bool,
    /// Tell for each stage why it ran or did not, as fingerprints foretold it and as BuildKit's cache has it
    #[arg(long)]
    pub(crate) explain: bool,
    /// Run every step, whatever the cache holds
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Ask the registry for base images, whatever the daemon has
    #[arg(long)]
    pub(crate) pull: bool,
    /// Let the image's npm judge each install in a step of its own (`npm ci --dry-run`) before it installs
    #[arg(long)]
    pub(crate) verify_install: bool,
    #[command(flatten)]
    pub(crate) steps: StepArgs,
    /// Build for these platforms, like `linux/amd64,linux/arm64` [default: the daemon's own]
    #[arg(long = "platform", value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platforms: Vec<String>,
    /// Take steps from a cache, like `type=registry,ref=example.com/cache:{target}`. Can be given several times
    #[arg(long, value_name = "CACHE")]
    pub(crate) cache_from: Vec<String>,
    /// Write a cache, in the same form. Can be given several times
    #[arg(long, value_name = "CACHE")]
    pub(crate) cache_to: Vec<String>,
    /// Where to build: the address of a Docker daemon or a `buildkitd` [default: as `docker` finds it]. Can be given
    /// several times: then targets are spread over them
    #[arg(long = "builder", value_name = "ADDRESS")]
    pub(crate) builders: Vec<String>,
    /// How to show progress [default: `BUILDKIT_PROGRESS`, or auto]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) progress: Option<ProgressMode>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    // Last, because its heading holds for all that follows.
    #[command(flatten)]
    pub(crate) changed: ChangedArgs,
    #[command(flatten)]
    pub(crate) image: ImageArgs,
}

/// What the steps of a build are given.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct StepArgs {
    /// A build argument; without a value it is taken from the environment. Can be given several times
    #[arg(long = "build-arg", value_name = "KEY[=VALUE]")]
    pub(crate) arguments: Vec<String>,
    /// A secret that steps may read: `id=NAME,env=VARIABLE` or `id=NAME,src=FILE`. Can be given several times
    #[arg(long = "secret", value_name = "SECRET")]
    pub(crate) secrets: Vec<String>,
    /// An ssh agent that installs may use: `default`, or `ID=SOCKET`. Can be given several times
    #[arg(long, value_name = "AGENT")]
    pub(crate) ssh: Vec<String>,
    /// The network of steps
    #[arg(long, value_enum, value_name = "NETWORK", default_value_t, hide_default_value = true)]
    pub(crate) network: NetworkMode,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Packages, by their name or their target's, or filters: `api...`, `...^lib`, `./services/*`, `[main]`, `!name`
    /// [default: all]
    #[arg(value_name = "PACKAGE")]
    pub(crate) packages: Vec<String>,
    /// The scripts to run [default: test, lint, typecheck, and those that images wait for]
    #[arg(long, value_name = "SCRIPT", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// How many to run at once [default: the number of processors]
    #[arg(short, long, value_name = "N", env = "DRYDOCK_JOBS", value_parser = parse_jobs)]
    pub(crate) jobs: Option<usize>,
    /// Stop the others when one fails
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Run every step, whatever the cache holds
    #[arg(long)]
    pub(crate) no_cache: bool,
    #[command(flatten)]
    pub(crate) steps: StepArgs,
    /// Where to run them: the address of a Docker daemon or a `buildkitd` [default: as `docker` finds it]. Can be given
    /// several times: then checks are spread over them
    #[arg(long = "builder", value_name = "ADDRESS")]
    pub(crate) builders: Vec<String>,
    /// How to show progress [default: `BUILDKIT_PROGRESS`, or auto]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) progress: Option<ProgressMode>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) changed: ChangedArgs,
}

impl CheckArgs {
    /// A build with the same options, of which nothing is kept but the cache.
    pub(crate) fn as_build(&self) -> BuildArgs {
        BuildArgs {
            jobs: self.jobs,
            keep_going: !self.fail_fast,
            fail_fast: self.fail_fast,
            no_cache: self.no_cache,
            steps: self.steps.clone(),
            builders: self.builders.clone(),
            progress: self.progress,
            format: self.format,
            image: ImageArgs { output: Some("type=cacheonly".to_owned()), ..ImageArgs::default() },
            ..BuildArgs::default()
        }
    }
}

/// Which of the chosen targets take part.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct ChangedArgs {
    /// Only targets whose images are not what they were
    #[arg(long)]
    pub(crate) affected: bool,
    /// The commit that `--affected` compares with: where its history and that of HEAD fork [default: the branch a pull
    /// request is for, or origin's]
    #[arg(long, value_name = "REF", requires = "affected")]
    pub(crate) since: Option<String>,
    /// Filters may choose nothing
    #[arg(long)]
    pub(crate) allow_empty: bool,
}

/// What becomes of the images.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Images")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct ImageArgs {
    /// Tag each image [default: `{target}`]. Can be given several times; `{target}`, `{version}`, `{git.sha}`,
    /// `{git.short}`, `{git.branch}` and `{fingerprint}` are filled in
    #[arg(short, long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Push the images, once every target is built
    #[arg(long)]
    pub(crate) push: bool,
    /// Push nothing unless every target is built; the default
    #[arg(long, overrides_with = "no_atomic", requires = "push")]
    pub(crate) atomic: bool,
    /// Push what is built, even though another target failed
    #[arg(long, overrides_with = "atomic", requires = "push")]
    pub(crate) no_atomic: bool,
    /// Put the images into Docker's store; the default, except with a `buildkitd`
    #[arg(long)]
    pub(crate) load: bool,
    /// Write the results elsewhere: a folder, or `type=local|tar|oci|docker,dest=PATH`, `type=cacheonly`
    #[arg(short, long, value_name = "OUTPUT", conflicts_with_all = ["push", "load"])]
    pub(crate) output: Option<String>,
    /// Write the digests and names of the images into this file, in the form of `docker buildx bake`
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) metadata_file: Option<Utf8PathBuf>,
    /// Add a summary in Markdown to this file, such as `$GITHUB_STEP_SUMMARY`
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) summary: Option<Utf8PathBuf>,
    /// Label the images. Can be given several times; the fields of `--tag` are filled in
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,
    /// Label the images with where they come from [default without a value: source,revision,version]
    #[arg(
        long, value_name = "LABELS", value_enum, value_delimiter = ',', num_args = 0.., require_equals = true,
        default_missing_values = ["source", "revision", "version"]
    )]
    pub(crate) oci_labels: Option<Vec<OciLabel>>,
    /// Let images say that they were made then, in seconds since 1970, or when the commit was: `git` [default:
    /// `SOURCE_DATE_EPOCH`]
    #[arg(long, value_name = "TIME")]
    pub(crate) source_date_epoch: Option<String>,
    /// Annotate the images' manifests. Can be given several times; the fields of `--tag` are filled in
    #[arg(long = "annotation", value_name = "KEY=VALUE")]
    pub(crate) annotations: Vec<String>,
    /// Attest how the images were made: `true`, `mode=min`, `mode=max`
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) provenance: Option<String>,
    /// Attest what the images hold: `true`, or `generator=IMAGE`
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) sbom: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum NetworkMode {
    /// The daemon's own
    #[default]
    Default,
    /// That of the daemon's machine
    Host,
    /// None
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ProgressMode {
    /// Bars on a terminal, lines elsewhere
    #[default]
    Auto,
    /// Bars
    Tty,
    /// Lines, with the output of every step
    Plain,
    /// What BuildKit says, as JSON lines
    Rawjson,
    /// Errors only
    Quiet,
}

fn parse_jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least one job is needed".to_owned()),
        Ok(jobs) => Ok(jobs),
        Err(_) => Err("expected a number".to_owned()),
    }
}

impl Command {
    /// Whether the answer is for a program.
    pub(crate) fn is_json(&self) -> bool {
        let format = match self {
            Self::Build(args) => args.format.format,
            Self::Check(args) => args.format.format,
            Self::Graph(args) => return args.format == GraphFormat::Json,
            Self::Targets(args) => args.format,
            Self::Replay(args) => return args.format == ReplayFormat::Json,
            Self::Affected(args) => args.format.format,
            Self::Why(args) => args.format.format,
            Self::Plan(args) => return args.format == PlanFormat::Json,
            Self::Dockerfile(args) => args.format.format,
            Self::Files(args) => args.format.format,
            Self::Doctor(args) => args.format.format,
            Self::Size(args) => args.format.format,
            Self::Pin(args) => args.format.format,
            Self::Bake(_) | Self::Compose(_) | Self::Prune(_) | Self::Init(_) | Self::Completions(_) | Self::Man => {
                Format::Human
            }
        };
        format == Format::Json
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cargo::command().debug_assert();
        Cli::command().debug_assert();
    }
}
