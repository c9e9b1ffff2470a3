//! Serves the context: tells the daemon what there is, and sends what it asks for.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bollard_buildkit_proto::fsutil::types::Packet;
use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bollard_buildkit_proto::moby::filesync::v1::file_sync_server::FileSync;
use tokio::sync::mpsc::{self, Sender, UnboundedReceiver, UnboundedSender};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::error::BuildError;
use crate::event::Transfer;
use crate::listing::{Content, Listed, Listing};
use crate::llb::CONTEXT_NAME;

/// What the receiver takes in one packet.
const CHUNK: usize = 64 * 1024;
/// Packets that wait to be sent; with full ones, 4 MiB.
const QUEUE: usize = 64;
/// Threads that read files for one transfer.
const READERS: usize = 4;

type Outgoing = Sender<Result<Packet, Status>>;

/// Counts what was sent in a run.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    files: AtomicU64,
    bytes: AtomicU64,
}

impl Sent {
    /// What was sent until now.
    pub(crate) fn so_far(&self) -> Transfer {
        Transfer { files: self.files.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }
}

pub(super) struct ContextFiles {
    listing: Arc<Listing>,
    sent: Arc<Sent>,
    faults: UnboundedSender<BuildError>,
}

impl ContextFiles {
    pub(super) fn new(listing: Arc<Listing>, sent: Arc<Sent>, faults: UnboundedSender<BuildError>) -> Self {
        Self { listing, sent, faults }
    }
}

#[async_trait]
impl FileSync for ContextFiles {
    type DiffCopyStream = ReceiverStream<Result<Packet, Status>>;

    async fn diff_copy(&self, request: Request<Streaming<Packet>>) -> Result<Response<Self::DiffCopyStream>, Status> {
        let name = request.metadata().get("dir-name").and_then(|name| name.to_str().ok()).unwrap_or_default();
        if name != CONTEXT_NAME {
            return Err(Status::not_found(format!("there is no folder `{name}`")));
        }
        let (outgoing, packets) = mpsc::channel(QUEUE);
        let reader =
            Reader { listing: Arc::clone(&self.listing), sent: Arc::clone(&self.sent), faults: self.faults.clone() };
        tokio::spawn(transfer(reader, request.into_inner(), outgoing));
        Ok(Response::new(ReceiverStream::new(packets)))
    }

    type TarStreamStream = ReceiverStream<Result<Packet, Status>>;

    async fn tar_stream(&self, _: Request<Streaming<Packet>>) -> Result<Response<Self::TarStreamStream>, Status> {
        Err(Status::unimplemented("only DiffCopy is"))
    }
}

/// One transfer, from the listing to the receiver's FIN.
async fn transfer(reader: Reader, mut incoming: Streaming<Packet>, outgoing: Outgoing) {
    tokio::spawn(send_listing(Arc::clone(&reader.listing), outgoing.clone()));
    // Requests are taken as fast as they come, whatever the readers do: there are never more than entries.
    let (wanted, queue) = mpsc::unbounded_channel();
    let queue = Arc::new(Mutex::new(queue));
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let (reader, queue, outgoing) = (reader.clone(), Arc::clone(&queue), outgoing.clone());
            tokio::task::spawn_blocking(move || reader.serve(&queue, &outgoing))
        })
        .collect();
    // An end without FIN is a solve that was cancelled: the queue closes and the readers stop.
    while let Ok(Some(packet)) = incoming.message().await {
        match packet.r#type() {
            PacketType::PacketReq => drop(wanted.send(packet.id)),
            PacketType::PacketFin => {
                drop(wanted);
                for reader in readers {
                    drop(reader.await);
                }
                drop(outgoing.send(Ok(bare(PacketType::PacketFin))).await);
                return;
            }
            PacketType::PacketErr => return,
            PacketType::PacketStat | PacketType::PacketData => {}
        }
    }
}

/// Every entry, then the end of the listing.
async fn send_listing(listing: Arc<Listing>, outgoing: Outgoing) {
    for Listed { stat, .. } in &listing.entries {
        let packet = Packet { stat: Some(stat.clone()), ..bare(PacketType::PacketStat) };
        if outgoing.send(Ok(packet)).await.is_err() {
            return;
        }
    }
    drop(outgoing.send(Ok(bare(PacketType::PacketStat))).await);
}

/// The receiver is gone; nobody is left to tell.
struct Gone;

/// Sends the content of entries, on threads where reading may block.
#[derive(Clone)]
struct Reader {
    listing: Arc<Listing>,
    sent: Arc<Sent>,
    faults: UnboundedSender<BuildError>,
}

impl Reader {
    fn serve(&self, queue: &Mutex<UnboundedReceiver<u32>>, outgoing: &Outgoing) {
        loop {
            // The lock is held while waiting, and the other readers wait for the lock: the same thing to them.
            let wanted = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
            let Some(id) = wanted else { return };
            let Some(entry) = self.listing.entries.get(id as usize) else { continue };
            match self.send_entry(id, entry, outgoing) {
                Ok(()) => {}
                Err(Fault::Gone) => return,
                Err(Fault::Content(error)) => {
                    let packet = Packet { data: error.to_string().into_bytes(), ..bare(PacketType::PacketErr) };
                    drop(self.faults.send(error));
                    drop(outgoing.blocking_send(Ok(packet)));
                    return;
                }
            }
        }
    }

    fn send_entry(&self, id: u32, entry: &Listed, outgoing: &Outgoing) -> Result<(), Fault> {
        let send = |data: Vec<u8>| {
            self.sent.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
            let packet = Packet { id, data, ..bare(PacketType::PacketData) };
            outgoing.blocking_send(Ok(packet)).map_err(|_| Gone)
        };
        match &entry.content {
            Content::Nothing => {}
            Content::Bytes(bytes) => {
                for chunk in bytes.chunks(CHUNK) {
                    send(chunk.to_vec())?;
                }
            }
            Content::File { path, digest } => send_file(path, *digest, &entry.stat.path, send)?,
        }
        // An empty packet ends the file.
        send(Vec::new())?;
        self.sent.files.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

enum Fault {
    Gone,
    Content(BuildError),
}

impl From<Gone> for Fault {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// Sends the bytes of a file, and makes sure that they are those that were listed: its modification time stands for
/// them, and the daemon would keep others under that time for the next run.
fn send_file(
    path: &Path,
    listed: blake3::Hash,
    name: &str,
    mut send: impl FnMut(Vec<u8>) -> Result<(), Gone>,
) -> Result<(), Fault> {
    let unreadable = |source| Fault::Content(BuildError::UnreadableContext { source });
    let mut file = fs_err::File::open(path).map_err(unreadable)?;
    let mut hasher = blake3::Hasher::new();
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        file.by_ref().take(CHUNK as u64).read_to_end(&mut chunk).map_err(unreadable)?;
        if chunk.is_empty() {
            break;
        }
        hasher.update(&chunk);
        send(chunk)?;
    }
    if hasher.finalize() == listed {
        Ok(())
    } else {
        Err(Fault::Content(BuildError::ContextChanged { path: name.to_owned() }))
    }
}

/// A packet of a type, otherwise empty.
fn bare(r#type: PacketType) -> Packet {
    Packet { r#type: r#type.into(), ..Packet::default() }
}
