//! Plans made by hand.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeSet;

use drydock_plan::{
    BaseStage, BuildPlan, BuildStage, ContextContent, ContextFile, CopySource, Healthcheck, ImageCopy, ImagePath,
    ImageRef, InstallPurpose, InstallStage, PackageManager, PackageName, Probe, RuntimeCopy, RuntimeStage, Stage,
    StageCopy, StageId, StageKind, StaticServer, StaticStage, Target, TargetKind, TargetName, WorkspacePath,
};
use indexmap::IndexMap;

pub(crate) fn path(text: &str) -> WorkspacePath {
    WorkspacePath::new(text).unwrap()
}

pub(crate) fn paths(texts: &[&str]) -> Vec<WorkspacePath> {
    texts.iter().map(|text| path(text)).collect()
}

pub(crate) fn id(text: &str) -> StageId {
    StageId::new(text)
}

pub(crate) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

pub(crate) fn map(pairs: &[(&str, &str)]) -> IndexMap<String, String> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

pub(crate) fn arguments(pairs: &[(&str, Option<&str>)]) -> IndexMap<String, Option<String>> {
    pairs.iter().map(|&(name, default)| (name.to_owned(), default.map(str::to_owned))).collect()
}

pub(crate) fn names(texts: &[&str]) -> BTreeSet<PackageName> {
    texts.iter().map(|name| PackageName::new(name)).collect()
}

pub(crate) fn tree(path_text: &str) -> ContextFile {
    ContextFile { path: path(path_text), executable: false, content: ContextContent::Tree }
}

pub(crate) fn generated(path_text: &str, text: &str) -> ContextFile {
    let content = ContextContent::Bytes(text.as_bytes().into());
    ContextFile { path: path(path_text), executable: false, content }
}

pub(crate) fn stage(name: &str, kind: StageKind) -> Stage {
    Stage { id: id(name), kind, comment: None }
}

pub(crate) fn base(image: &str) -> BaseStage {
    BaseStage {
        image: Some(ImageRef::new(image)),
        from: None,
        system_packages: Vec::new(),
        copies: Vec::new(),
        env: IndexMap::new(),
    }
}

pub(crate) fn install(from: &str, purpose: InstallPurpose, input: &str, packages: &[&str]) -> InstallStage {
    InstallStage {
        from: id(from),
        purpose,
        input: path(input),
        manager: PackageManager::Npm,
        packages: names(packages),
        entries: 0,
        system_packages: Vec::new(),
        files: Vec::new(),
        env: IndexMap::new(),
        ssh: false,
        npmrc_secret: false,
        npmrc_variables: Vec::new(),
        verified: false,
        after: Vec::new(),
    }
}

pub(crate) fn build(from: &str, package: &str, directory: &str, inputs: &[(&str, &[&str])]) -> BuildStage {
    BuildStage {
        from: id(from),
        package: PackageName::new(package),
        directory: path(directory),
        root_files: Vec::new(),
        sources: vec![path(directory)],
        inputs: inputs.iter().map(|&(stage, outputs)| StageCopy { stage: id(stage), paths: paths(outputs) }).collect(),
        executables: Vec::new(),
        before: Vec::new(),
        command: strings(&["npm", "run", "build"]),
        env: IndexMap::new(),
        args: IndexMap::new(),
        secrets: Vec::new(),
        outputs: vec![path(directory).join("dist").unwrap()],
        trim: Vec::new(),
    }
}

pub(crate) fn runtime(from: &str, target: &str, workdir: &str) -> RuntimeStage {
    RuntimeStage {
        from: id(from),
        target: TargetName::new(target),
        copies: Vec::new(),
        setup: Vec::new(),
        writable: Vec::new(),
        workdir: path(workdir),
        env: map(&[("NODE_ENV", "production")]),
        path: Vec::new(),
        args: IndexMap::new(),
        user: "node".to_owned(),
        port: None,
        entrypoint: Vec::new(),
        command: strings(&["node", "index.js"]),
        healthcheck: None,
        gate: None,
    }
}

pub(crate) fn target(name: &str, kind: TargetKind, package: &str, port: Option<u16>) -> Target {
    Target {
        name: TargetName::new(name),
        kind,
        package: PackageName::new(package),
        stage: id(name),
        packages: names(&[package]),
        port,
    }
}

pub(crate) fn plan(stages: Vec<Stage>, targets: Vec<Target>, context: Vec<ContextFile>) -> BuildPlan {
    BuildPlan { root: ImagePath::new("/app"), stages, targets, context, decisions: Vec::new(), warnings: Vec::new() }
}

/// A service that serves its front end, in the shape of LibreChat, beside a static site.
pub(crate) fn chat() -> BuildPlan {
    let targets = vec![
        target("api", TargetKind::Service, "@chat/api-server", Some(3080)),
        target("client", TargetKind::Static, "@chat/client", Some(8080)),
        target("docs", TargetKind::Static, "@chat/docs", Some(8080)),
    ];
    let stages = [chat_installs(), chat_builds(), chat_images()].concat();
    plan(stages, targets, chat_context())
}

fn chat_installs() -> Vec<Stage> {
    let client = install("base", InstallPurpose::Build, ".drydock/install/client", &["@chat/client", "@chat/ui"]);
    let mut api = install("base", InstallPurpose::Build, ".drydock/install/api", &["@chat/api", "@chat/data-provider"]);
    api.system_packages = strings(&["g++", "make", "python3"]);
    vec![
        stage("base", StageKind::Base(base("node:22-bookworm-slim"))),
        stage("deps-client", StageKind::Install(client)),
        stage("deps-api", StageKind::Install(api)),
    ]
}

const PROVIDER: (&str, &[&str]) = ("build-data-provider", &["packages/data-provider/dist"]);

