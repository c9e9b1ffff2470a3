//! Counts what a client sends to BuildKit, between the two: an outside judge for both candidates.
//!
//! A client's session is an HTTP/2 connection on which the daemon asks and the client answers. Files
//! of the context go over it as gRPC messages of `moby.filesync.v1.FileSync/DiffCopy`, one `Packet`
//! each; those of type `PACKET_DATA` carry content, and one without content ends a file. A session may also go through
//! a call of the control API.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result};

/// What went to the daemon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sent {
    /// Bytes of files' content.
    pub(super) bytes: u64,
    /// Files sent to their end.
    pub(super) files: u64,
    /// Bytes on all connections: content, listings, requests.
    pub(super) wire: u64,
}

/// A socket that passes everything on to the daemon, and counts.
pub(super) struct Relay {
    socket: PathBuf,
    counters: Arc<Counters>,
    over: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counters {
    bytes: AtomicU64,
    files: AtomicU64,
    wire: AtomicU64,
}

impl Relay {
    /// Listens at `socket`, which must not exist, for connections to the daemon at `daemon`.
    pub(super) fn start(socket: &Path, daemon: &Path) -> Result<Self> {
        let listener = UnixListener::bind(socket).with_context(|| format!("cannot listen at {}", socket.display()))?;
        let counters = Arc::new(Counters::default());
        let over = Arc::new(AtomicBool::new(false));
        let acceptor = {
            let (counters, over, daemon) = (Arc::clone(&counters), Arc::clone(&over), daemon.to_owned());
            thread::spawn(move || {
                let mut connections = Vec::new();
                while let Ok((client, _)) = listener.accept() {
                    if over.load(Ordering::Acquire) {
                        break;
                    }
                    let Ok(daemon) = UnixStream::connect(&daemon) else { continue };
                    connections.extend(pass_on(client, daemon, &counters).into_iter().flatten());
                }
                for connection in connections {
                    drop(connection.join());
                }
            })
        };
        Ok(Self { socket: socket.to_owned(), counters, over, acceptor: Some(acceptor) })
    }

    /// The value for `DOCKER_HOST`.
    pub(super) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Ends when the clients have, and says what they sent.
    pub(super) fn finish(mut self) -> Sent {
        self.over.store(true, Ordering::Release);
        // The acceptor waits for a connection; this one makes it look.
        drop(UnixStream::connect(&self.socket));
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
        drop(fs_err::remove_file(&self.socket));
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Sent { bytes: read(&self.counters.bytes), files: read(&self.counters.files), wire: read(&self.counters.wire) }
    }
}

/// Both directions of a connection, a thread each.
fn pass_on(client: UnixStream, daemon: UnixStream, counters: &Arc<Counters>) -> io::Result<[JoinHandle<()>; 2]> {
    let (mut answers, mut back) = (daemon.try_clone()?, client.try_clone()?);
    let counters = Arc::clone(counters);
    let forth = thread::spawn(move || drop(forward(client, daemon, &counters)));
    let back = thread::spawn(move || {
        drop(io::copy(&mut answers, &mut back));
        drop(back.shutdown(Shutdown::Both));
    });
    Ok([forth, back])
}

fn forward(mut client: UnixStream, mut daemon: UnixStream, counters: &Counters) -> io::Result<()> {
    let mut judge = Judge::default();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let length = match client.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(length) => length,
        };
        counters.wire.fetch_add(length as u64, Ordering::Relaxed);
        judge.see(&buffer[..length]);
        if daemon.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let (files, bytes) = judge.counted();
    counters.files.fetch_add(files, Ordering::Relaxed);
    counters.bytes.fetch_add(bytes, Ordering::Relaxed);
    daemon.shutdown(Shutdown::Both)
}

/// How connections begin that are read along: a session, and BuildKit's control API, through which bake opens sessions
/// that several targets share.
const SESSION: &[u8] = b"POST /session ";
const CONTROL: &[u8] = b"POST /grpc ";
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
/// What the client of an HTTP/2 connection sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Types of frames: those that carry messages, and the one that the server of a connection sends first.
const DATA: u8 = 0;
const SETTINGS: u8 = 4;
const FRAME_HEAD: usize = 9;
/// Compressed or not, and the length.
const MESSAGE_HEAD: usize = 5;

/// Reads along one direction of one connection.
enum Judge {
    /// In the HTTP/1 request.
    Request(Vec<u8>),
    Session(Session),
    Control(Control),
    Elsewhere,
}

impl Default for Judge {
    fn default() -> Self {
        Self::Request(Vec::new())
    }
}

