//! `cargo xtask daemon`: use the Docker daemon that is there, or bring one up in a folder of its own.
//!
//! A daemon of our own is Debian's newest, unpacked and never installed, with its data, socket, log
//! and pid file under the state folder. It is started on nobody else's paths and stopped by its pid
//! file only.

mod beside;
pub(crate) mod compose;
mod matrix;
mod packages;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use serde_json::json;

use crate::engine::{self, Engine};
use crate::host;
use crate::state::StateDir;
use packages::{Unpacked, unpacked};

pub(crate) use beside::{Beside, Store};
pub(crate) use packages::Source;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Use the daemon that answers, else install and start one
    Up {
        /// Whose Docker to unpack when one has to be started
        #[arg(long)]
        from: Option<Source>,
        /// Start our own even when the machine's daemon answers
        #[arg(long)]
        own: bool,
    },
    /// Download and unpack only, start nothing
    Fetch {
        /// Whose Docker to unpack
        #[arg(long)]
        from: Option<Source>,
    },
    /// Stop the daemon that `up` started
    Down {
        /// Remove its images, caches and downloads too
        #[arg(long)]
        purge: bool,
    },
    /// Print the line that makes a shell use the daemon
    Env,
    /// Run the driver's tests on each Docker that Debian's packages give, one after the other
    Check {
        /// Only on those of this source
        #[arg(long)]
        from: Option<Source>,
        /// Instead, build an example on this program of a release of BuildKit
        #[arg(long, value_name = "FILE", conflicts_with = "from")]
        buildkitd: Option<PathBuf>,
    },
    /// Say which daemon answers, and where ours keeps its things
    Status,
}

/// What `up` found or did.
pub(crate) struct Up {
    pub(crate) engine: Engine,
    /// Whether this call started the daemon, so that the caller stops it.
    pub(crate) started: bool,
}

/// A daemon restores containers and networks before it answers; two busy cores take their time.
const START_WITHIN: Duration = Duration::from_mins(2);
/// Containers get ten seconds each to stop, all at once.
const STOP_WITHIN: Duration = Duration::from_mins(1);
const POLL_EVERY: Duration = Duration::from_millis(100);

pub(crate) fn run(args: &Args) -> Result<()> {
    let state = StateDir::locate()?;
    match &args.verb {
        Verb::Up { from, own } => {
            let engine = up_with(&state, *from, *own)?.engine;
            let compose = compose::ensure(&state, &engine)?;
            println!("{}", export_line(&engine, compose.as_deref()));
        }
        Verb::Fetch { from } => {
            let _lock = state.lock("up")?;
            println!("{}", unpacked(&state, *from)?.root.display());
        }
        Verb::Down { purge } => {
            if !down(&state)? {
                eprintln!("no daemon of ours runs");
            }
            if *purge {
                unmount_below(&state)?;
                let mut remove = host::as_root("rm")?;
                remove.args(["--recursive", "--force", "--one-file-system"]).arg(state.path());
                host::run_quiet(&mut remove)?;
                eprintln!("  removed {}", state.path().display());
            }
        }
        Verb::Env => println!("{}", export_line(&Engine::find(&state)?, None)),
        Verb::Check { buildkitd: Some(program), .. } => matrix::check_buildkitd(&state, program)?,
        Verb::Check { from, buildkitd: None } => matrix::check(&state, *from)?,
        Verb::Status => status(&state)?,
    }
    Ok(())
}

/// Makes sure that a daemon answers.
pub(crate) fn up(state: &StateDir) -> Result<Up> {
    up_with(state, None, false)
}

fn up_with(state: &StateDir, from: Option<Source>, own: bool) -> Result<Up> {
    if !own && let Some(engine) = Engine::of_machine(state) {
        eprintln!("  using the machine's Docker {} at {}", engine.version()?, engine.host);
        return Ok(Up { engine, started: false });
    }
    fs_err::create_dir_all(state.path())?;
    // Held until we return: two runs at once must not both start a daemon.
    let _lock = state.lock("up")?;
    if let Some(engine) = Engine::own(state) {
        eprintln!("  using our Docker {} at {}", engine.version()?, engine.host);
        return Ok(Up { engine, started: false });
    }
    if let Some(pid) = running_pid(state) {
        eprintln!("  our daemon (pid {pid}) is starting");
        return Ok(Up { engine: wait_until_it_answers(state)?, started: false });
    }
    remove_stale(state)?;
    let docker = unpacked(state, from)?;
    host::ensure_programs(&[("iptables", "iptables"), ("runc", "runc"), ("setsid", "util-linux"), ("ip", "iproute2")])?;
    start(state, &docker, &Setup::default())?;
    let engine = wait_until_it_answers(state)?;
    keep_address()?;
    eprintln!("  started Docker {} at {}", engine.version()?, engine.host);
    Ok(Up { engine, started: true })
}

