//! One target's solve: the request, and the two calls that carry it out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1 as api;
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use bollard_buildkit_proto::pb;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;

use crate::engine::{DaemonInfo, DaemonKind};
use crate::llb;
use crate::request::{ArchiveKind, BuildRequest, CacheEntry, Network, NoCache, Output, Pull, TargetRequest};
use crate::stages::Stages;

/// How long a status stream that has nothing to say may stay open after its solve failed: BuildKit waits some seconds
/// for a job that never came to be.
const SILENCE: Duration = Duration::from_millis(250);
/// How long a status stream may take to tell the rest after its solve ended.
const REST: Duration = Duration::from_secs(5);
/// How long it may take to tell that a solve was stopped, or to begin after a solve that is done.
const STOP: Duration = Duration::from_secs(1);
/// The build argument that BuildKit reads the time of images from.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// What all solves of a run have in common.
#[derive(Clone)]
pub(crate) struct Inputs {
    pub(crate) session: String,
    pub(crate) context: pb::Definition,
    pub(crate) stages: Arc<Stages>,
}

/// How a solve ended.
#[derive(Debug)]
pub(crate) enum SolveEnd {
    /// With what the exporter answered.
    Done(BTreeMap<String, String>),
    Failed(Box<Status>),
    /// Because we stopped it.
    Stopped,
    /// It never began, because a stage that it needs failed, of which another target tells.
    Blocked {
        by: usize,
        stage: String,
    },
}

/// A random name for a session or a solve.
pub(crate) fn random_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    format!("{:032x}", u128::from_le_bytes(bytes))
}

