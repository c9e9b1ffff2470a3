//! Folders of this machine that hold build caches: the daemon writes layers into them, and reads them again.
//!
//! A folder is an OCI image layout, so that other tools understand it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bollard_buildkit_proto::google::protobuf::Timestamp;
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

mod proto;

pub(super) use proto::{ContentServer, METHODS};
use proto::{Info, InfoRequest, InfoResponse, ReadRequest, ReadResponse, WriteAction, WriteRequest, WriteResponse};

/// What is sent in one message.
const CHUNK: usize = 256 * 1024;

/// Folders by the id under which the daemon asks for them.
#[derive(Debug, Default)]
pub(crate) struct Blobs(pub(crate) BTreeMap<String, PathBuf>);

impl Blobs {
    /// The id of a folder, as BuildKit makes it from the attribute of a cache.
    pub(crate) fn id(folder: &str) -> String {
        format!("local:{folder}")
    }

    fn folder(&self, metadata: &MetadataMap) -> Result<&Path, Status> {
        let id = metadata.get("buildkit-attachable-store-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        self.0.get(id).map(PathBuf::as_path).ok_or_else(|| Status::not_found(format!("there is no store `{id}`")))
    }

    async fn info(&self, request: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        let folder = self.folder(request.metadata())?;
        let digest = request.get_ref().digest.clone();
        let metadata = tokio::fs::metadata(place(folder, &digest)?).await.map_err(|error| failed(&digest, &error))?;
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = modified.map(|time| Timestamp { seconds: time.as_secs().cast_signed(), nanos: 0 });
        let size = metadata.len().cast_signed();
        let info = Info { digest, size, created_at: modified, updated_at: modified };
        Ok(Response::new(InfoResponse { info: Some(info) }))
    }

    async fn read(
        &self,
        request: Request<ReadRequest>,
    ) -> Result<Response<ReceiverStream<Result<ReadResponse, Status>>>, Status> {
        let folder = self.folder(request.metadata())?;
        let ReadRequest { digest, offset, size } = request.get_ref().clone();
        let mut file = File::open(place(folder, &digest)?).await.map_err(|error| failed(&digest, &error))?;
        let mut offset = offset.max(0);
        file.seek(io::SeekFrom::Start(offset.unsigned_abs())).await.map_err(|error| failed(&digest, &error))?;
        let mut rest = file.take(if size > 0 { size.unsigned_abs() } else { u64::MAX });
        let (answer, stream) = mpsc::channel(4);
        tokio::spawn(async move {
            loop {
                let mut data = Vec::with_capacity(CHUNK);
                let read = (&mut rest).take(CHUNK as u64).read_to_end(&mut data).await;
                let message = match read {
                    Ok(0) => return,
                    Ok(_) => {
                        let at = offset;
                        offset += data.len().cast_signed() as i64;
                        Ok(ReadResponse { offset: at, data })
                    }
                    Err(error) => Err(failed(&digest, &error)),
                };
                if message.is_err() | answer.send(message).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    fn write(
        &self,
        metadata: &MetadataMap,
        mut incoming: Streaming<WriteRequest>,
    ) -> Result<Response<ReceiverStream<Result<WriteResponse, Status>>>, Status> {
        let folder = self.folder(metadata)?.to_owned();
        let (answer, stream) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut blob = None;
            while let Ok(Some(request)) = incoming.message().await {
                let response = Blob::take(&mut blob, &folder, request).await;
                if response.is_err() | answer.send(response).await.is_err() {
                    break;
                }
            }
            if let Some(Blob { partial, .. }) = blob {
                drop(tokio::fs::remove_file(partial).await);
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// A blob that is being written.
struct Blob {
    partial: PathBuf,
    file: File,
    hash: Sha256,
    length: i64,
    expected: String,
    total: i64,
}

impl Blob {
    /// Does what a request says to the blob of its stream, and answers.
    async fn take(blob: &mut Option<Self>, folder: &Path, request: WriteRequest) -> Result<WriteResponse, Status> {
        let action = request.action();
        let WriteRequest { action: _, reference: _, total, expected, offset, data } = request;
        let open = match blob.take() {
            Some(open) => open,
            None => Self::begin(folder, &expected).await?,
        };
        let open = blob.insert(open);
        if total > 0 {
            open.total = total;
        }
        if !expected.is_empty() {
            open.expected = expected;
        }
        if !data.is_empty() {
            if offset != open.length {
                return Err(Status::out_of_range(format!("{offset} is not where the blob ends")));
            }
            open.file.write_all(&data).await.map_err(|error| failed(&open.expected, &error))?;
            open.hash.update(&data);
            open.length += data.len().cast_signed() as i64;
        }
        let mut response = WriteResponse {
            action: action.into(),
            started_at: Some(Timestamp::default()),
            updated_at: Some(Timestamp::default()),
            offset: open.length,
            total: open.total,
            digest: String::new(),
        };
        if action == WriteAction::Commit
            && let Some(complete) = blob.take()
        {
            response.digest = complete.commit(folder).await?;
        }
        Ok(response)
    }

    /// A new blob; `AlreadyExists` when there is one with this digest.
    async fn begin(folder: &Path, expected: &str) -> Result<Self, Status> {
        if !expected.is_empty() && tokio::fs::try_exists(place(folder, expected)?).await.unwrap_or(false) {
            return Err(Status::already_exists(format!("`{expected}` is there")));
        }
        let ingest = folder.join("ingest");
        let unwritable = |error: io::Error| failed(expected, &error);
        tokio::fs::create_dir_all(&ingest).await.map_err(unwritable)?;
        let partial = ingest.join(crate::solve::random_id());
        let file = File::create_new(&partial).await.map_err(unwritable)?;
        Ok(Self { partial, file, hash: Sha256::new(), length: 0, expected: expected.to_owned(), total: 0 })
    }

    /// Puts the blob in its place, if it is what it was to be.
    async fn commit(mut self, folder: &Path) -> Result<String, Status> {
        use std::fmt::Write;
        let digest = self.hash.finalize_reset().iter().fold("sha256:".to_owned(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a String cannot fail");
            text
        });
        let unexpected = !self.expected.is_empty() && self.expected != digest;
        let result = if unexpected || (self.total > 0 && self.total != self.length) {
            Err(Status::failed_precondition(format!("`{digest}` with {} bytes is not what was announced", self.length)))
        } else {
            self.put(folder, &digest).await.map_err(|error| failed(&digest, &error))
        };
        if result.is_err() {
            drop(tokio::fs::remove_file(&self.partial).await);
        }
        result.map(|()| digest)
    }

    async fn put(&mut self, folder: &Path, digest: &str) -> io::Result<()> {
        self.file.flush().await?;
        let blobs = folder.join("blobs/sha256");
        tokio::fs::create_dir_all(&blobs).await?;
        tokio::fs::rename(&self.partial, blobs.join(&digest["sha256:".len()..])).await
    }
}

/// Where a blob is.
fn place(folder: &Path, digest: &str) -> Result<PathBuf, Status> {
    match digest.strip_prefix("sha256:") {
        Some(hex) if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(folder.join("blobs/sha256").join(hex))
        }
        _ => Err(Status::invalid_argument(format!("`{digest}` is no digest"))),
    }
}

fn failed(digest: &str, error: &io::Error) -> Status {
    match error.kind() {
        io::ErrorKind::NotFound => Status::not_found(format!("`{digest}` is not there")),
        _ => Status::aborted(format!("the cache folder fails: {error}")),
    }
}
