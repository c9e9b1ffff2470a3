//! The connection to a daemon, and what can be asked of it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1 as api;
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use crate::contents::ImageContents;
use crate::dial::{Dialer, Stream, UpgradeError};
use crate::docker_config::DockerConfig;
use crate::endpoint::{Address, Endpoint, Environment};
use crate::engine::{DaemonInfo, DaemonKind, Engine, ImageDetails};
use crate::error::BuildError;
use crate::event::{Event, Pushed};
use crate::outcome::BuildOutcome;
use crate::push;
use crate::request::BuildRequest;
use crate::run;
use crate::session::WINDOW;
use crate::tunnel;

/// The largest message taken from the daemon. What it says of progress can be more than gRPC's usual 4 MiB.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;
/// How long BuildKit may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// A Docker daemon, or a `buildkitd`, connected.
#[derive(Clone)]
pub struct Builder {
    dialer: Dialer,
    /// What `buildkitd` has not.
    engine: Option<Engine>,
    pub(crate) control: ControlClient<Channel>,
    pub(crate) docker_config: DockerConfig,
    pub(crate) environment: Environment,
    info: DaemonInfo,
}

impl Builder {
    /// Connects to the daemon at `endpoint` and asks who it is: Docker, or `buildkitd` alone. `environment` says where
    /// Docker's configuration is, for registry credentials, and holds the variables that secrets name.
    pub async fn connect(endpoint: Endpoint, environment: &Environment) -> Result<Self, BuildError> {
        let docker_config = DockerConfig::load(environment)?;
        let dialer = Dialer::new(endpoint)?;
        // The first connection tells best why there is none.
        let first = dialer
            .dial()
            .await
            .map_err(|error| BuildError::DaemonUnreachable { tried: vec![dialer.endpoint().attempt(&error)] })?;
        let environment = environment.clone();
        let (introduced, opened) = tokio::join!(Engine::new(&dialer)?.introduce(&dialer), open_control(&dialer, first));
        match (introduced, opened) {
            (Ok((engine, mut info)), Ok((control, buildkit))) => {
                info.buildkit = buildkit;
                Ok(Self { dialer, engine: Some(engine), control, docker_config, environment, info })
            }
            // We hear from this one what a command says when it fails.
            (Err(_), Err(error)) if matches!(dialer.endpoint().address, Address::Ssh { .. }) => Err(error),
            (Err(error @ BuildError::DaemonUnreachable { .. }), _) => {
                // What does not speak HTTP/1 may be BuildKit itself.
                let dialer = dialer.http2()?;
                let alone = control(dialer.clone(), None, DaemonKind::BuildKit).await;
                let Ok(control) = alone else { return Err(error) };
                let Some(info) = introduce_buildkit(control.clone()).await else { return Err(error) };
                Ok(Self { dialer, engine: None, control, docker_config, environment, info })
            }
            // What the daemon says of itself tells more than that it refused the other.
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// What the daemon says of itself.
    pub fn info(&self) -> &DaemonInfo {
        &self.info
    }

    /// Where the daemon is.
    pub fn endpoint(&self) -> &Endpoint {
        self.dialer.endpoint()
    }

    /// Builds the targets of `request`, telling `events` what happens meanwhile.
    ///
    /// An error means that the run as a whole could not be done. What became of each target is in the outcome.
    /// Cancelling `cancel` stops all steps on the daemon; targets that were not done are then
    /// [`Cancelled`](crate::TargetResult::Cancelled). Dropping the future stops them as well, without waiting.
    pub async fn build(
        &self,
        request: BuildRequest,
        events: UnboundedSender<Event>,
        cancel: CancellationToken,
    ) -> Result<BuildOutcome, BuildError> {
        run::build(self, request, events, cancel).await
    }

    /// The image with this id or reference; `None` when there is none.
    pub async fn image(&self, image: &str) -> Result<Option<ImageDetails>, BuildError> {
        self.engine()?.inspect(image).await
    }

    /// What the image with this id or reference holds, layer by layer. The whole image is read, and nothing is written to
    /// a disk.
    pub async fn contents(&self, image: &str) -> Result<ImageContents, BuildError> {
        self.engine()?.contents(image).await
    }

    /// The ids of the images with this label and value, newest first.
    pub async fn labelled(&self, key: &str, value: &str) -> Result<Vec<String>, BuildError> {
        self.engine()?.labelled(key, value).await
    }

    /// The digest of what a registry has under a reference, which the daemon asks with the credentials of Docker's
    /// configuration. The error is a sentence: the registry does not answer soon, refuses, or knows no such image.
    pub async fn registry_digest(&self, reference: &str) -> Result<String, String> {
        let engine = self.engine().map_err(|error| error.to_string())?;
        let asked = push::registry_digest(engine, &self.docker_config, reference);
        let late = |_| format!("no answer within {} seconds", PATIENCE.as_secs());
        tokio::time::timeout(PATIENCE, asked).await.map_err(late)?
    }

    /// Pushes image references that are in the daemon's store, `jobs` at a time, with the credentials of Docker's
    /// configuration. Nothing is pushed before this is called: call it when every target was built. At the first
    /// reference that fails the others are stopped, and the error names those that had arrived.
    pub async fn push(
        &self,
        references: &[String],
        jobs: usize,
        events: UnboundedSender<Event>,
        cancel: CancellationToken,
    ) -> Result<Vec<Pushed>, BuildError> {
        push::push(self.engine()?, &self.docker_config, references, jobs, &events, &cancel).await
    }

    /// Gives the image with this id or reference one more reference.
    pub async fn tag(&self, image: &str, reference: &str) -> Result<(), BuildError> {
        self.engine()?.tag(image, reference).await
    }

    /// Takes the images of an archive, as [`ArchiveKind::Docker`](crate::ArchiveKind::Docker) makes them, into the
    /// daemon's store, and says what they are called there.
    pub async fn load(&self, archive: &Path) -> Result<Vec<String>, BuildError> {
        self.engine()?.load(archive).await
    }

    fn engine(&self) -> Result<&Engine, BuildError> {
        let address = || self.dialer.endpoint().address.to_string();
        self.engine.as_ref().ok_or_else(|| BuildError::NoImageStore { address: address() })
    }

    /// A connection on which the daemon asks and we answer. `headers` introduce it.
    pub(crate) async fn open_session(&self, headers: &[(&'static str, String)]) -> Result<Stream, BuildError> {
        match self.info.kind {
            DaemonKind::Docker => self.dialer.upgrade("/session", headers).await.map_err(|error| {
                BuildError::ConnectionLost { activity: "opening a session", reason: error.to_string() }
            }),
            DaemonKind::BuildKit => Ok(tunnel::open(self.control.clone(), headers)),
        }
    }
}

/// BuildKit's control API inside of Docker, on the connection `first`, and its version.
async fn open_control(dialer: &Dialer, first: Stream) -> Result<(ControlClient<Channel>, Option<String>), BuildError> {
    let stream = dialer.upgrade_on(first, "/grpc", &[]).await.map_err(|error| match error {
        UpgradeError::Refused { status: 404 | 405 } => {
            BuildError::NoBuildKit { name: "what answers".to_owned(), address: dialer.endpoint().address.to_string() }
        }
        error => BuildError::DaemonUnreachable { tried: vec![dialer.endpoint().attempt(&error)] },
    })?;
    let control = control(dialer.clone(), Some(stream), DaemonKind::Docker).await?;
    let version = buildkit_version(control.clone()).await;
    Ok((control, version))
}

/// BuildKit's control API on `first`, and on a fresh connection should that one break between two runs.
async fn control(
    dialer: Dialer,
    first: Option<Stream>,
    kind: DaemonKind,
) -> Result<ControlClient<Channel>, BuildError> {
    let unreachable = dialer.endpoint().clone();
    let first = Arc::new(Mutex::new(first));
    let connector = tower::service_fn(move |_: http::Uri| {
        let (first, dialer) = (Arc::clone(&first), dialer.clone());
        async move {
            let ready = first.lock().unwrap_or_else(PoisonError::into_inner).take();
            match (ready, kind) {
                (Some(stream), _) => Ok(TokioIo::new(stream)),
                (None, DaemonKind::Docker) => dialer.upgrade("/grpc", &[]).await.map(TokioIo::new),
                (None, DaemonKind::BuildKit) => dialer.dial().await.map(TokioIo::new).map_err(UpgradeError::from),
            }
        }
    });
    let channel = tonic::transport::Endpoint::from_static("http://docker")
        .initial_connection_window_size(WINDOW)
        .initial_stream_window_size(WINDOW)
        .connect_with_connector(connector)
        .await
        .map_err(|error| BuildError::DaemonUnreachable {
            tried: vec![unreachable.attempt(&crate::engine::root_cause(&error))],
        })?;
    Ok(ControlClient::new(channel).max_decoding_message_size(MAX_MESSAGE))
}

/// What BuildKit calls its version; it does not say before 0.11.
async fn buildkit_version(mut control: ControlClient<Channel>) -> Option<String> {
    let asked = tokio::time::timeout(PATIENCE, control.info(api::InfoRequest {})).await;
    let version = asked.ok()?.ok()?.into_inner().buildkit_version?.version;
    (!version.is_empty()).then_some(version)
}

/// What a `buildkitd` says of itself; `None` when it is none.
async fn introduce_buildkit(mut control: ControlClient<Channel>) -> Option<DaemonInfo> {
    let asked = tokio::time::timeout(PATIENCE, control.list_workers(api::ListWorkersRequest::default())).await;
    let worker = asked.ok()?.ok()?.into_inner().record.into_iter().next()?;
    let platform = worker.platforms.into_iter().next().unwrap_or_default();
    let buildkit = buildkit_version(control).await;
    Some(DaemonInfo {
        kind: DaemonKind::BuildKit,
        version: buildkit.clone().unwrap_or_default(),
        api: String::new(),
        buildkit,
        containerd_store: true,
        os: platform.os,
        arch: platform.architecture,
        cpus: None,
        memory: None,
        root: None,
        insecure_registries: Vec::new(),
    })
}
