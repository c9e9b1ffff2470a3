//! Where the development daemon and its downloads live: one folder outside the checkout.

use std::env;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The folder that holds everything `xtask` installs or starts.
#[derive(Debug, Clone)]
pub(crate) struct StateDir(PathBuf);

/// Unix socket paths end at 107 bytes; containerd adds this below the exec root.
const LONGEST_SOCKET: &str = "exec/containerd/containerd.sock.ttrpc";
const SOCKET_PATH_LIMIT: usize = 107;

impl StateDir {
    /// `$DRYDOCK_DEV_DIR`, else `$XDG_STATE_HOME/drydock-dev`, else `~/.local/state/drydock-dev`.
    ///
    /// The folder is not created. Fails for a relative path or one too long for a Unix socket.
    pub(crate) fn locate() -> Result<Self> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let path = if let Some(path) = set("DRYDOCK_DEV_DIR") {
            path
        } else if let Some(path) = set("XDG_STATE_HOME") {
            path.join("drydock-dev")
        } else {
            set("HOME")
                .context("neither DRYDOCK_DEV_DIR, XDG_STATE_HOME nor HOME is set")?
                .join(".local/state/drydock-dev")
        };
        if !path.is_absolute() {
            bail!("the state folder `{}` is not an absolute path", path.display());
        }
        // The path ends up in search paths, a shell script and apt's options.
        let plain = |c: char| c.is_alphanumeric() || "/._-+@ ".contains(c);
        if !path.to_str().is_some_and(|text| text.chars().all(plain)) {
            bail!(
                "the state folder `{}` has characters that a search path cannot hold; \
                 set DRYDOCK_DEV_DIR to a plainer path",
                path.display()
            );
        }
        Self(path).checked()
    }

    /// A state folder of its own inside this one.
    pub(crate) fn inner(&self, name: &str) -> Result<Self> {
        Self(self.join(name)).checked()
    }

    fn checked(self) -> Result<Self> {
        if self.join(LONGEST_SOCKET).as_os_str().len() > SOCKET_PATH_LIMIT {
            bail!("`{}` is too long for a Unix socket; set DRYDOCK_DEV_DIR to a shorter path", self.0.display());
        }
        Ok(self)
    }

    /// A path below the state folder.
    pub(crate) fn join(&self, below: impl AsRef<Path>) -> PathBuf {
        self.0.join(below)
    }

    /// Waits until no other run holds the lock `name`; it is held until the value is dropped.
    pub(crate) fn lock(&self, name: &str) -> Result<File> {
        fs_err::create_dir_all(&self.0)?;
        let path = self.join(format!("{name}.lock"));
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("cannot open `{}`", path.display()))?;
        file.lock().with_context(|| format!("cannot lock `{}`", path.display()))?;
        Ok(file)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}
