//! One target's solve: the request, and the two calls that carry it out.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1 as api;
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use bollard_buildkit_proto::pb;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;

use crate::llb;
use crate::request::{BuildRequest, Network, NoCache, Output, Pull, TargetRequest};

/// How long a status stream that has nothing to say may stay open after its solve failed: BuildKit waits some seconds
/// for a job that never came to be.
const SILENCE: Duration = Duration::from_millis(250);
/// How long a status stream may take to tell the rest after its solve ended.
const REST: Duration = Duration::from_secs(5);
/// How long it may take to tell that a solve was stopped, or to begin after a solve that is done.
const STOP: Duration = Duration::from_secs(1);

/// What all solves of a run have in common.
#[derive(Clone)]
pub(crate) struct Inputs {
    pub(crate) session: String,
    pub(crate) context: pb::Definition,
    pub(crate) dockerfile: pb::Definition,
}

/// How a solve ended.
#[derive(Debug)]
pub(crate) enum SolveEnd {
    /// With what the exporter answered.
    Done(BTreeMap<String, String>),
    Failed(Box<Status>),
    /// Because we stopped it.
    Stopped,
}

/// A random name for a session or a solve.
pub(crate) fn random_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    format!("{:032x}", u128::from_le_bytes(bytes))
}

/// The request for one target.
pub(crate) fn request(run: &BuildRequest, target: &TargetRequest, inputs: &Inputs) -> api::SolveRequest {
    let TargetRequest { name: _, stage, tags, build_args, labels, platform, weight: _, output } = target;
    let mut attrs =
        HashMap::from([("filename".to_owned(), llb::DOCKERFILE_NAME.to_owned()), ("target".to_owned(), stage.clone())]);
    attrs.extend(build_args.iter().map(|(key, value)| (format!("build-arg:{key}"), value.clone())));
    attrs.extend(labels.iter().map(|(key, value)| (format!("label:{key}"), value.clone())));
    attrs.extend(platform.iter().map(|platform| ("platform".to_owned(), platform.clone())));
    match &run.no_cache {
        NoCache::Nothing => {}
        NoCache::Everything => drop(attrs.insert("no-cache".to_owned(), String::new())),
        NoCache::Stages(stages) => drop(attrs.insert("no-cache".to_owned(), stages.join(","))),
    }
    if run.pull == Pull::Always {
        attrs.insert("image-resolve-mode".to_owned(), "pull".to_owned());
    }
    let mut entitlements = Vec::new();
    match run.network {
        Network::Default => {}
        Network::Host => {
            attrs.insert("force-network-mode".to_owned(), "host".to_owned());
            // Without it BuildKit says that `network.host` is not allowed.
            entitlements.push("network.host".to_owned());
        }
        Network::None => drop(attrs.insert("force-network-mode".to_owned(), "none".to_owned())),
    }
    let exporter = match output {
        Output::Image => {
            let mut attrs = HashMap::new();
            if !tags.is_empty() {
                attrs.insert("name".to_owned(), tags.join(","));
            }
            Some(api::Exporter { r#type: "moby".to_owned(), attrs })
        }
        Output::CacheOnly => None,
    };
    // BuildKit before 0.13 only knows the deprecated pair; later ones ignore it when there are exporters.
    let (exporter_deprecated, exporter_attrs_deprecated) =
        exporter.clone().map(|exporter| (exporter.r#type, exporter.attrs)).unwrap_or_default();
    api::SolveRequest {
        r#ref: random_id(),
        session: inputs.session.clone(),
        frontend: "dockerfile.v0".to_owned(),
        frontend_attrs: attrs,
        frontend_inputs: HashMap::from([
            ("context".to_owned(), inputs.context.clone()),
            ("dockerfile".to_owned(), inputs.dockerfile.clone()),
        ]),
        entitlements,
        exporters: exporter.into_iter().collect(),
        exporter_deprecated,
        exporter_attrs_deprecated,
        cache: Some(api::CacheOptions::default()),
        internal: run.internal,
        ..api::SolveRequest::default()
    }
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
