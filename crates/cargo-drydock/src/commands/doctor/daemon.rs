//! The daemon: whether it answers, what it can do, whether it has room, and whether it gets the base images.

use std::collections::BTreeMap;

use drydock_build::{Builder, DaemonInfo, DaemonKind, Endpoint, Environment, Registries};
use drydock_plan::{BuildPlan, ImageRef};
use futures_util::future::join_all;
use tokio::runtime::Runtime;

use super::super::bases;
use super::super::load::Loaded;
use super::finding::{Check, Finding};
use crate::render::Severity;
use crate::report::units::{bytes, count};

/// Free bytes below which builds are likely to fail.
const LITTLE: u64 = 2_000_000_000;
/// Free bytes below which they may.
const SCARCE: u64 = 10_000_000_000;

/// Adds the checks of the daemon, and says what its processors are.
pub(super) fn checks(
    runtime: &Runtime,
    loaded: Option<&Loaded>,
    plan: Option<&BuildPlan>,
    checks: &mut Vec<Check>,
) -> Option<String> {
    let images = plan.map(images).unwrap_or_default();
    let builder = match runtime.block_on(connect()) {
        Ok(builder) => builder,
        Err(finding) => {
            checks.push(Check { findings: vec![*finding], ..Check::new("daemon", "does not answer") });
            checks.push(Check::skipped("disk", "no daemon was asked"));
            checks.push(Check::skipped("base images", "no daemon was asked"));
            return None;
        }
    };
    let info = builder.info().clone();
    checks.push(daemon(&builder, loaded, plan));
    checks.push(disk(&info, &builder.endpoint().address.to_string()));
    checks.push(if images.is_empty() {
        Check::skipped("base images", "there is no plan that names them")
    } else {
        runtime.block_on(base_images(&builder, &images))
    });
    Some(info.arch)
}

async fn connect() -> Result<Builder, Box<Finding>> {
    let environment = Environment::of_process();
    let endpoint = Endpoint::resolve(&environment).map_err(|error| Box::new(Finding::error(&error)))?;
    Builder::connect(endpoint, &environment).await.map_err(|error| Box::new(Finding::error(&error)))
}

fn daemon(builder: &Builder, loaded: Option<&Loaded>, plan: Option<&BuildPlan>) -> Check {
    let info = builder.info();
    let name = if info.kind == DaemonKind::Docker { "Docker" } else { "BuildKit" };
    let store = match (info.kind, info.containerd_store) {
        (DaemonKind::BuildKit, _) => "no image store",
        (DaemonKind::Docker, true) => "containerd's image store",
        (DaemonKind::Docker, false) => "its own image store",
    };
    let buildkit = match &info.buildkit {
        Some(version) if info.kind == DaemonKind::Docker => format!(" with BuildKit {version}"),
        _ => String::new(),
    };
    let size = info.cpus.zip(info.memory);
    let size = size.map(|(cpus, memory)| format!(", {}, {}", count(cpus.into(), "processor"), bytes(memory)));
    let seen =
        format!("{name} {}{buildkit} on {}/{}, {store}{}", info.version, info.os, info.arch, size.unwrap_or_default());
    let mut check = Check::new("daemon", seen);
    if info.os != "linux" {
        let message = format!("the daemon builds images for {}", info.os);
        let help = "switch it to Linux containers";
        check.findings.push(Finding::new(Severity::Error, "daemon-not-linux", message).help(help));
    }
    check.findings.extend(platforms(info, loaded, plan));
    check
}

/// Whether the platforms that the configuration asks for can be had.
fn platforms(info: &DaemonInfo, loaded: Option<&Loaded>, plan: Option<&BuildPlan>) -> Option<Finding> {
    let images = &loaded?.config.images;
    let target = plan?.targets.iter().find(|target| {
        let platforms = images.of(target.name.as_str(), |settings| settings.platforms.as_ref());
        platforms.is_some_and(|platforms| platforms.len() > 1)
    })?;
    if info.containerd_store {
        return None;
    }
    let message =
        format!("target `{}` is for several platforms, which the daemon's image store cannot hold", target.name);
    let help = "turn on containerd's image store (`\"features\": {\"containerd-snapshotter\": true}` in the daemon's \
                `daemon.json`, or Docker Desktop's settings)";
    let place = loaded?.config.place("platforms");
    Some(Finding::new(Severity::Error, "daemon-single-platform", message).at(place).help(help))
}

/// Room on the disk of the daemon, where that is a disk of this machine.
fn disk(info: &DaemonInfo, address: &str) -> Check {
    let free = info.root.as_deref().filter(|_| address.starts_with("unix://")).and_then(free);
    let Some(free) = free else { return Check::skipped("disk", "the daemon's disk is not one of this machine") };
    let root = info.root.as_deref().unwrap_or_default();
    let mut check = Check::new("disk", format!("{} free below {root}", bytes(free)));
    if free < SCARCE {
        let severity = if free < LITTLE { Severity::Error } else { Severity::Warning };
        let message = format!("the daemon has {} left for images and caches", bytes(free));
        let help = "remove what is not used: `docker builder prune`, `docker image prune`";
        check.findings.push(Finding::new(severity, "daemon-disk-full", message).help(help));
    }
    check
}

/// Free bytes of the file system that holds `path`, for those who may write to it.
#[cfg(unix)]
fn free(path: &str) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free(_: &str) -> Option<u64> {
    None
}

/// The images that stages begin with, and the first stage of each.
fn images(plan: &BuildPlan) -> BTreeMap<String, String> {
    let mut images = BTreeMap::new();
    for stage in &plan.stages {
        if let Some(image) = stage.image() {
            images.entry(image.as_str().to_owned()).or_insert_with(|| stage.id.to_string());
        }
    }
    images
}

async fn base_images(builder: &Builder, images: &BTreeMap<String, String>) -> Check {
    let registries = &Registries::of(std::slice::from_ref(builder));
    let asked = images.keys().map(|image| async move {
        let reference = ImageRef::new(image);
        let here = matches!(bases::in_store(builder, &reference).await, Ok(Some(_)));
        let there = bases::in_registry(builder, registries, &reference).await.is_ok();
        (image, here, there)
    });
    let answers = join_all(asked).await;
    let mut findings = Vec::new();
    for (image, here, there) in &answers {
        let stage = &images[*image];
        match (here, there) {
            (_, true) => {}
            (true, false) => {
                let message = format!("`{image}` is in the daemon's store, and its registry does not answer for it");
                let finding = Finding::new(Severity::Note, "base-image-local", message);
                findings.push(finding.help("`build` uses what is there; `build --pull` would fail"));
            }
            (false, false) => {
                let message = format!("the daemon cannot get `{image}`, which the stage `{stage}` begins with");
                let help = "check its name, log in to its registry (`docker login`), or name another with `image` in \
                            the configuration";
                findings.push(Finding::new(Severity::Error, "base-image-unreachable", message).help(help));
            }
        }
    }
    let names: Vec<&str> = images.keys().map(String::as_str).collect();
    Check { findings, ..Check::new("base images", names.join(", ")) }
}