fn chat_builds() -> Vec<Stage> {
    let mut provider = build("deps-api", "@chat/data-provider", "packages/data-provider", &[]);
    provider.root_files = paths(&["tsconfig.base.json"]);
    let mut api = build("deps-api", "@chat/api", "packages/api", &[PROVIDER]);
    api.root_files = paths(&["tsconfig.base.json"]);
    api.before =
        vec![(path(""), strings(&["npm", "rebuild"])), (path("packages/api"), strings(&["npm", "run", "prepare"]))];
    api.executables = paths(&["packages/api/bin/cli.js"]);
    let ui = build("deps-client", "@chat/ui", "packages/client", &[PROVIDER]);
    let mut client =
        build("deps-client", "@chat/client", "client", &[PROVIDER, ("build-ui", &["packages/client/dist"])]);
    client.root_files =
        paths(&["tsconfig.base.json", "packages/client/tailwind.preset.cjs", "packages/client/src/theme"]);
    client.env = map(&[("VITE_TITLE", "A chat")]);
    client.args = arguments(&[("VITE_COMMIT", Some("unknown"))]);
    client.secrets = strings(&["sentry-token"]);
    client.trim = paths(&["client/node_modules"]);
    vec![
        stage("build-data-provider", StageKind::Build(provider)),
        stage("build-api", StageKind::Build(api)),
        stage("build-ui", StageKind::Build(ui)),
        Stage {
            comment: Some("The Tailwind configuration reads the preset and the theme of packages/client.".to_owned()),
            ..stage("build-client", StageKind::Build(client))
        },
    ]
}

fn chat_images() -> Vec<Stage> {
    let base = BaseStage {
        image: None,
        from: Some(id("base")),
        system_packages: strings(&["jemalloc", "tini"]),
        copies: vec![ImageCopy { stage: id("uv"), from: ImagePath::new("/uv"), to: ImagePath::new("/usr/local/bin/") }],
        env: map(&[("LD_PRELOAD", "libjemalloc.so.2")]),
    };
    let mut prod = install("base-api", InstallPurpose::Production, ".drydock/install/api-prod", &["@chat/api-server"]);
    prod.npmrc_secret = true;
    prod.after = vec![strings(&["npm", "rebuild"])];
    let manifests = ["package.json", "packages/data-provider/package.json", "packages/api/package.json", "config"];
    let from_stage = |stage: &str, path: &str| RuntimeCopy {
        source: CopySource::Stage(id(stage)),
        paths: paths(&[path]),
        to: None,
        owned: false,
    };
    let mut api = runtime("prod-api", "api", "api");
    api.env = map(&[("NODE_ENV", "production"), ("HOST", "0.0.0.0")]);
    api.copies = vec![
        RuntimeCopy { source: CopySource::Context, paths: paths(&manifests), to: None, owned: false },
        from_stage("build-data-provider", "packages/data-provider/dist"),
        from_stage("build-api", "packages/api/dist"),
        from_stage("build-client", "client/dist"),
        RuntimeCopy { source: CopySource::Context, paths: paths(&["api"]), to: None, owned: false },
    ];
    api.path = vec![ImagePath::new("/app/api/node_modules/.bin"), ImagePath::new("/app/node_modules/.bin")];
    api.setup = vec![(path("packages/api"), strings(&["npm", "run", "postinstall"]))];
    api.writable = paths(&["api/logs", "uploads"]);
    api.args = arguments(&[("BUILD_COMMIT", None), ("BUILD_DATE", Some("never"))]);
    api.port = Some(3080);
    api.command = strings(&["node", "server/index.js"]);
    api.entrypoint = strings(&["tini", "--"]);
    api.healthcheck = Some(Healthcheck::new(Probe::Http { path: "/health".to_owned(), port: None }));
    let site = |name: &str, source: CopySource, served: &str| {
        StageKind::Static(StaticStage {
            server: StaticServer::Nginx,
            image: ImageRef::new("nginxinc/nginx-unprivileged:stable-bookworm"),
            target: TargetName::new(name),
            source,
            served: path(served),
            configuration: path(&format!(".drydock/static/{name}.conf")),
            port: 8080,
            healthcheck: None,
            gate: None,
        })
    };
    vec![
        stage("uv", StageKind::Image(ImageRef::new("ghcr.io/astral-sh/uv:0.6.13"))),
        stage("base-api", StageKind::Base(base)),
        stage("prod-api", StageKind::Install(prod)),
        stage("api", StageKind::Runtime(api)),
        stage("client", site("client", CopySource::Stage(id("build-client")), "client/dist")),
        stage("docs", site("docs", CopySource::Context, "docs")),
    ]
}

fn chat_context() -> Vec<ContextFile> {
    let manifests = [
        ".drydock/install/api-prod/package.json",
        ".drydock/install/api-prod/package-lock.json",
        ".drydock/install/api/package.json",
        ".drydock/install/client/package.json",
    ];
    let sites = [".drydock/static/client.conf", ".drydock/static/docs.conf"];
    let sources = [
        "api/package.json",
        "api/server/index.js",
        "client/package.json",
        "client/src/main.ts",
        "config/default.json",
        "docs/index.html",
        "package.json",
        "packages/api/bin/cli.js",
        "packages/api/package.json",
        "packages/api/src/index.ts",
        "packages/client/package.json",
        "packages/client/src/theme/colors.cjs",
        "packages/client/tailwind.preset.cjs",
        "packages/data-provider/package.json",
        "packages/data-provider/src/index.ts",
        "tsconfig.base.json",
    ];
    let manifests = manifests.iter().map(|place| generated(place, "{}"));
    let sites = sites.iter().map(|place| generated(place, "server {}"));
    manifests.chain(sites).chain(sources.iter().map(|place| tree(place))).collect()
}
