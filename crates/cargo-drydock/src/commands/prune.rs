//! `prune`: a workspace of its own for one target or package.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use camino::{Utf8Path, Utf8PathBuf};
use drydock_diagnostics::{Category, Diagnose};
use drydock_plan::{
    ContextContent, ContextFile, FoundTarget, PackageName, Subset, SubsetOptions, TargetName, WorkspacePath, subset,
};

use super::load::{Loaded, load};
use crate::args::{GlobalArgs, PruneArgs};
use crate::config::{FILE_NAME, pins};
use crate::failure::Failure;
use crate::shell::Shell;

/// The folder cannot be written.
#[derive(Debug, thiserror::Error)]
enum PruneError {
    /// `prune` writes into a new or empty folder alone: something of the user's may be in this one.
    #[error("`{directory}` is not empty")]
    NotEmpty { directory: Utf8PathBuf },
    /// What `prune` writes would become part of what it is made of.
    #[error("`{directory}` is the workspace itself, or holds it")]
    AroundWorkspace { directory: Utf8PathBuf },
    /// The disk refused what `prune` was to write.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

impl Diagnose for PruneError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotEmpty { .. } => "prune-not-empty",
            Self::AroundWorkspace { .. } => "prune-around-workspace",
            Self::Disk(_) => "prune-disk",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotEmpty { directory } => format!("remove it (`rm -r {directory}`), or name another folder"),
            Self::AroundWorkspace { .. } => "name a new folder, such as `--out out`".to_owned(),
            Self::Disk(_) => "check the permissions of the folder and the space left".to_owned(),
        })
    }
}

pub(super) fn run(args: &PruneArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let loaded = load(global, shell)?;
    let packages = packages(&loaded, args, shell)?;
    let options = SubsetOptions { production: args.production, raw: args.raw };
    let mut subset = subset(&loaded.workspace, &loaded.graph, &loaded.config.settings, &packages, options)?;
    shell.warn_all(&subset.warnings);
    if !args.production {
        let configuration = configuration(&loaded, &subset)?;
        subset.files.retain(|file| configuration.iter().all(|other| other.path != file.path));
        subset.files.extend(configuration);
    }

    let directory = prepare(&loaded.root, &args.out)?;
    let written = write(&loaded.root, &directory, &subset.files);
    if written.is_err() {
        // The folder was new or empty: what is in it now is half of what was asked for.
        let _ = fs_err::remove_dir_all(&directory);
    }
    written.map_err(PruneError::Disk)?;
    let (members, files) = (subset.members.len(), subset.files.len());
    shell.status(
        "Pruned",
        format!(
            "{} to {}: {members} {}, {files} files, {} third-party packages",
            packages[0],
            args.out,
            if members == 1 { "package" } else { "packages" },
            subset.third_parties
        ),
    );
    Ok(())
}

/// The packages that a name means: a member's, or first that of a target, and then those whose outputs its image serves.
fn packages(loaded: &Loaded, args: &PruneArgs, shell: &mut Shell) -> Result<Vec<PackageName>, Failure> {
    let name = args.target.as_str();
    if let Some(package) = loaded.workspace.package(name) {
        return Ok(vec![package.name.clone()]);
    }
    // A plan would do all the work of a build, and warn of packages that nobody asked for.
    let found = drydock_plan::targets(&loaded.workspace, &loaded.graph, &loaded.config.settings)?;
    if let Some(target) = found.targets.iter().find_map(|(target, found)| (target.as_str() == name).then_some(found)) {
        // What these install is of their builds, not of the target when it runs.
        let assets = target.assets.iter().filter(|_| !args.production);
        return Ok([&target.package].into_iter().chain(assets).cloned().collect());
    }
    let plan = loaded.plan(&[name.to_owned()], shell)?;
    Ok(vec![plan.targets[0].package.clone()])
}

