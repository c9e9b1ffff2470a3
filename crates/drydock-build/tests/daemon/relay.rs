//! What can stand between us and the daemon.

use drydock_build::{Address, CancellationToken, Endpoint};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};

/// Passes connections to `listener` on to the daemon until `cut`, then drops those that `which` begin so. To each it
/// first says `greeting`, and keeps the answer's head to itself.
pub(crate) async fn relay(
    listener: UnixListener,
    daemon: Endpoint,
    greeting: &'static [u8],
    which: &'static [u8],
    cut: CancellationToken,
) {
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        let (cut, daemon) = (cut.clone(), daemon.clone());
        tokio::spawn(async move {
            let mut beginning = vec![0; which.len()];
            let mut length = 0;
            while length < which.len() {
                match near.read(&mut beginning[length..]).await {
                    Ok(more @ 1..) => length += more,
                    _ => break,
                }
            }
            beginning.truncate(length);
            let first = [greeting, &beginning].concat();
            let relayed = pass_on(near, &daemon, &first, !greeting.is_empty());
            if beginning == which {
                tokio::select! {
                    () = cut.cancelled() => {}
                    () = relayed => {}
                }
            } else {
                relayed.await;
            }
        });
    }
}

/// Passes connections to `listener` on to the daemon; sessions only once `go` is cancelled.
pub(crate) async fn hold_sessions(listener: UnixListener, daemon: Endpoint, go: CancellationToken) {
    const SESSION: &[u8] = b"POST /session";
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        let (daemon, go) = (daemon.clone(), go.clone());
        tokio::spawn(async move {
            let mut beginning = vec![0; SESSION.len()];
            if near.read_exact(&mut beginning).await.is_ok() {
                if beginning == SESSION {
                    go.cancelled().await;
                }
                pass_on(near, &daemon, &beginning, false).await;
            }
        });
    }
}

/// Passes a connection on to the daemon, after `beginning`. With `skip_head`, the head of the first answer stays here.
pub(crate) async fn pass_on<S: AsyncRead + AsyncWrite + Unpin>(
    near: S,
    daemon: &Endpoint,
    beginning: &[u8],
    skip_head: bool,
) {
    match &daemon.address {
        Address::Unix(path) => join(near, UnixStream::connect(path).await.unwrap(), beginning, skip_head).await,
        Address::Tcp { host, port } => {
            join(near, TcpStream::connect((host.as_str(), *port)).await.unwrap(), beginning, skip_head).await;
        }
        other => panic!("the test cannot relay to {other}"),
    }
}

async fn join<N, F>(mut near: N, mut far: F, beginning: &[u8], skip_head: bool)
where
    N: AsyncRead + AsyncWrite + Unpin,
    F: AsyncRead + AsyncWrite + Unpin,
{
    far.write_all(beginning).await.unwrap();
    if skip_head {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(far.read_u8().await.unwrap());
        }
    }
    drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
}
