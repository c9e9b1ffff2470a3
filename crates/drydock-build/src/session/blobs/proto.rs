//! What is needed of containerd's content service (`containerd.services.content.v1`), which nobody publishes for Rust
//! without all the rest.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bollard_buildkit_proto::google::protobuf::Timestamp;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, ServerStreamingService, StreamingService, UnaryService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::Blobs;

/// What is taken in one message; writers send 1 MiB at a time.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Info {
    #[prost(string, tag = "1")]
    pub(super) digest: String,
    #[prost(int64, tag = "2")]
    pub(super) size: i64,
    #[prost(message, optional, tag = "3")]
    pub(super) created_at: Option<Timestamp>,
    #[prost(message, optional, tag = "4")]
    pub(super) updated_at: Option<Timestamp>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct InfoRequest {
    #[prost(string, tag = "1")]
    pub(super) digest: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct InfoResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) info: Option<Info>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ReadRequest {
    #[prost(string, tag = "1")]
    pub(super) digest: String,
    /// Where to begin.
    #[prost(int64, tag = "2")]
    pub(super) offset: i64,
    /// How much; zero is all.
    #[prost(int64, tag = "3")]
    pub(super) size: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ReadResponse {
    #[prost(int64, tag = "1")]
    pub(super) offset: i64,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) data: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum WriteAction {
    Stat = 0,
    Write = 1,
    Commit = 2,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WriteRequest {
    #[prost(enumeration = "WriteAction", tag = "1")]
    pub(super) action: i32,
    #[prost(string, tag = "2")]
    pub(super) reference: String,
    #[prost(int64, tag = "3")]
    pub(super) total: i64,
    /// The digest that the blob is to have.
    #[prost(string, tag = "4")]
    pub(super) expected: String,
    #[prost(int64, tag = "5")]
    pub(super) offset: i64,
    #[prost(bytes = "vec", tag = "6")]
    pub(super) data: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WriteResponse {
    #[prost(enumeration = "WriteAction", tag = "1")]
    pub(super) action: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) started_at: Option<Timestamp>,
    #[prost(message, optional, tag = "3")]
    pub(super) updated_at: Option<Timestamp>,
    #[prost(int64, tag = "4")]
    pub(super) offset: i64,
    #[prost(int64, tag = "5")]
    pub(super) total: i64,
    #[prost(string, tag = "6")]
    pub(super) digest: String,
}

/// The service as tonic routes to it.
#[derive(Clone)]
pub(in crate::session) struct ContentServer(pub(in crate::session) Arc<Blobs>);

/// The methods, as the daemon wants them announced.
pub(in crate::session) const METHODS: [&str; 3] = [
    "/containerd.services.content.v1.Content/Info",
    "/containerd.services.content.v1.Content/Read",
    "/containerd.services.content.v1.Content/Write",
];

impl NamedService for ContentServer {
    const NAME: &'static str = "containerd.services.content.v1.Content";
}

type Pinned<T> = Pin<Box<dyn Future<Output = T> + Send>>;

struct InfoMethod(Arc<Blobs>);

impl UnaryService<InfoRequest> for InfoMethod {
    type Response = InfoResponse;
    type Future = Pinned<Result<Response<InfoResponse>, Status>>;

    fn call(&mut self, request: Request<InfoRequest>) -> Self::Future {
        let blobs = Arc::clone(&self.0);
        Box::pin(async move { blobs.info(request).await })
    }
}

struct ReadMethod(Arc<Blobs>);

impl ServerStreamingService<ReadRequest> for ReadMethod {
    type Response = ReadResponse;
    type ResponseStream = ReceiverStream<Result<ReadResponse, Status>>;
    type Future = Pinned<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<ReadRequest>) -> Self::Future {
        let blobs = Arc::clone(&self.0);
        Box::pin(async move { blobs.read(request).await })
    }
}

struct WriteMethod(Arc<Blobs>);

impl StreamingService<WriteRequest> for WriteMethod {
    type Response = WriteResponse;
    type ResponseStream = ReceiverStream<Result<WriteResponse, Status>>;
    type Future = Pinned<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<WriteRequest>>) -> Self::Future {
        let blobs = Arc::clone(&self.0);
        Box::pin(async move { blobs.write(&request.metadata().clone(), request.into_inner()) })
    }
}

impl tower::Service<http::Request<Body>> for ContentServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pinned<Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let blobs = Arc::clone(&self.0);
        Box::pin(async move {
            Ok(match request.uri().path().rsplit('/').next() {
                Some("Info") => Grpc::new(ProstCodec::default()).unary(InfoMethod(blobs), request).await,
                Some("Read") => Grpc::new(ProstCodec::default()).server_streaming(ReadMethod(blobs), request).await,
                Some("Write") => {
                    let mut grpc = Grpc::new(ProstCodec::default()).max_decoding_message_size(MAX_MESSAGE);
                    grpc.streaming(WriteMethod(blobs), request).await
                }
                _ => Status::unimplemented("only Info, Read and Write are").into_http(),
            })
        })
    }
}