/// The request for one target.
pub(crate) fn request(
    run: &BuildRequest,
    target: &TargetRequest,
    inputs: &Inputs,
    daemon: &DaemonInfo,
) -> api::SolveRequest {
    let exporter = exporter(run, target, daemon);
    // BuildKit before 0.13 only knows the deprecated pair; later ones ignore it when there are exporters.
    let (exporter_deprecated, exporter_attrs_deprecated) =
        exporter.clone().map(|exporter| (exporter.r#type, exporter.attrs)).unwrap_or_default();
    let mut entitlements = Vec::new();
    if run.network == Network::Host {
        // Without it BuildKit says that `network.host` is not allowed.
        entitlements.push("network.host".to_owned());
    }
    api::SolveRequest {
        r#ref: random_id(),
        session: inputs.session.clone(),
        frontend: "dockerfile.v0".to_owned(),
        frontend_attrs: frontend_attributes(run, target, daemon),
        frontend_inputs: HashMap::from([
            ("context".to_owned(), inputs.context.clone()),
            ("dockerfile".to_owned(), llb::dockerfile(&inputs.stages.only(&run.dockerfile, &target.stage))),
        ]),
        entitlements,
        exporters: exporter.into_iter().collect(),
        exporter_deprecated,
        exporter_attrs_deprecated,
        cache: Some(api::CacheOptions {
            exports: target.cache_to.iter().map(cache_entry).collect(),
            imports: target.cache_from.iter().map(cache_entry).collect(),
            ..api::CacheOptions::default()
        }),
        internal: run.internal,
        ..api::SolveRequest::default()
    }
}

/// What the Dockerfile frontend is told.
fn frontend_attributes(run: &BuildRequest, target: &TargetRequest, daemon: &DaemonInfo) -> HashMap<String, String> {
    let TargetRequest { stage, build_args, labels, platforms, cache_from, attestations, .. } = target;
    let mut attributes = HashMap::new();
    let mut set = |key: &str, value: String| drop(attributes.insert(key.to_owned(), value));
    set("filename", llb::DOCKERFILE_NAME.to_owned());
    set("target", stage.clone());
    if let Some(epoch) = run.source_date_epoch.filter(|_| is_old_store(target, daemon)) {
        // Its exporter knows no time but what the frontend says; the others are told themselves, because the frontend also
        // makes working directories at that time, so that another one would run everything anew.
        set(&format!("build-arg:{EPOCH}"), epoch.to_string());
    }
    for (key, value) in build_args {
        set(&format!("build-arg:{key}"), value.clone());
    }
    for (key, value) in labels {
        set(&format!("label:{key}"), value.clone());
    }
    // They belong to what is exported; a solve for the cache alone would make them for nobody.
    for (kind, parameters) in attestations.iter().filter(|_| target.output != Output::CacheOnly) {
        set(&format!("attest:{kind}"), parameters.clone());
    }
    if !platforms.is_empty() {
        set("platform", platforms.join(","));
    }
    if !cache_from.is_empty() {
        let imports: Vec<_> =
            cache_from.iter().map(|entry| json!({ "Type": entry.kind, "Attrs": entry.attributes })).collect();
        set("cache-imports", json!(imports).to_string());
    }
    match &run.no_cache {
        NoCache::Nothing => {}
        NoCache::Everything => set("no-cache", String::new()),
        NoCache::Stages(stages) => set("no-cache", stages.join(",")),
    }
    if run.pull == Pull::Always {
        set("image-resolve-mode", "pull".to_owned());
    }
    match run.network {
        Network::Default => {}
        Network::Host => set("force-network-mode", "host".to_owned()),
        Network::None => set("force-network-mode", "none".to_owned()),
    }
    if !run.hosts.is_empty() {
        let hosts: Vec<_> = run.hosts.iter().map(|(name, address)| format!("{name}={address}")).collect();
        set("add-hosts", hosts.join(","));
    }
    attributes
}

/// Whether a target's image goes into a store of Docker's own, not one of containerd's.
fn is_old_store(target: &TargetRequest, daemon: &DaemonInfo) -> bool {
    target.output == Output::Image && daemon.kind == DaemonKind::Docker && !daemon.containerd_store
}

fn exporter(run: &BuildRequest, target: &TargetRequest, daemon: &DaemonInfo) -> Option<api::Exporter> {
    let mut attrs = HashMap::new();
    let kind = match (&target.output, daemon.kind) {
        // Docker's own, which every store has.
        (Output::Image, DaemonKind::Docker) => "moby",
        (Output::Image, DaemonKind::BuildKit) => "image",
        (Output::Registry, _) => {
            attrs.insert("push".to_owned(), "true".to_owned());
            "image"
        }
        (Output::Folder(_), _) => "local",
        (Output::Archive { kind, .. }, _) => match kind {
            ArchiveKind::Tar => "tar",
            ArchiveKind::Oci => "oci",
            ArchiveKind::Docker => "docker",
        },
        (Output::CacheOnly, _) => return None,
    };
    if let Some(epoch) = run.source_date_epoch.filter(|_| !is_old_store(target, daemon)) {
        attrs.insert("source-date-epoch".to_owned(), epoch.to_string());
    }
    let timed = run.source_date_epoch.is_some() || target.build_args.contains_key(EPOCH);
    if timed && rewrites_times(&target.output, daemon.kind) {
        attrs.insert("rewrite-timestamp".to_owned(), "true".to_owned());
    }
    if !target.tags.is_empty() {
        attrs.insert("name".to_owned(), target.tags.join(","));
    }
    attrs.extend(target.annotations.iter().map(|(key, value)| (format!("annotation.{key}"), value.clone())));
    Some(api::Exporter { r#type: kind.to_owned(), attrs })
}

/// Whether the exporter of an image can write its layers with other times of files than they have. Containerd's store in
/// Docker unpacks what it exports, which excludes that.
fn rewrites_times(output: &Output, daemon: DaemonKind) -> bool {
    match output {
        Output::Image => daemon == DaemonKind::BuildKit,
        Output::Registry | Output::Archive { kind: ArchiveKind::Oci | ArchiveKind::Docker, .. } => true,
        Output::Archive { kind: ArchiveKind::Tar, .. } | Output::Folder(_) | Output::CacheOnly => false,
    }
}

fn cache_entry(entry: &CacheEntry) -> api::CacheOptionsEntry {
    let CacheEntry { kind, attributes } = entry;
    api::CacheOptionsEntry { r#type: kind.clone(), attrs: attributes.clone().into_iter().collect() }
}

/// Carries a solve out, and passes on everything it says of its progress. Dropping the call is what cancels it on the
/// daemon.
pub(crate) async fn solve(
    mut control: ControlClient<Channel>,
    request: api::SolveRequest,
    said: impl Fn(api::StatusResponse) + Send + Sync,
    stop: CancellationToken,
) -> SolveEnd {
    let silent = AtomicBool::new(true);
    let mut status = Box::pin(follow(control.clone(), request.r#ref.clone(), |message| {
        silent.store(false, Ordering::Relaxed);
        said(message);
    }));
    let mut solving = Box::pin(control.solve(request));
    let mut open = true;
    let result = loop {
        tokio::select! {
            // The status call must be under way before the solve: one that is over before it is asked for, as when
            // everything is cached, has no status any more.
            biased;
            () = &mut status, if open => open = false,
            () = stop.cancelled() => break None,
            result = &mut solving => break Some(result),
        }
    };
    drop(solving);
    let patience = match (&result, silent.load(Ordering::Relaxed)) {
        (Some(Err(_)), true) => SILENCE,
        (None, _) | (Some(Ok(_)), true) => STOP,
        (Some(_), false) => REST,
    };
    if open {
        drop(tokio::time::timeout(patience, status).await);
    }
    match result {
        None => SolveEnd::Stopped,
        Some(Ok(response)) => SolveEnd::Done(response.into_inner().exporter_response.into_iter().collect()),
        Some(Err(status)) => SolveEnd::Failed(Box::new(status)),
    }
}

/// Passes on the status stream of a solve until it ends. That it breaks is no news: the solve breaks as well.
async fn follow(mut control: ControlClient<Channel>, id: String, said: impl Fn(api::StatusResponse)) {
    let Ok(response) = control.status(api::StatusRequest { r#ref: id }).await else { return };
    let mut stream = response.into_inner();
    while let Ok(Some(message)) = stream.message().await {
        said(message);
    }
}
