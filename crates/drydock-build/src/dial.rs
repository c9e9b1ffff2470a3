//! Byte streams to the daemon, over whatever its address says.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::endpoint::{Address, Endpoint};
use crate::error::BuildError;
use crate::tls;

/// How long a daemon may take to accept a connection or to answer an upgrade.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a command that ended may take to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// What a pipe holds.
const PIPE: usize = 256 * 1024;
/// How much of an answer to an upgrade is read.
const MAX_HEAD: usize = 16 * 1024;

/// Opens connections to one endpoint.
#[derive(Clone)]
pub(crate) struct Dialer {
    endpoint: Arc<Endpoint>,
    tls: Option<Arc<ClientConfig>>,
}

impl Dialer {
    /// Reads the certificates that the endpoint names.
    pub(crate) fn new(endpoint: Endpoint) -> Result<Self, BuildError> {
        Self::speaking(endpoint, None)
    }

    /// The same, for connections that are HTTP/2 from the first byte.
    pub(crate) fn http2(&self) -> Result<Self, BuildError> {
        Self::speaking(Endpoint::clone(&self.endpoint), Some(b"h2"))
    }

    fn speaking(endpoint: Endpoint, protocol: Option<&[u8]>) -> Result<Self, BuildError> {
        let tls = match &endpoint.tls {
            Some(files) => {
                let config = tls::config(files, protocol)
                    .map_err(|reason| BuildError::Tls { address: endpoint.address.to_string(), reason })?;
                Some(Arc::new(config))
            }
            None => None,
        };
        Ok(Self { endpoint: Arc::new(endpoint), tls })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A fresh connection.
    pub(crate) async fn dial(&self) -> io::Result<Stream> {
        match tokio::time::timeout(PATIENCE, self.dial_patiently()).await {
            Ok(result) => result,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it took more than 30 seconds")),
        }
    }

    async fn dial_patiently(&self) -> io::Result<Stream> {
        match &self.endpoint.address {
            #[cfg(unix)]
            Address::Unix(path) => Ok(Stream::new(tokio::net::UnixStream::connect(path).await?)),
            #[cfg(windows)]
            Address::NamedPipe(path) => {
                Ok(Stream::new(tokio::net::windows::named_pipe::ClientOptions::new().open(path)?))
            }
            #[cfg(not(unix))]
            Address::Unix(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix sockets")),
            #[cfg(not(windows))]
            Address::NamedPipe(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "only Windows has named pipes")),
            Address::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                // A machine that vanishes sends nothing: only probes find out.
                let probes = socket2::TcpKeepalive::new()
                    .with_time(Duration::from_secs(15))
                    .with_interval(Duration::from_secs(5));
                socket2::SockRef::from(&stream).set_tcp_keepalive(&probes)?;
                match &self.tls {
                    Some(config) => {
                        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                        Ok(Stream::new(TlsConnector::from(Arc::clone(config)).connect(name, stream).await?))
                    }
                    None => Ok(Stream::new(stream)),
                }
            }
            Address::Ssh { user, host, port, socket } => {
                let command = ssh(user.as_deref(), host, *port, socket.as_deref());
                CommandStream::spawn(command).map(Stream::new)
            }
        }
    }

    /// A connection on which `POST path` was answered by an upgrade to HTTP/2.
    pub(crate) async fn upgrade(&self, path: &str, headers: &[(&str, String)]) -> Result<Stream, UpgradeError> {
        self.upgrade_on(self.dial().await?, path, headers).await
    }

    /// The same on a connection that is there already.
    pub(crate) async fn upgrade_on(
        &self,
        mut stream: Stream,
        path: &str,
        headers: &[(&str, String)],
    ) -> Result<Stream, UpgradeError> {
        let mut request = format!("POST {path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n");
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.push_str("\r\n");
        let answer = async {
            stream.write_all(request.as_bytes()).await?;
            stream.flush().await?;
            read_head(&mut stream).await
        };
        let head = tokio::time::timeout(PATIENCE, answer)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the daemon did not answer for 30 seconds"))??;
        let status = head.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok());
        match status {
            Some(101) => Ok(stream),
            Some(status) => Err(UpgradeError::Refused { status }),
            None => Err(UpgradeError::Io(io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))),
        }
    }
}