/// Gives the bridge of the containers an address to keep. Where no systemd sets one, a bridge takes the lowest of its
/// ports': it then changes as containers come and go, and what other containers send to the one they know is lost until
/// they ask again. Downloads hang for minutes then, and names are not resolved.
fn keep_address() -> Result<()> {
    const BRIDGE: &str = "docker0";
    if Path::new("/sys/class/net").join(BRIDGE).exists() {
        host::run_quiet(host::as_root("ip")?.args(["link", "set", "dev", BRIDGE, "address", "02:42:ac:11:00:01"]))?;
    }
    Ok(())
}

/// Stops our own daemon; `false` when none runs.
pub(crate) fn down(state: &StateDir) -> Result<bool> {
    let Some(pid) = running_pid(state) else {
        remove_stale(state)?;
        return Ok(false);
    };
    // The shell's own `kill`: small systems lack the program.
    host::run_quiet(host::as_root("sh")?.args(["-c", "kill -TERM \"$1\"", "sh", &pid.to_string()]))?;
    let deadline = Instant::now() + STOP_WITHIN;
    while is_our_dockerd(state, pid) {
        if Instant::now() > deadline {
            bail!(
                "our daemon (pid {pid}) did not stop within {} seconds; its log is {}",
                STOP_WITHIN.as_secs(),
                log_path(state).display()
            );
        }
        thread::sleep(POLL_EVERY);
    }
    remove_stale(state)?;
    eprintln!("  stopped our daemon (pid {pid})");
    Ok(true)
}

fn status(state: &StateDir) -> Result<()> {
    match Engine::of_machine(state) {
        Some(engine) => println!("machine's: Docker {} at {}", engine.version()?, engine.host),
        None => println!("machine's: none answers"),
    }
    match (Engine::own(state), running_pid(state)) {
        (Some(engine), Some(pid)) => {
            println!("ours: Docker {} at {} (pid {pid})", engine.version()?, engine.host);
            let format = "{{.Driver}}, {{.Images}} images, {{.ContainersRunning}} containers running";
            let info = host::run_quiet(engine.docker().args(["info", "--format", format]))?;
            println!("  {}", info.trim());
        }
        (_, Some(pid)) => println!("ours: pid {pid} runs but does not answer"),
        (_, None) => println!("ours: not running"),
    }
    println!("state folder: {}", state.path().display());
    println!("log: {}", log_path(state).display());
    Ok(())
}

fn export_line(engine: &Engine, compose: Option<&Path>) -> String {
    // Single quotes hold anything but themselves.
    let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut line = format!("export DOCKER_HOST={}", quote(&engine.host));
    if let Some(bin) = engine.bin.as_deref().or(compose) {
        line.push_str(&format!(" PATH={}:\"$PATH\"", quote(&bin.to_string_lossy())));
    }
    line
}

fn log_path(state: &StateDir) -> PathBuf {
    state.join("docker.log")
}

fn pid_path(state: &StateDir) -> PathBuf {
    state.join("docker.pid")
}

/// The pid of our daemon when its pid file names a live `dockerd` that was started on this folder.
fn running_pid(state: &StateDir) -> Option<u32> {
    let pid = fs_err::read_to_string(pid_path(state)).ok()?.trim().parse().ok()?;
    is_our_dockerd(state, pid).then_some(pid)
}

/// A pid may have been given to another process since; its command line tells.
fn is_our_dockerd(state: &StateDir, pid: u32) -> bool {
    // A process that has ended and waits for its parent has an empty command line.
    let Ok(line) = fs_err::read(format!("/proc/{pid}/cmdline")) else { return false };
    let line = String::from_utf8_lossy(&line).into_owned();
    let words: Vec<&str> = line.split('\0').collect();
    let program = words.first().and_then(|word| Path::new(word).file_name());
    program.is_some_and(|name| name == "dockerd") && words.contains(&pid_path(state).to_string_lossy().as_ref())
}

/// What a killed daemon leaves behind, and what would stop the next one from starting.
fn remove_stale(state: &StateDir) -> Result<()> {
    for path in [pid_path(state), state.join("docker.sock")] {
        if path.symlink_metadata().is_ok() {
            host::run_quiet(host::as_root("rm")?.arg("-f").arg(path))?;
        }
    }
    Ok(())
}

/// Undoes the mounts that a killed daemon leaves in the state folder.
fn unmount_below(state: &StateDir) -> Result<()> {
    let mounts = fs_err::read_to_string("/proc/self/mounts")?;
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    let below: Vec<String> = points
        .map(|point| point.replace("\\040", " "))
        .filter(|point| Path::new(point).starts_with(state.path()))
        .collect();
    // Later mounts may lie on earlier ones.
    for point in below.iter().rev() {
        host::run_quiet(host::as_root("umount")?.arg(point))?;
    }
    Ok(())
}

/// What a daemon is told beyond where its things are.
#[derive(Default)]
struct Setup {
    /// More of its configuration file.
    configuration: serde_json::Map<String, serde_json::Value>,
    /// What its containers are called in a containerd of the system's; the usual name without it.
    namespace: Option<String>,
}