/// The configuration as far as it is about what is there, and the pins of base images.
fn configuration(loaded: &Loaded, subset: &Subset) -> Result<Vec<ContextFile>, Failure> {
    let members = loaded.workspace.packages.iter().filter(|package| subset.members.contains(&package.path));
    let members: BTreeSet<&str> = members.map(|package| package.name.as_str()).collect();
    let mut gone: BTreeSet<TargetName> = BTreeSet::new();
    if loaded.config.compose.values().any(|compose| !compose.depends_on.is_empty()) {
        let found = drydock_plan::targets(&loaded.workspace, &loaded.graph, &loaded.config.settings)?;
        let is_gone = |name: &TargetName, found: &FoundTarget| {
            !members.contains(found.package.as_str()) || found.configured && !subset.targets.contains(name)
        };
        gone.extend(found.targets.into_iter().filter(|(name, found)| is_gone(name, found)).map(|(name, _)| name));
    }
    let text = loaded.config.cut(&members, &subset.targets, &gone);
    let pins = &loaded.config.settings.pins;
    let pins = (!pins.is_empty()).then(|| pins::text(pins));
    let files = [(FILE_NAME, text), (pins::FILE_NAME, pins)];
    let files = files.into_iter().filter_map(|(name, text)| {
        let content = ContextContent::Bytes(text?.into_bytes().into());
        let path = WorkspacePath::new(name).expect("a plain name is a path");
        Some(ContextFile { path, executable: false, content })
    });
    Ok(files.collect())
}

/// Makes the folder, and refuses one with something in it.
fn prepare(root: &Utf8Path, out: &Utf8Path) -> Result<Utf8PathBuf, PruneError> {
    match fs_err::read_dir(out) {
        Ok(mut entries) => {
            let canonical = out.canonicalize_utf8()?;
            if root.starts_with(&canonical) {
                return Err(PruneError::AroundWorkspace { directory: out.to_owned() });
            }
            if entries.next().is_some() {
                return Err(PruneError::NotEmpty { directory: out.to_owned() });
            }
            Ok(canonical)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs_err::create_dir_all(out)?;
            Ok(out.canonicalize_utf8()?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes all files. Most of the time goes into the file system, so folders are shared out among threads, each made once.
fn write(root: &Utf8Path, directory: &Utf8Path, files: &[ContextFile]) -> io::Result<()> {
    let mut folders: BTreeMap<&str, Vec<&ContextFile>> = BTreeMap::new();
    for file in files {
        let folder = file.path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
        folders.entry(folder).or_default().push(file);
    }
    for folder in folders.keys() {
        fs_err::create_dir_all(directory.join(folder))?;
    }
    let folders: Vec<Vec<&ContextFile>> = folders.into_values().collect();
    let next = AtomicUsize::new(0);
    let work = || -> io::Result<()> {
        while let Some(files) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
            for file in files {
                write_file(root, directory, file)?;
            }
        }
        Ok(())
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(folders.len());
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        others.into_iter().map(|other| other.join().expect("writing files does not panic")).fold(own, Result::and)
    })
}

fn write_file(root: &Utf8Path, directory: &Utf8Path, file: &ContextFile) -> io::Result<()> {
    let path = directory.join(file.path.as_str());
    match &file.content {
        // The folder is new, so this takes fewer calls than a copy that finds out what it may do.
        ContextContent::Tree => create(&path, &fs_err::read(root.join(file.path.as_str()))?, file.executable),
        ContextContent::Bytes(bytes) => create(&path, bytes, file.executable),
        #[cfg(unix)]
        ContextContent::Symlink(target) => fs_err::os::unix::fs::symlink(target, &path),
        #[cfg(not(unix))]
        ContextContent::Symlink(target) => fs_err::write(&path, target),
    }
}

fn create(path: &Utf8Path, bytes: &[u8], executable: bool) -> io::Result<()> {
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    fs_err::os::unix::fs::OpenOptionsExt::mode(&mut options, if executable { 0o777 } else { 0o666 });
    #[cfg(not(unix))]
    let _ = executable;
    options.open(path)?.write_all(bytes)
}
