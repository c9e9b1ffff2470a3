//! A connected builder, and short ways to say what is built and what was told.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bollard::Docker;
use bollard::query_parameters::RemoveImageOptions;
use drydock_build::{
    BuildError, BuildOutcome, BuildRequest, Builder, BuiltTarget, CancellationToken, ContextContent, ContextEntry,
    Endpoint, Environment, Event, Output, TargetRequest, TargetResult,
};

/// A builder for one test.
pub(crate) struct Bench {
    pub(crate) builder: Builder,
    /// Told apart from every other run of every test, so that nothing comes from an older cache.
    pub(crate) nonce: String,
    base: &'static str,
    /// Where digests are cached.
    pub(crate) cache: tempfile::TempDir,
}

/// What a run told, and what came of it.
pub(crate) struct Told {
    pub(crate) events: Vec<Event>,
    pub(crate) outcome: BuildOutcome,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let environment = Environment::of_process();
        let endpoint = Endpoint::resolve(&environment).expect("a daemon for the tests");
        let builder = Builder::connect(endpoint, &environment).await.expect("a daemon for the tests");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let nonce = format!("{now:x}-{}-{count}", std::process::id());
        let base = crate::base::base(&builder).await;
        Self { builder, nonce, base, cache: tempfile::tempdir().unwrap() }
    }

    /// A request for stages of a Dockerfile, in which `BASE` stands for the base image and `NONCE` for the nonce.
    pub(crate) fn request(&self, dockerfile: &str, stages: &[&str]) -> BuildRequest {
        let targets = stages
            .iter()
            .map(|stage| TargetRequest { output: Output::CacheOnly, ..TargetRequest::new(*stage, *stage) });
        BuildRequest {
            dockerfile: dockerfile.replace("BASE", self.base).replace("NONCE", &self.nonce),
            targets: targets.collect(),
            jobs: 4,
            shared_key: self.nonce.clone(),
            internal: true,
            digest_cache: Some(self.cache.path().to_owned()),
            ..BuildRequest::default()
        }
    }

    pub(crate) async fn build(&self, request: BuildRequest) -> Told {
        self.build_with(&self.builder, request).await
    }

    /// Builds with another connection.
    pub(crate) async fn build_with(&self, builder: &Builder, request: BuildRequest) -> Told {
        run(builder, request).await.expect("the run itself is fine")
    }

    pub(crate) async fn try_build(&self, request: BuildRequest) -> Result<Told, BuildError> {
        run(&self.builder, request).await
    }

    /// A builder whose Docker configuration is `config`.
    pub(crate) async fn with_config(&self, config: &str) -> Builder {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("config.json"), config).unwrap();
        let mut environment = Environment::of_process();
        environment.variables.insert("DOCKER_CONFIG".to_owned(), folder.path().to_str().unwrap().to_owned());
        Builder::connect(self.builder.endpoint().clone(), &environment).await.unwrap()
    }

    /// Takes image references away again.
    pub(crate) async fn remove(&self, references: &[String]) {
        let docker = Docker::connect_with_defaults().unwrap();
        for reference in references {
            docker.remove_image(reference, None::<RemoveImageOptions>, None).await.unwrap();
        }
    }
}

async fn run(builder: &Builder, request: BuildRequest) -> Result<Told, BuildError> {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let outcome = builder.build(request, sender, CancellationToken::new()).await?;
    let mut events = Vec::new();
    while let Ok(event) = receiver.try_recv() {
        events.push(event);
    }
    Ok(Told { events, outcome })
}

impl Told {
    pub(crate) fn result(&self, target: &str) -> &TargetResult {
        let outcome = self.outcome.targets.iter().find(|outcome| outcome.target.as_str() == target);
        &outcome.unwrap_or_else(|| panic!("no outcome for {target}")).result
    }

    pub(crate) fn built(&self, target: &str) -> &BuiltTarget {
        match self.result(target) {
            TargetResult::Built(built) => built,
            other => panic!("{target} was not built: {other:?}"),
        }
    }

    /// The lines that steps wrote, in their order.
    pub(crate) fn log(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Log(line) => Some(line.text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// How often a step whose instruction holds `words` was told to have finished, and with what.
    pub(crate) fn finished(&self, words: &str) -> Vec<bool> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::VertexFinished(finished) if finished.name.to_string().contains(words) => Some(finished.cached),
                _ => None,
            })
            .collect()
    }
}

pub(crate) fn generated(path: &str, content: &str) -> ContextEntry {
    ContextEntry { path: path.to_owned(), mode: 0o644, content: ContextContent::Bytes(Arc::from(content.as_bytes())) }
}

pub(crate) fn file(path: &str, file: &Path) -> ContextEntry {
    ContextEntry { path: path.to_owned(), mode: 0o644, content: ContextContent::File(file.to_owned()) }
}

/// What `sha256sum` says of these bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;

    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
