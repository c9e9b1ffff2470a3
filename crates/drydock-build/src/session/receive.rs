//! Takes results that come back: an archive as a stream of bytes, a file system as packets.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bollard_buildkit_proto::fsutil::types::{Packet, Stat};
use bollard_buildkit_proto::moby::filesync::packet::file_send_server::FileSend as PacketSend;
use bollard_buildkit_proto::moby::filesync::v1::BytesMessage;
use bollard_buildkit_proto::moby::filesync::v1::file_send_server::FileSend;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnboundedReceiverStream};
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::listing::{GO_DIRECTORY, GO_SYMLINK};
use crate::request::Output;

/// Bits of Go's `os.FileMode` for what is neither file, folder nor link: device, pipe, socket, irregular.
const GO_SPECIAL: u32 = (1 << 26) | (1 << 25) | (1 << 24) | (1 << 21) | (1 << 19);

/// Where a result goes.
pub(crate) enum Sink {
    Folder(PathBuf),
    Archive(PathBuf),
}

impl Sink {
    /// Where the result of a target comes back to, if it does.
    pub(crate) fn of(output: &Output) -> Option<Self> {
        match output {
            Output::Folder(path) => Some(Self::Folder(path.clone())),
            Output::Archive { path, .. } => Some(Self::Archive(path.clone())),
            Output::Image | Output::Registry | Output::CacheOnly => None,
        }
    }
}

/// A file that is to hold an archive.
pub(super) struct Archive(pub(super) PathBuf);

#[async_trait]
impl FileSend for Archive {
    type DiffCopyStream = ReceiverStream<Result<BytesMessage, Status>>;

