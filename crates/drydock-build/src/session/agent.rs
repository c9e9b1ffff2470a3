//! Lets steps talk to ssh agents of this machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bollard_buildkit_proto::moby::sshforward::v1::ssh_server::Ssh;
use bollard_buildkit_proto::moby::sshforward::v1::{BytesMessage, CheckAgentRequest, CheckAgentResponse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, async_trait};

/// The id where a mount gives none.
const DEFAULT: &str = "default";
/// What is read from an agent at a time; its messages are smaller.
const CHUNK: usize = 32 * 1024;

/// Sockets of agents by id.
pub(super) struct Agents(pub(super) Arc<BTreeMap<String, PathBuf>>);

impl Agents {
    fn socket(&self, id: &str) -> Result<&PathBuf, Status> {
        let id = if id.is_empty() { DEFAULT } else { id };
        self.0.get(id).ok_or_else(|| Status::not_found(format!("there is no ssh agent `{id}`")))
    }
}

#[async_trait]
impl Ssh for Agents {
    async fn check_agent(&self, request: Request<CheckAgentRequest>) -> Result<Response<CheckAgentResponse>, Status> {
        self.socket(&request.get_ref().id)?;
        Ok(Response::new(CheckAgentResponse {}))
    }

    type ForwardAgentStream = ReceiverStream<Result<BytesMessage, Status>>;

    async fn forward_agent(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::ForwardAgentStream>, Status> {
        let id = request.metadata().get("buildkit.ssh.id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let (mut from_agent, mut to_agent) = connect(self.socket(id)?).await?;
        let mut incoming = request.into_inner();
        let (answers, stream) = mpsc::channel(4);
        tokio::spawn(async move {
            let asking = async {
                while let Ok(Some(BytesMessage { data })) = incoming.message().await {
                    if to_agent.write_all(&data).await.is_err() {
                        break;
                    }
                }
                drop(to_agent.shutdown().await);
            };
            let answering = async {
                let mut buffer = vec![0; CHUNK];
                while let Ok(length @ 1..) = from_agent.read(&mut buffer).await {
                    if answers.send(Ok(BytesMessage { data: buffer[..length].to_vec() })).await.is_err() {
                        break;
                    }
                }
                drop(answers);
            };
            tokio::join!(asking, answering);
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

#[cfg(unix)]
async fn connect(
    socket: &PathBuf,
) -> Result<(tokio::net::unix::OwnedReadHalf, tokio::net::unix::OwnedWriteHalf), Status> {
    let stream = tokio::net::UnixStream::connect(socket).await;
    let stream = stream.map_err(|error| Status::unavailable(format!("the ssh agent does not answer: {error}")))?;
    Ok(stream.into_split())
}

#[cfg(not(unix))]
async fn connect(_: &PathBuf) -> Result<(tokio::io::Empty, tokio::io::Sink), Status> {
    Err(Status::unimplemented("agents are only forwarded from systems with Unix sockets"))
}
