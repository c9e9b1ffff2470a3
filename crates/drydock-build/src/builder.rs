//! The connection to a daemon, and what can be asked of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1 as api;
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use crate::credentials::Credentials;
use crate::dial::{Dialer, Stream, UpgradeError};
use crate::endpoint::{Endpoint, Environment};
use crate::engine::{DaemonInfo, Engine, ImageDetails};
use crate::error::BuildError;
use crate::event::{Event, Pushed};
use crate::outcome::BuildOutcome;
use crate::push;
use crate::request::BuildRequest;
use crate::run;
use crate::session::WINDOW;

/// The largest message taken from the daemon. What it says of progress can be more than gRPC's usual 4 MiB.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// A Docker daemon, connected.
#[derive(Clone)]
pub struct Builder {
    pub(crate) dialer: Dialer,
    pub(crate) engine: Engine,
    pub(crate) control: ControlClient<Channel>,
    pub(crate) credentials: Credentials,
    pub(crate) environment: Environment,
    info: DaemonInfo,
}

impl Builder {
    /// Connects to the daemon at `endpoint` and asks who it is. `environment` says where Docker's configuration is,
    /// for registry credentials.
    pub async fn connect(endpoint: Endpoint, environment: &Environment) -> Result<Self, BuildError> {
        let credentials = Credentials::load(environment)?;
        let dialer = Dialer::new(endpoint)?;
        // The first connection tells best why there is none.
        let first = dialer
            .dial()
            .await
            .map_err(|error| BuildError::DaemonUnreachable { tried: vec![dialer.endpoint().attempt(&error)] })?;
        drop(first);
        let engine = Engine::new(&dialer)?;
        let (introduced, stream) = tokio::join!(engine.introduce(&dialer), open_control(&dialer));
        // An old daemon fails both ways, and only its version says why.
        let ((engine, mut info), stream) = (introduced?, stream?);
        let control = control(&dialer, stream).await?;
        info.buildkit = buildkit_version(control.clone()).await;
        Ok(Self { dialer, engine, control, credentials, environment: environment.clone(), info })
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
        self.engine.inspect(image).await
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
        push::push(&self.engine, &self.credentials, references, jobs, &events, &cancel).await
    }

    /// Gives the image with this id or reference one more reference.
    pub async fn tag(&self, image: &str, reference: &str) -> Result<(), BuildError> {
        self.engine.tag(image, reference).await
    }
}

/// The connection for BuildKit's control API.
async fn open_control(dialer: &Dialer) -> Result<Stream, BuildError> {
    dialer.upgrade("/grpc", &[]).await.map_err(|error| match error {
        UpgradeError::Refused { status: 404 | 405 } => {
            BuildError::NoBuildKit { name: "what answers".to_owned(), address: dialer.endpoint().address.to_string() }
        }
        error => BuildError::DaemonUnreachable { tried: vec![dialer.endpoint().attempt(&error)] },
    })
}

/// BuildKit's control API on `stream`, and on a fresh connection should that one break between two runs.
async fn control(dialer: &Dialer, stream: Stream) -> Result<ControlClient<Channel>, BuildError> {
    let first = Arc::new(Mutex::new(Some(stream)));
    let redial = dialer.clone();
    let connector = tower::service_fn(move |_: http::Uri| {
        let (first, dialer) = (Arc::clone(&first), redial.clone());
        async move {
            let ready = first.lock().unwrap_or_else(PoisonError::into_inner).take();
            match ready {
                Some(stream) => Ok(TokioIo::new(stream)),
                None => dialer.upgrade("/grpc", &[]).await.map(TokioIo::new),
            }
        }
    });
    let channel = tonic::transport::Endpoint::from_static("http://docker")
        .initial_connection_window_size(WINDOW)
        .initial_stream_window_size(WINDOW)
        .connect_with_connector(connector)
        .await
        .map_err(|error| BuildError::DaemonUnreachable {
            tried: vec![dialer.endpoint().attempt(&crate::engine::root_cause(&error))],
        })?;
    Ok(ControlClient::new(channel).max_decoding_message_size(MAX_MESSAGE))
}

/// What BuildKit calls its version; it does not say before 0.11.
async fn buildkit_version(mut control: ControlClient<Channel>) -> Option<String> {
    let asked = tokio::time::timeout(Duration::from_secs(10), control.info(api::InfoRequest {})).await;
    let version = asked.ok()?.ok()?.into_inner().buildkit_version?.version;
    (!version.is_empty()).then_some(version)
}