impl Judge {
    fn see(&mut self, bytes: &[u8]) {
        match self {
            Self::Elsewhere => {}
            Self::Session(session) => session.see(bytes),
            Self::Control(control) => control.see(bytes),
            Self::Request(head) => {
                head.extend_from_slice(bytes);
                let possible = |line: &[u8]| head.starts_with(line) || line.starts_with(head);
                if !possible(SESSION) && !possible(CONTROL) {
                    *self = Self::Elsewhere;
                } else if let Some(end) = head.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD) {
                    let rest = head.split_off(end + END_OF_HEAD.len());
                    *self = if head.starts_with(SESSION) {
                        Self::Session(Session::default())
                    } else {
                        Self::Control(Control::default())
                    };
                    self.see(&rest);
                }
            }
        }
    }

    /// Files and bytes of content.
    fn counted(&self) -> (u64, u64) {
        match self {
            Self::Session(session) => (session.files, session.bytes),
            Self::Control(control) => {
                let sessions = control.streams.values().filter_map(|stream| stream.session.as_ref());
                sessions.fold((0, 0), |(files, bytes), session| (files + session.files, bytes + session.bytes))
            }
            Self::Request(_) | Self::Elsewhere => (0, 0),
        }
    }
}

/// An HTTP/2 connection, of which only the messages matter.
#[derive(Default)]
struct Frames {
    /// What was read of a head that is not whole yet.
    head: Vec<u8>,
    /// The stream of the frame that is being read, if it carries messages, and how much of the frame is to come.
    frame: Option<(Option<u32>, usize)>,
}

impl Frames {
    /// Calls `data` with the pieces of streams that `bytes` carry.
    fn see(&mut self, mut bytes: &[u8], mut data: impl FnMut(u32, &[u8])) {
        while !bytes.is_empty() {
            if let Some((stream, left)) = &mut self.frame {
                let (now, later) = bytes.split_at(bytes.len().min(*left));
                *left -= now.len();
                bytes = later;
                if let Some(stream) = *stream {
                    data(stream, now);
                }
                if *left == 0 {
                    self.frame = None;
                }
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(FRAME_HEAD - self.head.len()));
            self.head.extend_from_slice(now);
            bytes = later;
            if let [a, b, c, kind, _flags, s, t, u, v] = *self.head {
                let length = u32::from_be_bytes([0, a, b, c]) as usize;
                let stream = (kind == DATA).then(|| u32::from_be_bytes([s, t, u, v]));
                self.frame = (length > 0).then_some((stream, length));
                self.head.clear();
            }
        }
    }
}

/// gRPC messages of one stream.
#[derive(Default)]
struct Messages(Vec<u8>);

impl Messages {
    /// Calls `message` with each one that is whole.
    fn see(&mut self, bytes: &[u8], mut message: impl FnMut(&[u8])) {
        self.0.extend_from_slice(bytes);
        let mut rest = &*self.0;
        while let Some((&[_compressed, a, b, c, d], body)) = rest.split_first_chunk::<MESSAGE_HEAD>()
            && let Some((body, later)) = body.split_at_checked(u32::from_be_bytes([a, b, c, d]) as usize)
        {
            message(body);
            rest = later;
        }
        let seen = self.0.len() - rest.len();
        self.0.drain(..seen);
    }
}

/// A session, of which only packets that carry content matter.
#[derive(Default)]
struct Session {
    frames: Frames,
    streams: BTreeMap<u32, Messages>,
    bytes: u64,
    files: u64,
}

impl Session {
    fn see(&mut self, bytes: &[u8]) {
        let Self { frames, streams, bytes: total, files } = self;
        frames.see(bytes, |stream, piece| {
            streams.entry(stream).or_default().see(piece, |message| {
                if let Some(content) = content_of(message) {
                    *total += content;
                    *files += u64::from(content == 0);
                }
            });
        });
    }
}

/// A connection for the control API, of which only tunnels of sessions matter.
#[derive(Default)]
struct Control {
    /// How much of the preface was seen.
    preface: usize,
    frames: Frames,
    streams: BTreeMap<u32, Stream>,
}

#[derive(Default)]
struct Stream {
    messages: Messages,
    /// Whether a first message came.
    begun: bool,
    /// What the stream is, if it is a tunnel.
    session: Option<Session>,
}