/// The command that reaches a daemon through ssh.
fn ssh(user: Option<&str>, host: &str, port: Option<u16>, socket: Option<&str>) -> Command {
    let mut command = Command::new("ssh");
    command.args(["-T", "-o", "ConnectTimeout=30"]);
    if let Some(user) = user {
        command.args(["-l", user]);
    }
    if let Some(port) = port {
        command.args(["-p", &port.to_string()]);
    }
    command.args(["--", host, "docker"]);
    if let Some(socket) = socket {
        command.arg(format!("--host=unix://{socket}"));
    }
    command.args(["system", "dial-stdio"]);
    command
}

/// Why there is no upgraded connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpgradeError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it answered with HTTP status {status}")]
    Refused { status: u16 },
}

/// Reads up to the empty line and not a byte further: what follows already belongs to the other protocol.
async fn read_head(stream: &mut Stream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > MAX_HEAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer has no end"));
        }
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, stream.end_reason().await));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {
    /// Comes to what the far side says of the end, where it says so elsewhere.
    fn last_words(&mut self) -> Option<JoinHandle<String>> {
        None
    }
}

#[cfg(unix)]
impl Duplex for tokio::net::UnixStream {}
#[cfg(windows)]
impl Duplex for tokio::net::windows::named_pipe::NamedPipeClient {}
impl Duplex for TcpStream {}
impl Duplex for tokio_rustls::client::TlsStream<TcpStream> {}
impl Duplex for tokio::io::DuplexStream {}

/// A connection of any kind.
pub(crate) struct Stream(Box<dyn Duplex>);

impl Stream {
    /// A connection that carries what is written to the other end.
    pub(crate) fn pipe() -> (Self, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(PIPE);
        (Self::new(near), far)
    }

    pub(crate) fn new(stream: impl Duplex + 'static) -> Self {
        Self(Box::new(stream))
    }

    /// Why the stream ended.
    async fn end_reason(&mut self) -> String {
        let said = match self.0.last_words() {
            Some(words) => tokio::time::timeout(LAST_WORDS, words).await.ok().and_then(Result::ok),
            None => None,
        };
        said.filter(|said| !said.is_empty()).unwrap_or_else(|| "the connection was closed".to_owned())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl tonic::transport::server::Connected for Stream {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

/// A command whose standard input and output are the connection.
struct CommandStream {
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: Option<JoinHandle<String>>,
    // Ends the command when the connection is dropped.
    _child: Child,
}

impl CommandStream {
    fn spawn(mut command: Command) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("`{}` cannot be run: {error}", command.as_std().get_program().display()),
            )
        })?;
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let errors = child.stderr.take().expect("stderr is piped");
        let stderr = tokio::spawn(async move {
            let mut said = Vec::new();
            drop(errors.take(MAX_HEAD as u64).read_to_end(&mut said).await);
            String::from_utf8_lossy(&said).trim().to_owned()
        });
        Ok(Self { stdin, stdout, stderr: Some(stderr), _child: child })
    }
}

impl Duplex for CommandStream {
    fn last_words(&mut self) -> Option<JoinHandle<String>> {
        self.stderr.take()
    }
}

impl AsyncRead for CommandStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(context, buffer)
    }
}

impl AsyncWrite for CommandStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stdin).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_is_told_where_to_go() {
        let command = ssh(Some("me"), "build", Some(2222), Some("/run/docker.sock"));
        let arguments: Vec<_> = command.as_std().get_args().map(|argument| argument.to_str().unwrap()).collect();
        assert_eq!(
            arguments.join(" "),
            "-T -o ConnectTimeout=30 -l me -p 2222 -- build docker --host=unix:///run/docker.sock system dial-stdio"
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_commands_standard_streams_are_a_connection() {
        let mut stream = Stream::new(CommandStream::spawn(Command::new("cat")).unwrap());
        stream.write_all(b"HTTP/1.1 101 Switching\r\n\r\nrest").await.unwrap();
        assert_eq!(read_head(&mut stream).await.unwrap(), "HTTP/1.1 101 Switching\r\n\r\n");
        let mut rest = [0; 4];
        stream.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"rest");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_a_command_says_of_its_end_is_the_reason() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'Host key verification failed.' >&2"]);
        let mut stream = Stream::new(CommandStream::spawn(command).unwrap());
        let error = read_head(&mut stream).await.unwrap_err();
        assert_eq!(error.to_string(), "Host key verification failed.");
    }
}