fn start(state: &StateDir, docker: &Unpacked, setup: &Setup) -> Result<()> {
    write_client(state, docker)?;
    let path = state.join("daemon.json");
    let mut configuration = daemon_configuration();
    for (key, value) in &setup.configuration {
        configuration[key] = value.clone();
    }
    fs_err::write(&path, serde_json::to_string_pretty(&configuration)?)?;
    let (configuration, namespace) = (path, setup.namespace.as_deref().unwrap_or("drydock-dev"));
    let log = File::create(log_path(state)).context("cannot create the daemon's log")?;
    let path = format!(
        "PATH={}:{}:{}:/usr/local/sbin:/usr/sbin:/sbin",
        docker.root.join("usr/sbin").display(),
        docker.root.join("usr/bin").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut command = host::as_root("env")?;
    command
        .arg(path)
        // A session of its own: it outlives the shell that ran us.
        .args(["setsid", "--fork"])
        .arg(docker.root.join("usr/sbin/dockerd"))
        .arg("--config-file")
        .arg(configuration)
        .arg("--data-root")
        .arg(&docker.data)
        .arg("--exec-root")
        .arg(state.join("exec"))
        .arg("--pidfile")
        .arg(pid_path(state))
        .args(["--host", &engine::own_host(state)])
        // Where a system containerd runs, dockerd uses it; its containers stay apart in there.
        .args(["--containerd-namespace", namespace])
        .args(["--containerd-plugins-namespace", &format!("{namespace}-plugins")])
        .arg("--userland-proxy-path")
        .arg(docker.root.join("usr/sbin/docker-proxy"));
    let init = ["usr/bin/tini-static", "usr/bin/tini"].map(|init| docker.root.join(init));
    if let Some(init) = init.iter().find(|init| init.exists()) {
        command.arg("--init-path").arg(init);
    }
    if !host::is_root() {
        let group = host::run_quiet(Command::new("id").arg("--group").arg("--name"))?;
        command.args(["--group", group.trim()]);
    }
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    host::run(&mut command)
}

fn daemon_configuration() -> serde_json::Value {
    let mut configuration = json!({
        // One rule, so that cache mounts are not thrown out early by the default's first rule.
        "builder": { "gc": { "enabled": true, "policy": [{ "keepStorage": "30GB", "all": true }] } },
        "log-opts": { "max-size": "10m" },
    });
    // Packets larger than the way out are dropped silently on some virtual networks.
    if let Some(mtu) = default_route_mtu().filter(|mtu| *mtu < 1500) {
        configuration["mtu"] = json!(mtu);
    }
    configuration
}

/// The MTU of the interface that leads out.
fn default_route_mtu() -> Option<u32> {
    let routes = fs_err::read_to_string("/proc/net/route").ok()?;
    let interface = routes.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace();
        let interface = columns.next()?;
        (columns.next()? == "00000000").then_some(interface)
    })?;
    fs_err::read_to_string(format!("/sys/class/net/{interface}/mtu")).ok()?.trim().parse().ok()
}

/// `bin/docker` runs the unpacked client against our daemon, with the unpacked buildx.
fn write_client(state: &StateDir, docker: &Unpacked) -> Result<()> {
    let bin = state.join("bin");
    fs_err::create_dir_all(&bin)?;
    let config = state.join("client");
    write_plugins(state, &docker.root)?;
    let script = format!(
        "#!/bin/sh\n\
         # Written by `cargo xtask daemon up`.\n\
         export DOCKER_HOST=\"${{DOCKER_HOST:-{}}}\" DOCKER_CONFIG=\"${{DOCKER_CONFIG:-{}}}\"\n\
         exec '{}' \"$@\"\n",
        engine::own_host(state),
        config.display(),
        docker.root.join("usr/bin/docker").display()
    );
    host::write_executable(&bin.join("docker"), &script)
}

/// Tells our client where its plugins are: those that came with it, and Compose once that is there.
fn write_plugins(state: &StateDir, docker: &Path) -> Result<()> {
    let own = docker.join("usr/libexec/docker/cli-plugins");
    let plugins: Vec<PathBuf> = [own].into_iter().chain(compose::folder(state)).collect();
    let config = state.join("client");
    fs_err::create_dir_all(&config)?;
    let text = serde_json::to_string_pretty(&json!({ "cliPluginsExtraDirs": plugins }))?;
    Ok(fs_err::write(config.join("config.json"), text)?)
}

/// The same for the client of a daemon that runs.
fn write_client_configuration(state: &StateDir) -> Result<()> {
    write_plugins(state, &unpacked(state, None)?.root)
}

fn wait_until_it_answers(state: &StateDir) -> Result<Engine> {
    let begun = Instant::now();
    loop {
        if let Some(engine) = Engine::own(state) {
            return Ok(engine);
        }
        // The pid file appears a moment after the start.
        let ended = running_pid(state).is_none() && begun.elapsed() > Duration::from_secs(5);
        if ended || begun.elapsed() > START_WITHIN {
            let log = fs_err::read_to_string(log_path(state)).unwrap_or_default();
            let why = if ended { "ended" } else { "did not answer in time" };
            bail!("the daemon {why}; the end of {}:\n{}", log_path(state).display(), host::tail(&log, 20));
        }
        thread::sleep(POLL_EVERY);
    }
}
