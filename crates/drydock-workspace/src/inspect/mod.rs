//! Facts about packages that their files tell. Each says where it was read; nothing is guessed from names alone.

mod angular;
mod arguments;
mod commands;
mod config_reads;
mod entries;
mod folder;
mod hints;
pub(crate) mod javascript;
mod loads;
mod outputs;
mod server;
mod service;
mod static_site;
mod tsconfig;
mod undeclared;

use std::collections::BTreeSet;

use drydock_diagnostics::Warning;
use drydock_lockfile::{PackageName, WorkspacePath};

use crate::error::WorkspaceError;
use crate::workspace::{Package, Workspace};

/// Where a fact was read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: WorkspacePath,
    /// The 1-based line, where one is known.
    pub line: Option<usize>,
}

/// What a build of a package leaves behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Files and folders, sorted by path; none inside another.
    pub paths: Vec<Output>,
    /// What is no output though it lies inside one, such as `.next/cache`; sorted.
    pub excluded: Vec<WorkspacePath>,
    /// Nothing told what the build writes, so the whole folder of the package is taken; it is among the paths, with
    /// what the build is known to write outside it.
    pub whole_package: bool,
}

/// One file or folder that a build writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// From the workspace root; may lie outside the package's folder.
    pub path: WorkspacePath,
    /// What told so: `vite.config.ts: build.outDir`.
    pub why: String,
    /// Where it is told.
    pub place: Option<Place>,
}

/// What the configuration files of a package's build read outside its folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigReads {
    /// Files that belong to no member, sorted by path.
    pub root_files: Vec<Read>,
    /// Files and folders of other members, sorted by path.
    pub foreign_files: Vec<ForeignRead>,
    /// What could not be followed.
    pub warnings: Vec<Warning>,
}

/// A file or folder outside the package that its build reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// What is read.
    pub path: WorkspacePath,
    /// Whether it is a folder, all of it needed.
    pub directory: bool,
    /// How: `extends`, `require("../../babel.config.js")`.
    pub why: String,
    /// The file and line that reads it.
    pub read_by: Place,
}

/// A file or folder of another member that a package's build reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignRead {
    /// The member it belongs to.
    pub package: PackageName,
    /// What is read and by whom.
    pub read: Read,
}

/// An import of a member that no manifest declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndeclaredImport {
    /// The member that imports.
    pub from: PackageName,
    /// The member it imports.
    pub to: PackageName,
    /// Where.
    pub place: Place,
    /// As written.
    pub specifier: String,
    /// What a relative import names, from the root, its ending as written; `None` for an import by name.
    pub path: Option<WorkspacePath>,
}

/// A package whose build makes files for a web server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticSite {
    /// What makes it.
    pub kind: StaticSiteKind,
    /// What told so.
    pub why: String,
    /// The folder to serve.
    pub directory: WorkspacePath,
}

/// What makes a static site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StaticSiteKind {
    /// Vite with an `index.html`.
    Vite,
    /// Create React App.
    CreateReactApp,
    /// Angular.
    Angular,
    /// Astro without a server adapter.
    Astro,
    /// Next with `output: 'export'`.
    NextExport,
    /// Another bundler with an `index.html` and a `build` script.
    Other,
}

/// What says that a package is run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// The server framework among its dependencies.
    pub framework: Option<String>,
    /// Its `start` script.
    pub start: Option<String>,
    /// Its `main`, when it names a file that exists or that the build writes.
    pub main: Option<WorkspacePath>,
    /// Its commands: name and file.
    pub bin: Vec<(String, WorkspacePath)>,
    /// The reasons in words, one a fact.
    pub why: Vec<String>,
}

/// A server that a package's build makes, by the conventions of the tool that builds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltServer {
    /// What runs it, in the package's folder.
    pub command: Vec<String>,
    /// What told so.
    pub why: String,
    /// Commands of the tool, by their first two words, which run the same.
    pub instead_of: Vec<[&'static str; 2]>,
    /// The folder that holds its file, where a script may name that file itself.
    pub inside: Option<WorkspacePath>,
    /// Environment without which it cannot be reached from outside its container.
    pub env: Vec<(&'static str, &'static str)>,
    /// The port it listens on unless `PORT` says otherwise.
    pub port: Option<u16>,
    /// Folders that it writes to.
    pub writable: Vec<WorkspacePath>,
    /// Folders of its build with files that it writes anew when it runs.
    pub rewritten: Vec<WorkspacePath>,
    /// What an image of it holds where the build packs what it needs of its dependencies, so that none is installed.
    pub packed: Option<Packed>,
    /// Why nothing is packed, where the tool could.
    pub not_packed: Option<String>,
}

/// A server with what it needs of its dependencies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// What an image holds, all of it as the build left it, in the order of copying.
    pub files: Vec<Placed>,
    /// What told so.
    pub why: String,
}

/// A folder of a build, and the folder that its content is put into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Where the build leaves it.
    pub from: WorkspacePath,
    /// Where an image has it.
    pub to: WorkspacePath,
}

/// What the build of `package` writes: its script `build`, else one that is called much like it.
pub fn outputs(workspace: &Workspace, package: &Package) -> Result<Outputs, WorkspaceError> {
    outputs::outputs(workspace, package)
}

/// What the script `script` of `package` writes when it is run as the package's build.
pub fn outputs_of_script(workspace: &Workspace, package: &Package, script: &str) -> Result<Outputs, WorkspaceError> {
    outputs::of_script(&folder::Folder::new(workspace, package)?, script)
}

/// What the configuration of `package`'s build reads outside its folder.
pub fn config_reads(workspace: &Workspace, package: &Package) -> Result<ConfigReads, WorkspaceError> {
    config_reads::config_reads(workspace, package)
}

/// What the configuration of `package`'s build reads outside its folder when the script `script` is its build.
pub fn config_reads_of_script(
    workspace: &Workspace,
    package: &Package,
    script: &str,
) -> Result<ConfigReads, WorkspaceError> {
    config_reads::of_script(&folder::Folder::new(workspace, package)?, script)
}

/// Imports of other members in `package`'s sources that its manifest does not declare. Parses every source file.
pub fn undeclared(workspace: &Workspace, package: &Package) -> Result<Vec<UndeclaredImport>, WorkspaceError> {
    undeclared::undeclared(workspace, package)
}

/// Imports of other members in `package`'s sources that its manifest declares for development alone, though what its
/// build writes loads them when it runs. None where a bundler may build them in.
pub fn for_development(workspace: &Workspace, package: &Package) -> Result<Vec<UndeclaredImport>, WorkspaceError> {
    undeclared::for_development(workspace, package)
}

/// The files of `package` that Node loads with its file at `entry`, itself included, as far as relative imports tell.
pub fn loaded(
    workspace: &Workspace,
    package: &Package,
    entry: &WorkspacePath,
) -> Result<BTreeSet<WorkspacePath>, WorkspaceError> {
    loads::loaded(&folder::Folder::new(workspace, package)?, entry)
}

/// The static site that `package`'s build makes, if it makes one.
pub fn static_site(workspace: &Workspace, package: &Package) -> Result<Option<StaticSite>, WorkspaceError> {
    static_site::static_site(workspace, package)
}

/// What says that `package` is run as a service.
pub fn service(workspace: &Workspace, package: &Package) -> Result<Service, WorkspaceError> {
    service::service(workspace, package)
}

/// The server that `package`'s build makes, if it makes one that its tool says how to run.
pub fn server(workspace: &Workspace, package: &Package) -> Result<Option<BuiltServer>, WorkspaceError> {
    server::server(workspace, package)
}
