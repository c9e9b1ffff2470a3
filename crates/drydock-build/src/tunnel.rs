//! A session inside of the control connection: the only way that `buildkitd` offers.

use bollard_buildkit_proto::moby::buildkit::v1::BytesMessage;
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::Channel;

use crate::dial::Stream;

/// What is carried in one message.
const CHUNK: usize = 32 * 1024;

/// Opens the tunnel. Should the daemon refuse it, the connection ends.
pub(crate) fn open(mut control: ControlClient<Channel>, headers: &[(&'static str, String)]) -> Stream {
    let (near, far) = Stream::pipe();
    let (read, mut write) = tokio::io::split(far);
    let chunks = ReaderStream::with_capacity(read, CHUNK);
    let outgoing = chunks
        .take_while(|chunk| std::future::ready(chunk.is_ok()))
        .filter_map(|chunk| std::future::ready(chunk.ok()))
        .map(|chunk| BytesMessage { data: chunk.to_vec() });
    let mut request = tonic::Request::new(outgoing);
    for (name, value) in headers {
        let name = AsciiMetadataKey::from_bytes(name.to_ascii_lowercase().as_bytes());
        if let (Ok(name), Ok(value)) = (name, AsciiMetadataValue::try_from(value)) {
            request.metadata_mut().append(name, value);
        }
    }
    tokio::spawn(async move {
        let Ok(response) = control.session(request).await else { return };
        let mut incoming = response.into_inner();
        while let Ok(Some(BytesMessage { data })) = incoming.message().await {
            if write.write_all(&data).await.is_err() {
                break;
            }
        }
        drop(write.shutdown().await);
    });
    near
}
