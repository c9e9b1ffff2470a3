//! Real installs, from a registry on the loopback: what `npm ci` puts on disk from sealed files is, byte for byte, what
//! it puts there of the whole lockfile; it asks the registry for nothing but tarballs; scripts run in npm's order.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail and speak")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use drydock_lockfile::{ClosureKind, InstallGraph, ProductionMode, PrunedInstall, RootDependencies, Selection, Shape};
use serde_json::Value;
use support::npm::{npms, write, write_whole};
use support::{Workspace, path};

/// The loopback registry; ends when it is dropped.
struct Registry {
    child: Child,
    port: u16,
}

impl Registry {
    fn start(table: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/registry.cjs");
        let mut child = Command::new("node")
            .arg(script)
            .arg(table)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap() }
    }

    fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The package documents that were asked for since the last call.
    fn hits(&self) -> Vec<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(b"GET /-/hits HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.rsplit("\r\n\r\n").next().unwrap()).unwrap()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One npm, a registry, and a scratch folder.
struct Harbour {
    npm: PathBuf,
    registry: Registry,
    scratch: tempfile::TempDir,
    workspace: Workspace,
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/harbour")
}

const MEMBERS: [&str; 4] = ["apps/api", "apps/web", "packages/kit", "packages/kit/addons/nested"];

impl Harbour {
    /// Copies the fixture and lets npm write its lockfile.
    fn new(npm: PathBuf) -> Self {
        let registry = Registry::start(&fixture().join("registry.json"));
        let scratch = tempfile::tempdir().unwrap();
        let source = scratch.path().join("source");
        copy_sources(&source);
        let mut harbour = Self { npm, registry, scratch, workspace: Workspace::parse(EMPTY) };
        harbour.npm_in(&source, &["install", "--package-lock-only", "--ignore-scripts"], &[]);
        harbour.workspace = Workspace::load_members(&source, &MEMBERS, &["vendor/local"]);
        harbour.workspace.bin_files = [(path("apps/api/bin/api.js"), false)].into_iter().collect();
        harbour
    }

    fn npm_in(&self, folder: &Path, arguments: &[&str], variables: &[(&str, &Path)]) -> String {
        let cache = self.scratch.path().join("cache");
        let mut command = Command::new("node");
        command.arg(self.npm.join("bin/npm-cli.js")).args(arguments).current_dir(folder);
        command.args(["--no-audit", "--no-fund", "--no-update-notifier", "--no-omit-lockfile-registry-resolved"]);
        command.arg("--registry").arg(self.registry.address()).arg("--cache").arg(cache);
        command.envs(variables.iter().copied()).env("HARBOUR_LOG", folder.join("log.txt"));
        let output = command.output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "npm {} in {}: {said}", arguments.join(" "), folder.display());
        said
    }
}

const EMPTY: &str = "== package.json\n{}\n== package-lock.json\n{\"lockfileVersion\": 3, \"packages\": {}}\n";

fn copy_sources(folder: &Path) {
    let files = ["package.json", "log.js", "apps/api/bin/api.js", "vendor/local/package.json"];
    let members = MEMBERS.map(|member| format!("{member}/package.json"));
    for file in files.into_iter().map(str::to_owned).chain(members) {
        write(&folder.join(&file), &fs_err::read(fixture().join(&file)).unwrap());
    }
}

fn write_install(install: &PrunedInstall, folder: &Path) {
    for (path, file) in &install.files {
        write(&folder.join(path.as_str()), &file.bytes);
    }
}

/// Every file below the `node_modules` of the root and of some directories: content, executable bit, or where a link
/// leads. npm's own record of the install is not part of it.
fn installed(folder: &Path, tops: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for top in tops {
        let modules = folder.join(top).join("node_modules");
        collect(folder, &modules, &mut found);
    }
    found
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs_err::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let shown = path.strip_prefix(root).unwrap().display().to_string();
        let metadata = fs_err::symlink_metadata(&path).unwrap();
        if metadata.is_symlink() {
            found.insert(shown, format!("-> {}", fs_err::read_link(&path).unwrap().display()));
        } else if metadata.is_dir() {
            collect(root, &path, found);
        } else if !shown.ends_with("node_modules/.package-lock.json") {
            let executable = metadata.permissions().mode() & 0o111 != 0;
            let content = fs_err::read(&path).unwrap();
            found.insert(shown, format!("{executable} {}", String::from_utf8_lossy(&content)));
        }
    }
}

#[test]
fn npm_installs_the_same_bytes_and_asks_for_nothing_else() {
    for npm in npms() {
        let harbour = Harbour::new(npm);
        let mut judged = 0;
        for member in MEMBERS {
            for kind in [ClosureKind::Build, ClosureKind::Production] {
                judge(&harbour, member, kind);
                judged += 1;
            }
        }
        println!("{}: {judged} of {judged} installs identical", harbour.npm.display());
    }
}