    async fn diff_copy(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::DiffCopyStream>, Status> {
        // The answer holds nothing; that it ends well says that the archive is there.
        let (answer, stream) = mpsc::channel(1);
        let path = self.0.clone();
        tokio::spawn(async move {
            let partial = path.with_added_extension(format!("{}.partial", std::process::id()));
            if let Err(status) = write_archive(request.into_inner(), &partial, &path).await {
                drop(tokio::fs::remove_file(&partial).await);
                drop(answer.send(Err(status)).await);
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

async fn write_archive(mut incoming: Streaming<BytesMessage>, partial: &Path, path: &Path) -> Result<(), Status> {
    let mut file = File::create(partial).await.map_err(|error| unwritable(partial, &error))?;
    while let Some(BytesMessage { data }) = incoming.message().await? {
        file.write_all(&data).await.map_err(|error| unwritable(partial, &error))?;
    }
    file.flush().await.map_err(|error| unwritable(partial, &error))?;
    tokio::fs::rename(partial, path).await.map_err(|error| unwritable(path, &error))
}

/// A folder that is to hold a file system.
pub(super) struct Folder(pub(super) PathBuf);

#[async_trait]
impl PacketSend for Folder {
    type DiffCopyStream = UnboundedReceiverStream<Result<Packet, Status>>;

    async fn diff_copy(&self, request: Request<Streaming<Packet>>) -> Result<Response<Self::DiffCopyStream>, Status> {
        // Not bounded, so that requests never wait for the sender, which may wait for us: never more than files.
        let (answer, stream) = mpsc::unbounded_channel();
        let root = self.0.clone();
        tokio::spawn(async move {
            let receiver = Receiver { root, answer: answer.clone(), files: BTreeMap::new(), open: BTreeMap::new() };
            if let Err(status) = receiver.receive(request.into_inner()).await {
                drop(answer.send(Err(status)));
            }
        });
        Ok(Response::new(UnboundedReceiverStream::new(stream)))
    }
}

/// Asks for every file of a listing, and writes what comes.
struct Receiver {
    root: PathBuf,
    answer: mpsc::UnboundedSender<Result<Packet, Status>>,
    /// The files that were asked for and are not complete, by id.
    files: BTreeMap<u32, Stat>,
    /// Those that are being written; the sender sends a few side by side.
    open: BTreeMap<u32, File>,
}

impl Receiver {
    async fn receive(mut self, mut incoming: Streaming<Packet>) -> Result<(), Status> {
        let mut id = 0;
        let mut listed = false;
        tokio::fs::create_dir_all(&self.root).await.map_err(|error| unwritable(&self.root, &error))?;
        while let Some(packet) = incoming.message().await? {
            match packet.r#type() {
                PacketType::PacketStat => {
                    match packet.stat {
                        Some(stat) => self.entry(id, stat).await?,
                        None => listed = true,
                    }
                    id += 1;
                }
                PacketType::PacketData => self.data(packet.id, &packet.data).await?,
                PacketType::PacketErr => {
                    return Err(Status::aborted(String::from_utf8_lossy(&packet.data).into_owned()));
                }
                PacketType::PacketFin => return Ok(()),
                PacketType::PacketReq => {}
            }
            if listed && self.files.is_empty() {
                listed = false;
                self.say(PacketType::PacketFin, 0);
            }
        }
        Ok(())
    }

    /// Makes a folder or a link, asks for a file, and passes over devices.
    async fn entry(&mut self, id: u32, stat: Stat) -> Result<(), Status> {
        let path = self.place(&stat.path)?;
        let made = if stat.mode & GO_DIRECTORY != 0 {
            match tokio::fs::create_dir(&path).await {
                // A link to a folder would lead out of the root.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_folder(&path).await => Ok(()),
                made => made,
            }
        } else if stat.mode & GO_SYMLINK != 0 {
            drop(tokio::fs::remove_file(&path).await);
            link(&stat.linkname, &path).await
        } else if stat.mode & GO_SPECIAL != 0 {
            Ok(())
        } else {
            self.files.insert(id, stat);
            self.say(PacketType::PacketReq, id);
            Ok(())
        };
        made.map_err(|error| unwritable(&path, &error))
    }

    /// Writes a piece of a file; an empty one ends it.
    async fn data(&mut self, id: u32, data: &[u8]) -> Result<(), Status> {
        let Some(stat) = self.files.get(&id) else {
            return Err(Status::invalid_argument("bytes of a file that nobody asked for"));
        };
        let path = self.place(&stat.path)?;
        let failed = |error: io::Error| unwritable(&path, &error);
        let mut file = if let Some(file) = self.open.remove(&id) {
            file
        } else {
            // A file of its own: what may stand there can be a link to elsewhere.
            drop(tokio::fs::remove_file(&path).await);
            File::create_new(&path).await.map_err(failed)?
        };
        if !data.is_empty() {
            file.write_all(data).await.map_err(failed)?;
            self.open.insert(id, file);
            return Ok(());
        }
        file.flush().await.map_err(failed)?;
        set_mode(&file, stat.mode).await.map_err(failed)?;
        self.files.remove(&id);
        Ok(())
    }

    /// The place of an entry, which must be below the root.
    fn place(&self, path: &str) -> Result<PathBuf, Status> {
        let relative = path.trim_start_matches('/');
        let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
        if relative.split('/').all(plain) {
            Ok(self.root.join(relative))
        } else {
            Err(Status::invalid_argument(format!("`{path}` leads out of the folder")))
        }
    }

    fn say(&self, r#type: PacketType, id: u32) {
        drop(self.answer.send(Ok(Packet { r#type: r#type.into(), id, ..Packet::default() })));
    }
}

async fn is_folder(path: &Path) -> bool {
    tokio::fs::symlink_metadata(path).await.is_ok_and(|metadata| metadata.is_dir())
}

#[cfg(unix)]
async fn link(target: &str, path: &Path) -> io::Result<()> {
    tokio::fs::symlink(target, path).await
}

#[cfg(not(unix))]
async fn link(_: &str, _: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "links are only written on Unix"))
}

#[cfg(unix)]
async fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(mode & 0o777)).await
}

#[cfg(not(unix))]
async fn set_mode(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

fn unwritable(path: &Path, error: &io::Error) -> Status {
    Status::aborted(format!("`{}` cannot be written: {error}", path.display()))
}
