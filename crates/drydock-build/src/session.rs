//! The session: a connection on which the daemon asks and we answer. It serves the context, secrets and registry
//! credentials to every solve of a run.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bollard_buildkit_proto::health::health_server::HealthServer;
use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::SecretsServer;
use bollard_buildkit_proto::moby::filesync::packet::file_send_server::FileSendServer as PacketSendServer;
use bollard_buildkit_proto::moby::filesync::v1::auth_server::AuthServer;
use bollard_buildkit_proto::moby::filesync::v1::file_send_server::FileSendServer;
use bollard_buildkit_proto::moby::filesync::v1::file_sync_server::FileSyncServer;
use bollard_buildkit_proto::moby::sshforward::v1::ssh_server::SshServer;
use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Server;

use crate::builder::Builder;
use crate::dial::Stream;
use crate::docker_config::DockerConfig;
use crate::error::BuildError;
use crate::listing::Listing;

mod agent;
mod answers;
mod blobs;
mod filesync;
mod receive;

pub(crate) use blobs::Blobs;
pub(crate) use filesync::Sent;
pub(crate) use receive::Sink;

/// The largest window there is. The daemon asks for thousands of files in frames of a few bytes each, and h2 takes a
/// flood of small frames for an attack unless the window is large.
pub(crate) const WINDOW: u32 = (1 << 31) - 1;

/// The methods that the session offers, as the daemon wants them announced.
const METHODS: [&str; 9] = [
    "/grpc.health.v1.Health/Check",
    "/moby.filesync.v1.FileSync/DiffCopy",
    "/moby.filesync.v1.Auth/Credentials",
    "/moby.filesync.v1.Auth/FetchToken",
    "/moby.filesync.v1.Auth/GetTokenAuthority",
    "/moby.filesync.v1.Auth/VerifyTokenAuthority",
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    "/moby.sshforward.v1.SSH/CheckAgent",
    "/moby.sshforward.v1.SSH/ForwardAgent",
];

/// The method by which results come back.
const SEND: &str = "/moby.filesync.v1.FileSend/DiffCopy";

/// What a session has to give.
#[derive(Clone)]
pub(crate) struct Content {
    pub(crate) listing: Arc<Listing>,
    pub(crate) secrets: Arc<BTreeMap<String, Arc<[u8]>>>,
    /// Sockets of ssh agents by id.
    pub(crate) agents: Arc<BTreeMap<String, PathBuf>>,
    /// Folders that hold build caches.
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) docker_config: DockerConfig,
    /// Counts what is sent.
    pub(crate) sent: Arc<Sent>,
    /// Told when the context cannot be served as listed.
    pub(crate) faults: UnboundedSender<BuildError>,
}

/// An open session.
pub(crate) struct Session {
    /// Fires when the connection has ended, for whatever reason.
    pub(crate) ended: CancellationToken,
    close: CancellationToken,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Session {
    /// Opens a session and begins to answer on it. `id` names it in solve requests, `shared_key` names the context
    /// across runs, and `sink` takes the result that comes back, if one does.
    pub(crate) async fn open(
        builder: &Builder,
        id: &str,
        shared_key: &str,
        content: Content,
        sink: Option<Sink>,
    ) -> Result<Self, BuildError> {
        let mut headers = vec![
            ("X-Docker-Expose-Session-Uuid", id.to_owned()),
            ("X-Docker-Expose-Session-Name", "drydock".to_owned()),
            ("X-Docker-Expose-Session-Sharedkey", shared_key.to_owned()),
        ];
        let methods = METHODS.into_iter().chain(blobs::METHODS).chain(sink.is_some().then_some(SEND));
        headers.extend(methods.map(|method| ("X-Docker-Expose-Session-Grpc-Method", method.to_owned())));
        let stream = builder.open_session(&headers).await?;
        Ok(Self::serve(stream, content, sink))
    }

    fn serve(stream: Stream, content: Content, sink: Option<Sink>) -> Self {
        let Content { listing, secrets, agents, blobs, docker_config, sent, faults } = content;
        let ended = CancellationToken::new();
        let close = CancellationToken::new();
        let stream = Watched { stream, _ended: ended.clone().drop_guard() };
        let (folder, archive) = match sink {
            Some(Sink::Folder(path)) => (Some(path), None),
            Some(Sink::Archive(path)) => (None, Some(path)),
            None => (None, None),
        };
        let router = Server::builder()
            .initial_connection_window_size(WINDOW)
            .initial_stream_window_size(WINDOW)
            .add_service(HealthServer::new(answers::Alive))
            .add_service(FileSyncServer::new(filesync::ContextFiles::new(listing, sent, faults)))
            .add_service(SecretsServer::new(answers::SecretValues(secrets)))
            .add_service(SshServer::new(agent::Agents(agents)))
            .add_service(AuthServer::new(answers::RegistryLogins(docker_config)))
            .add_service(blobs::ContentServer(blobs))
            .add_optional_service(folder.map(|path| PacketSendServer::new(receive::Folder(path))))
            .add_optional_service(archive.map(|path| FileSendServer::new(receive::Archive(path))));
        // The one connection, and then none: ending the stream would end the server.
        let incoming = futures_util::stream::iter([Ok::<_, io::Error>(stream)]).chain(futures_util::stream::pending());
        let closing = close.clone();
        let server = tokio::spawn(router.serve_with_incoming_shutdown(incoming, closing.cancelled_owned()));
        Self { ended, close, server }
    }

    /// Ends the session, and waits a little for the daemon to notice.
    pub(crate) async fn close(self) {
        self.close.cancel();
        if tokio::time::timeout(Duration::from_secs(1), self.ended.cancelled()).await.is_err() {
            self.server.abort();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close.cancel();
    }
}

/// Tells when the connection is dropped, which the server does as soon as it ends.
struct Watched {
    stream: Stream,
    _ended: DropGuard,
}

impl tonic::transport::server::Connected for Watched {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