fn judge(harbour: &Harbour, member: &str, kind: ClosureKind) {
    let name = format!("{}-{kind:?}", member.replace('/', "-"));
    let selection = Selection { kind, ..Selection::build(vec![path(member)]) };
    harbour.workspace.with(|input| {
        let graph = InstallGraph::new(input).unwrap();
        let install = graph.prune(&selection).unwrap();
        assert_eq!(install.shape, Shape::Sealed, "{name}: {:?}", install.warnings);
        let sealed = harbour.scratch.path().join(format!("{name}-sealed"));
        write_install(&install, &sealed);
        let whole = harbour.scratch.path().join(format!("{name}-whole"));
        let survey = Selection::build(install.members.iter().cloned().collect());
        write_whole(input, &install, graph.closure(&survey).unwrap().members(), &whole);
        for (path, file) in install.files.iter().filter(|(_, file)| file.executable) {
            write(&whole.join(path.as_str()), &file.bytes);
        }
        write(&whole.join("vendor/local/package.json"), input.linked[&path("vendor/local")].text().as_bytes());
        write(&whole.join("log.js"), &fs_err::read(fixture().join("log.js")).unwrap());
        let production: &[&str] = if kind == ClosureKind::Production { &["--omit=dev"] } else { &["--include=dev"] };
        harbour.registry.hits();
        let arguments = [&["ci"][..], production].concat();
        harbour.npm_in(&sealed, &arguments, &[]);
        assert_eq!(harbour.registry.hits(), Vec::<Value>::new(), "{name}: npm had something to decide");
        harbour.npm_in(&whole, &[&arguments[..], &["--ignore-scripts"]].concat(), &[]);
        let mut tops: BTreeSet<String> = install.members.iter().map(|member| member.as_str().to_owned()).collect();
        tops.extend([String::new(), "vendor/local".to_owned()]);
        let (left, right) = (installed(&sealed, &tops), installed(&whole, &tops));
        let differing: Vec<&String> =
            left.keys().chain(right.keys()).filter(|key| left.get(*key) != right.get(*key)).collect();
        assert!(differing.is_empty(), "{name}: {differing:#?}");
        assert!(left.len() > 1, "{name}: nothing was installed");
    });
}

/// Sealed install, then the sources, then the steps: the same scripts in the same order as `npm ci` in the sources.
#[test]
fn deferred_scripts_run_in_the_order_of_npm() {
    for npm in npms() {
        let harbour = Harbour::new(npm);
        let plain = harbour.scratch.path().join("plain");
        copy_sources(&plain);
        write(&plain.join("package-lock.json"), harbour.workspace.lockfile.text().as_bytes());
        harbour.npm_in(&plain, &["ci", "--foreground-scripts"], &[]);
        let selection = Selection::build(MEMBERS.iter().map(|member| path(member)).collect());
        let install = harbour.workspace.with(|input| drydock_lockfile::prune(&input, &selection)).unwrap();
        let deferred = harbour.scratch.path().join("deferred");
        write_install(&install, &deferred);
        harbour.npm_in(&deferred, &["ci", "--foreground-scripts"], &[]);
        copy_sources(&deferred);
        for step in &install.lifecycle {
            let arguments: Vec<&str> = step.command.iter().skip(1).map(String::as_str).collect();
            assert_eq!(step.command[0], "npm");
            let log = deferred.join("log.txt");
            let folder = deferred.join(step.directory.as_str());
            harbour.npm_in(&folder, &[&arguments[..], &["--foreground-scripts"]].concat(), &[("HARBOUR_LOG", &log)]);
        }
        let log = |folder: &Path| fs_err::read_to_string(folder.join("log.txt")).unwrap();
        assert_eq!(log(&plain), log(&deferred));
        assert!(log(&plain).contains("kit prepare") && log(&plain).contains("root prepare"));
        let link = deferred.join("node_modules/.bin/harbour-api");
        assert!(link.is_symlink(), "the stub made npm link the command");
        assert_eq!(install.chmod_bins, [path("apps/api/bin/api.js")]);
    }
}

/// Strict production and other root policies are accepted by npm too.
#[test]
fn npm_takes_every_kind_of_selection() {
    let harbour = Harbour::new(npms().remove(0));
    let api = vec![path("apps/api")];
    let strict = Selection { production_mode: ProductionMode::Strict, ..Selection::production(api.clone()) };
    let none = Selection { root_dependencies: RootDependencies::None, ..Selection::build(api.clone()) };
    let only =
        Selection { root_dependencies: RootDependencies::Only(vec!["linter".to_owned()]), ..Selection::build(api) };
    for (number, selection) in [strict, none, only].into_iter().enumerate() {
        let install = harbour.workspace.with(|input| drydock_lockfile::prune(&input, &selection)).unwrap();
        assert_eq!(install.shape, Shape::Sealed);
        let folder = harbour.scratch.path().join(format!("selection-{number}"));
        write_install(&install, &folder);
        harbour.registry.hits();
        harbour.npm_in(&folder, &["ci"], &[]);
        assert_eq!(harbour.registry.hits(), Vec::<Value>::new());
        // Of a member inside a member npm installs nothing, neither from these files nor from the whole lockfile.
        let elsewhere = |entry: &&String| entry.contains("platform-darwin") || entry.starts_with("packages/kit/addons");
        let kept = install.entries.iter().filter(|entry| entry.contains("node_modules/"));
        for entry in kept.filter(|entry| !elsewhere(entry)) {
            assert!(folder.join(entry).exists(), "{entry} was not installed");
        }
        assert_eq!(install.entries.contains("node_modules/linter"), number == 2);
        assert_eq!(install.entries.contains("node_modules/driver-a"), number != 0);
    }
}
