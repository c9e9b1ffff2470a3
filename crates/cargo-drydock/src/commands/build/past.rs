//! What earlier builds of this checkout were made of, kept in the user's cache folder: for each builder the fingerprints
//! of each target's last success, and which stages ever succeeded there. What failed is never kept.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use drydock_dockerfile::Fingerprints;
use drydock_plan::TargetName;

use crate::commands::whole::replace;

/// How many stages are remembered; the oldest go first.
const STAGES: usize = 4000;

/// The records of one checkout and builder.
pub(super) struct Past {
    /// Where they are; without one, nothing is remembered.
    folder: Option<PathBuf>,
    /// The stages that succeeded, as short fingerprints, the oldest first.
    known: Vec<String>,
}

impl Past {
    /// Reads which stages succeeded. `checkout` is the name of the checkout's context. What cannot be read is not there.
    pub(super) fn open(cache: Option<&Path>, checkout: &str, builder: &str) -> Self {
        let name = blake3::hash(builder.as_bytes()).to_hex()[..16].to_owned();
        let folder = cache.map(|cache| cache.join("builds").join(checkout).join(name));
        let text = folder.as_ref().and_then(|folder| fs_err::read_to_string(folder.join("stages")).ok());
        let known = text.unwrap_or_default().lines().map(str::to_owned).collect();
        Self { folder, known }
    }

    /// The fingerprints of a target's last success, and when that was.
    pub(super) fn of(&self, target: &TargetName) -> Option<(SystemTime, Fingerprints)> {
        let file = self.file(target)?;
        let time = fs_err::metadata(&file).and_then(|file| file.modified()).ok()?;
        Some((time, Fingerprints::of_record(&fs_err::read_to_string(file).ok()?)?))
    }

    /// The stages that ever succeeded, as short fingerprints.
    pub(super) fn known(&self) -> BTreeSet<&str> {
        self.known.iter().map(String::as_str).collect()
    }

    /// Keeps what targets that were built are made of. That it cannot be written is nobody's trouble: the next build is
    /// only explained less.
    pub(super) fn remember(&mut self, built: &[(TargetName, &Fingerprints)]) {
        drop(self.write(built));
    }

    fn write(&mut self, built: &[(TargetName, &Fingerprints)]) -> io::Result<()> {
        let Some(folder) = self.folder.clone().filter(|_| !built.is_empty()) else { return Ok(()) };
        fs_err::create_dir_all(&folder)?;
        for (target, fingerprints) in built {
            let (Some(file), Some(record)) = (self.file(target), fingerprints.record(target)) else { continue };
            replace(&file, &record)?;
            let Some(stage) = fingerprints.targets().find(|(name, _)| *name == target).map(|(_, stage)| stage) else {
                continue;
            };
            for stage in fingerprints.closure(stage) {
                let short = stage.fingerprint.short();
                self.known.retain(|known| *known != short);
                self.known.push(short);
            }
        }
        let surplus = self.known.len().saturating_sub(STAGES);
        self.known.drain(..surplus);
        replace(&folder.join("stages"), &(self.known.join("\n") + "\n"))
    }

    fn file(&self, target: &TargetName) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("{target}.json")))
    }
}
