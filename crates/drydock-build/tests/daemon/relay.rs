//! A socket between us and the daemon.

use drydock_build::{Address, CancellationToken, Endpoint};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};

/// Passes connections to `listener` on to the daemon until `cut`, then drops them all. To each it first says
/// `greeting`, and keeps the answer's head to itself.
pub(crate) async fn relay(listener: UnixListener, daemon: Endpoint, greeting: &'static [u8], cut: CancellationToken) {
    loop {
        let near = tokio::select! {
            () = cut.cancelled() => return,
            accepted = listener.accept() => accepted.unwrap().0,
        };
        let (cut, daemon) = (cut.clone(), daemon.clone());
        tokio::spawn(async move {
            let relayed = async {
                match &daemon.address {
                    Address::Unix(path) => pass_on(near, UnixStream::connect(path).await.unwrap(), greeting).await,
                    Address::Tcp { host, port } => {
                        pass_on(near, TcpStream::connect((host.as_str(), *port)).await.unwrap(), greeting).await;
                    }
                    other => panic!("the test cannot relay to {other}"),
                }
            };
            tokio::select! {
                () = cut.cancelled() => {}
                () = relayed => {}
            }
        });
    }
}

async fn pass_on<S: AsyncRead + AsyncWrite + Unpin>(mut near: UnixStream, mut far: S, greeting: &[u8]) {
    if !greeting.is_empty() {
        far.write_all(greeting).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(far.read_u8().await.unwrap());
        }
    }
    drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
}
