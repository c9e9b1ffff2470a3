//! The daemons that a run builds on.

use drydock_build::{Address, BuildError, Endpoint, Environment, Fleet};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::endpoint;
use crate::args::BuildArgs;
use crate::commands::runtime;
use crate::failure::Failure;

/// Where to build, and the connections, which are made while the workspace is read: a daemon takes about as long to say
/// what it is as an unchanged plan takes to be recognised.
pub(in crate::commands) struct Daemons {
    pub(super) runtime: Runtime,
    pub(super) calls: Calls,
}

/// The connections that are being made, for who runs on the threads.
pub(super) struct Calls {
    environment: Environment,
    endpoints: Result<Vec<Endpoint>, Failure>,
    connecting: Option<JoinHandle<Result<Fleet, BuildError>>>,
}

impl Daemons {
    /// Begins to connect to those that are named, or to the one that `docker` would use. That there is none is told when
    /// it is needed. What is not on this machine is only called then: it may ask for a password.
    ///
    /// # Errors
    ///
    /// When the system gives no threads.
    pub(in crate::commands) fn call(args: &BuildArgs) -> Result<Self, Failure> {
        let runtime = runtime::start()?;
        let environment = Environment::of_process();
        let endpoints = endpoints(args, &environment);
        let here = |endpoint: &Endpoint| matches!(endpoint.address, Address::Unix(_));
        let connecting = match &endpoints {
            Ok(endpoints) if endpoints.iter().all(here) => {
                let (endpoints, environment) = (endpoints.clone(), environment.clone());
                Some(runtime.spawn(async move { Fleet::connect(endpoints, &environment).await }))
            }
            _ => None,
        };
        Ok(Self { runtime, calls: Calls { environment, endpoints, connecting } })
    }
}

impl Calls {
    /// Where the daemons are, and the connections to them, in one order.
    ///
    /// # Errors
    ///
    /// When `--builder`, `DOCKER_HOST` or the context of `docker` names no place where one may be.
    pub(super) fn answered(
        self,
    ) -> Result<(Vec<String>, impl Future<Output = Result<Fleet, BuildError>> + Send), Failure> {
        let Self { environment, endpoints, connecting } = self;
        let endpoints = endpoints?;
        let addresses = endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect();
        let fleet = async move {
            match connecting {
                Some(task) => task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())),
                None => Fleet::connect(endpoints, &environment).await,
            }
        };
        Ok((addresses, fleet))
    }
}

/// Where to build.
fn endpoints(args: &BuildArgs, environment: &Environment) -> Result<Vec<Endpoint>, Failure> {
    if args.builders.is_empty() {
        return Ok(vec![endpoint(None, environment)?]);
    }
    args.builders.iter().map(|address| endpoint(Some(address), environment)).collect()
}