impl Control {
    fn see(&mut self, bytes: &[u8]) {
        let skipped = bytes.len().min(PREFACE.len() - self.preface);
        self.preface += skipped;
        let streams = &mut self.streams;
        self.frames.see(&bytes[skipped..], |stream, piece| {
            let Stream { messages, begun, session } = streams.entry(stream).or_default();
            messages.see(piece, |message| {
                // `BytesMessage { data }`, or any other request whose first field is bytes or text.
                let content = message.strip_prefix(&[0x0a]).and_then(varint).map(|(_, content)| content);
                let content = content.unwrap_or_default();
                let settings = matches!(content, [_, _, _, SETTINGS, 0, 0, 0, 0, 0, ..]);
                if !std::mem::replace(begun, true) && settings {
                    *session = Some(Session::default());
                }
                if let Some(session) = session {
                    session.see(content);
                }
            });
        });
    }
}

/// How many bytes of content a packet with this beginning carries; `None` when it is none that carries content.
fn content_of(packet: &[u8]) -> Option<u64> {
    // type: PACKET_DATA; protobuf writes fields in the order of their numbers.
    let mut rest = packet.strip_prefix(&[0x08, 0x02])?;
    if let Some(id) = rest.strip_prefix(&[0x18]) {
        (_, rest) = varint(id)?;
    }
    match rest.strip_prefix(&[0x22]) {
        Some(length) => varint(length).map(|(length, _)| length),
        None => Some(0),
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().take(10).position(|byte| byte & 0x80 == 0)?;
    let (number, rest) = bytes.split_at(end + 1);
    let value = number.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, stream: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0], &stream.to_be_bytes(), body].concat()
    }

    fn message(packet: &[u8]) -> Vec<u8> {
        [&[0][..], &u32::try_from(packet.len()).unwrap().to_be_bytes(), packet].concat()
    }

    /// The daemon's view of a session that sends one file of 300 bytes, and another that is empty.
    fn session() -> Vec<u8> {
        let content = [&[0x08, 0x02, 0x18, 0x87, 0x01, 0x22, 0xac, 0x02][..], &[7; 300]].concat();
        let end = [0x08, 0x02, 0x18, 0x87, 0x01];
        let stat = [0x12, 0x03, 0x08, 0x02, 0x18];
        let messages = [message(&stat), message(&content), message(&end), message(&[])].concat();
        let (one, two) = messages.split_at(11);
        let empty = frame(DATA, 3, &message(&[0x08, 0x02]));
        [frame(SETTINGS, 0, &[0; 18]), frame(DATA, 1, one), empty, frame(DATA, 1, two), frame(DATA, 1, &[])].concat()
    }

    fn in_pieces(connection: &[u8]) {
        for size in [1, 2, 7, 64, connection.len()] {
            let mut judge = Judge::default();
            connection.chunks(size).for_each(|chunk| judge.see(chunk));
            assert_eq!(judge.counted(), (2, 300), "in pieces of {size}");
        }
    }

    #[test]
    fn files_and_their_bytes_are_counted_however_they_are_cut() {
        in_pieces(&[b"POST /session HTTP/1.1\r\nHost: docker\r\n\r\n".as_slice(), &session()].concat());
    }

    #[test]
    fn sessions_inside_of_the_control_connection_are_counted() {
        let request = frame(DATA, 1, &message(b"\x0a\x19some other call's reference"));
        let session = session();
        let tunnelled = session
            .chunks(100)
            .map(|chunk| frame(DATA, 3, &message(&[&[0x0a, u8::try_from(chunk.len()).unwrap()], chunk].concat())));
        let frames = [vec![request], tunnelled.collect()].concat().concat();
        in_pieces(&[b"POST /grpc HTTP/1.1\r\n\r\n".as_slice(), PREFACE, &frames].concat());
    }

    #[test]
    fn other_connections_are_left_alone() {
        let mut judge = Judge::default();
        judge.see(b"POST /v1.51/images/create HTTP/1.1\r\n\r\n");
        judge.see(&frame(DATA, 1, &message(&[0x08, 0x02])));
        assert_eq!(judge.counted(), (0, 0));
    }

    #[test]
    fn what_comes_is_passed_on() {
        let folder = std::env::temp_dir().join(format!("drydock-wire-{}", std::process::id()));
        fs_err::create_dir_all(&folder).unwrap();
        let daemon = UnixListener::bind(folder.join("daemon")).unwrap();
        let relay = Relay::start(&folder.join("relay"), &folder.join("daemon")).unwrap();
        let mut client = UnixStream::connect(relay.host().strip_prefix("unix://").unwrap()).unwrap();
        client.write_all(b"ping").unwrap();
        let (mut far, _) = daemon.accept().unwrap();
        let mut got = [0; 4];
        far.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"ping");
        far.write_all(b"pong").unwrap();
        client.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"pong");
        drop((client, far));
        assert_eq!(relay.finish(), Sent { wire: 4, ..Sent::default() });
        fs_err::remove_dir_all(&folder).unwrap();
    }
}
