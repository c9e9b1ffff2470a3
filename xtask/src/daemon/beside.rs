//! A daemon beside the one that is used otherwise: empty at first, with a bridge of its own, and gone at the end.
//!
//! For measurements and for tests on several versions, which must neither find what others built nor disturb them. It
//! leaves the machine's packet filter alone, so its containers reach nobody; the daemon itself does.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, json};

use super::packages::{Source, Unpacked, unpacked};
use super::{Setup, down, start, unmount_below, wait_until_it_answers};
use crate::engine::Engine;
use crate::host;
use crate::state::StateDir;

/// The bridge, whose name has at most 15 bytes, and its addresses, which are nobody else's.
const BRIDGE: &str = "drydock-beside";
const ADDRESS: &str = "172.31.251.1/24";
/// On the link: one that it keeps, whatever ports come and go.
const KEPT: &str = "02:42:ac:1f:fb:01";

/// Where a daemon keeps images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// Docker's own.
    Overlay2,
    /// Containerd's, from Docker 23 on.
    Containerd,
}

/// A running daemon. Dropping it stops it and removes all it kept.
pub(crate) struct Beside {
    pub(crate) engine: Engine,
    state: StateDir,
    /// Where its programs are.
    programs: PathBuf,
}

impl Beside {
    /// Starts one in the folder `name` of the state folder. There is at most one at a time.
    pub(crate) fn start(state: &StateDir, name: &str, from: Option<Source>, store: Store) -> Result<Self> {
        let docker = {
            let _lock = state.lock("up")?;
            unpacked(state, from)?
        };
        host::ensure_programs(&[
            ("iptables", "iptables"),
            ("runc", "runc"),
            ("setsid", "util-linux"),
            ("ip", "iproute2"),
        ])?;
        let programs = docker.root.clone();
        let inner = state.inner(name)?;
        // What an earlier one left that was killed.
        remove(&inner)?;
        fs_err::create_dir_all(inner.path())?;
        host::run_quiet(host::as_root("ip")?.args(["link", "add", "name", BRIDGE, "address", KEPT, "type", "bridge"]))?;
        host::run_quiet(host::as_root("ip")?.args(["address", "add", ADDRESS, "dev", BRIDGE]))?;
        host::run_quiet(host::as_root("ip")?.args(["link", "set", BRIDGE, "up"]))?;
        let mut configuration = Map::new();
        configuration.insert("bridge".to_owned(), json!(BRIDGE));
        for key in ["iptables", "ip6tables", "ip-forward", "ip-masq"] {
            configuration.insert(key.to_owned(), json!(false));
        }
        let containerd = store == Store::Containerd;
        configuration.insert("features".to_owned(), json!({ "containerd-snapshotter": containerd }));
        // The default rules, which throw out what is large, would do so in the middle of a measurement.
        configuration.insert("builder".to_owned(), json!({ "gc": { "enabled": false } }));
        let setup = Setup { configuration, namespace: Some(format!("drydock-{name}")) };
        let docker = Unpacked { root: docker.root, data: inner.join("data") };
        start(&inner, &docker, &setup)?;
        let engine = wait_until_it_answers(&inner)?;
        let version = engine.version()?;
        eprintln!("  started Docker {version} ({}) at {}", store.name(), engine.host);
        Ok(Self { engine, state: inner, programs })
    }

    /// Its client, without the script that `xtask` puts before it.
    pub(crate) fn docker(&self) -> Command {
        let mut command = Command::new(self.programs.join("usr/bin/docker"));
        self.set_environment(&mut command);
        command
    }

    /// Makes a command talk to this daemon, with this daemon's client configuration.
    pub(crate) fn set_environment(&self, command: &mut Command) {
        self.engine.set_environment(command);
        command.env("DOCKER_CONFIG", self.state.join("client"));
    }

    /// A path in its folder.
    pub(crate) fn join(&self, below: &str) -> PathBuf {
        self.state.join(below)
    }

    /// Gives it an image of another daemon, which pulls it if it does not have it.
    pub(crate) fn copy_image(&self, image: &str, from: &Engine) -> Result<()> {
        if host::run_quiet(from.docker().args(["image", "inspect", image])).is_err() {
            host::run_quiet(from.docker().args(["pull", image]))?;
        }
        let mut save = from.docker();
        let mut save = save.args(["save", image]).stdout(Stdio::piped()).spawn().context("cannot run docker")?;
        let archive = save.stdout.take().expect("its output is piped");
        let loaded = self.docker().arg("load").stdin(archive).stdout(Stdio::null()).status();
        if !save.wait()?.success() || !loaded.context("cannot run docker")?.success() {
            bail!("`{image}` cannot be copied from {} to {}", from.host, self.engine.host);
        }
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.state) {
            eprintln!("  {error:#}");
        }
    }
}

impl Store {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Overlay2 => "overlay2",
            Self::Containerd => "containerd store",
        }
    }
}

/// Stops the daemon in a folder, if one runs, and removes the folder and the bridge.
fn remove(state: &StateDir) -> Result<()> {
    if state.path().exists() {
        down(state)?;
        unmount_below(state)?;
        let mut rm = host::as_root("rm")?;
        rm.args(["--recursive", "--force", "--one-file-system"]).arg(state.path());
        host::run_quiet(&mut rm)?;
    }
    // It may not be there.
    drop(host::run_quiet(host::as_root("ip")?.args(["link", "delete", BRIDGE])));
    Ok(())
}
