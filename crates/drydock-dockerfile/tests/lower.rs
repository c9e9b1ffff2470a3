//! Whole Dockerfiles of plans made by hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use drydock_dockerfile::{generated_directory, lower, validate};
use drydock_plan::{
    BuildPlan, CopySource, Healthcheck, InstallPurpose, InstallStage, PackageManager, Probe, RuntimeCopy, Stage,
    StageKind,
};
use insta::assert_snapshot;

use support::{
    base, build, chat, generated, id, install, map, names, path, paths, plan, runtime, stage, strings, tree,
};

fn text(plan: &BuildPlan) -> String {
    validate(plan).unwrap();
    lower(plan, &generated_directory()).to_string()
}

#[test]
#[expect(clippy::too_many_lines, reason = "the whole Dockerfile is the test")]
fn a_service_that_serves_its_front_end() {
    assert_snapshot!(text(&chat()), @r#"
    # Written by `cargo drydock dockerfile`, and overwritten by it: change drydock.toml instead.
    # The files under .drydock/ are written with it.

    ARG NGINX_UNPRIVILEGED_IMAGE=nginxinc/nginx-unprivileged:stable-bookworm

    # A registry that cannot be reached fails an install after about a minute, not ten. These settings are
    # arguments, so that installs have them and no image does.
    FROM node:22-bookworm-slim AS base
    WORKDIR /app
    ARG npm_config_audit=false
    ARG npm_config_fund=false
    ARG npm_config_update_notifier=false
    ARG npm_config_loglevel=http
    ARG npm_config_fetch_retries=2
    ARG npm_config_fetch_retry_mintimeout=1000
    ARG npm_config_fetch_retry_maxtimeout=5000
    ARG npm_config_fetch_timeout=20000

    # Installs see manifests and lockfiles cut down to what they install, so that only a change of that
    # installs anew; the real manifests come with the sources.
    FROM base AS deps-client
    COPY .drydock/install/client/ ./
    RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared npm ci

    FROM base AS deps-api
    RUN --mount=type=cache,id=drydock-apt,target=/var/cache/apt,sharing=locked \
        --mount=type=cache,id=drydock-apt-lists,target=/var/lib/apt/lists,sharing=locked \
        rm -f /etc/apt/apt.conf.d/docker-clean \
        && apt-get update \
        && apt-get install --yes --no-install-recommends g++ make python3 \
        && rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/ldconfig/aux-cache
    COPY .drydock/install/api/ ./
    RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared npm ci

    FROM deps-api AS build-data-provider
    COPY tsconfig.base.json ./
    COPY packages/data-provider packages/data-provider
    WORKDIR /app/packages/data-provider
    RUN npm run build

    FROM deps-api AS build-api
    COPY tsconfig.base.json ./
    COPY --from=build-data-provider /app/packages/data-provider/dist packages/data-provider/dist
    COPY packages/api packages/api
    RUN chmod +x packages/api/bin/cli.js
    RUN npm rebuild
    WORKDIR /app/packages/api
    RUN npm run prepare
    RUN npm run build

    FROM deps-client AS build-ui
    COPY --from=build-data-provider /app/packages/data-provider/dist packages/data-provider/dist
    COPY packages/client packages/client
    WORKDIR /app/packages/client
    RUN npm run build

    # The Tailwind configuration reads the preset and the theme of packages/client.
    FROM deps-client AS build-client
    COPY tsconfig.base.json ./
    COPY packages/client/tailwind.preset.cjs packages/client/
    COPY packages/client/src/theme packages/client/src/theme
    COPY --from=build-data-provider /app/packages/data-provider/dist packages/data-provider/dist
    COPY --from=build-ui /app/packages/client/dist packages/client/dist
    COPY client client
    ENV VITE_TITLE="A chat"
    ARG VITE_COMMIT=unknown
    WORKDIR /app/client
    RUN --mount=type=secret,id=sentry-token npm run build && rm -rf /app/client/node_modules

    FROM ghcr.io/astral-sh/uv:0.6.13 AS uv

    FROM base AS base-api
    RUN --mount=type=cache,id=drydock-apt,target=/var/cache/apt,sharing=locked \
        --mount=type=cache,id=drydock-apt-lists,target=/var/lib/apt/lists,sharing=locked \
        rm -f /etc/apt/apt.conf.d/docker-clean \
        && apt-get update \
        && apt-get install --yes --no-install-recommends libjemalloc2 tini \
        && rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/ldconfig/aux-cache
    COPY --from=uv /uv /usr/local/bin/
    ENV LD_PRELOAD=libjemalloc.so.2

    FROM base-api AS prod-api
    COPY .drydock/install/api-prod/ ./
    RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared \
        --mount=type=secret,id=npmrc,target=/root/.npmrc \
        NODE_DISABLE_COMPILE_CACHE=1 npm ci --omit=dev
    RUN npm rebuild

    FROM prod-api AS api
    ENV NODE_ENV=production HOST=0.0.0.0 PATH=/app/api/node_modules/.bin:/app/node_modules/.bin:${PATH}
    RUN install -d -o node -g node /app/api/logs /app/uploads
    COPY package.json ./
    COPY packages/data-provider/package.json packages/data-provider/
    COPY packages/api/package.json packages/api/
    COPY config config
    COPY --from=build-data-provider /app/packages/data-provider/dist packages/data-provider/dist
    COPY --from=build-api /app/packages/api/dist packages/api/dist
    COPY --from=build-client /app/client/dist client/dist
    COPY api api
    WORKDIR /app/packages/api
    RUN NODE_DISABLE_COMPILE_CACHE=1 npm run postinstall
    ARG BUILD_COMMIT
    ARG BUILD_DATE=never
    ENV BUILD_COMMIT=${BUILD_COMMIT} BUILD_DATE=${BUILD_DATE}
    WORKDIR /app/api
    USER node
    EXPOSE 3080
    HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
        CMD ["node", "-e", "fetch('http://127.0.0.1:'+(process.env.PORT||3080)+'/health',{redirect:'manual'}).then(r=>process.exit(r.status<400?0:1),()=>process.exit(1))"]
    ENTRYPOINT ["tini", "--"]
    CMD ["node", "server/index.js"]

    FROM ${NGINX_UNPRIVILEGED_IMAGE} AS client
    COPY .drydock/static/client.conf /etc/nginx/conf.d/default.conf
    COPY --from=build-client /app/client/dist /srv/www
    EXPOSE 8080

    FROM ${NGINX_UNPRIVILEGED_IMAGE} AS docs
    COPY .drydock/static/docs.conf /etc/nginx/conf.d/default.conf
    COPY docs /srv/www
    EXPOSE 8080
    "#);
}

/// The Dockerfile without its head.
fn stages(plan: &BuildPlan) -> String {
    validate(plan).unwrap();
    let file = lower(plan, &generated_directory());
    file.stages().iter().map(|stage| stage.text.as_str()).collect::<Vec<_>>().join("\n")
}

fn with_manager(manager: PackageManager, named: &str) -> BuildPlan {
    let with = |install: InstallStage| StageKind::Install(InstallStage { manager, ..install });
    plan(
        vec![
            stage("base", StageKind::Base(base("node:22"))),
            stage("deps", with(install("base", InstallPurpose::Build, ".drydock/install/deps", &["a"]))),
            stage("prod-a", with(install("base", InstallPurpose::Production, ".drydock/install/prod-a", &["a"]))),
        ],
        Vec::new(),
        vec![
            generated(".drydock/install/deps/package.json", &format!(r#"{{ "packageManager": "{named}" }}"#)),
            generated(".drydock/install/deps/pnpm-lock.yaml", "lockfileVersion: '6.0'\n"),
        ],
    )
}

#[test]
fn an_install_is_verified_in_a_step_of_its_own() {
    let unverified = install("base", InstallPurpose::Production, ".drydock/install/a", &["a"]);
    let verified = InstallStage { verified: true, ..unverified };
    let stages = vec![stage("base", StageKind::Base(base("node:22"))), stage("prod", StageKind::Install(verified))];
    let plan = plan(stages, Vec::new(), Vec::new());
    assert_snapshot!(lower(&plan, &generated_directory()).stages()[1].text, @r"
    FROM base AS prod
    COPY .drydock/install/a/ ./
    RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared \
        NODE_DISABLE_COMPILE_CACHE=1 npm ci --omit=dev --dry-run --ignore-scripts
    RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared \
        NODE_DISABLE_COMPILE_CACHE=1 npm ci --omit=dev
    ");
}

#[test]
fn each_package_manager_installs_frozen() {
    assert_snapshot!(stages(&with_manager(PackageManager::Pnpm, "pnpm@9.15.9+sha512.abc")), @r"
    FROM node:22 AS base
    WORKDIR /app
    ARG npm_config_update_notifier=false
    ARG npm_config_fetch_retries=2
    ARG npm_config_fetch_retry_mintimeout=1000
    ARG npm_config_fetch_retry_maxtimeout=5000
    ARG npm_config_fetch_timeout=20000
    RUN NODE_DISABLE_COMPILE_CACHE=1 npm install --global pnpm@9.15.9

    FROM base AS deps
    COPY .drydock/install/deps/ ./
    RUN --mount=type=cache,id=drydock-pnpm,target=/root/.local/share/pnpm/store,sharing=shared \
        pnpm install --frozen-lockfile --store-dir=/root/.local/share/pnpm/store

    FROM base AS prod-a
    COPY .drydock/install/prod-a/ ./
    RUN --mount=type=cache,id=drydock-pnpm,target=/root/.local/share/pnpm/store,sharing=shared \
        NODE_DISABLE_COMPILE_CACHE=1 \
            pnpm install --frozen-lockfile --store-dir=/root/.local/share/pnpm/store --prod
    ");
    assert_snapshot!(stages(&with_manager(PackageManager::YarnClassic, "yarn@1.22.22")), @r"
    FROM node:22 AS base
    WORKDIR /app
    ARG YARN_NETWORK_TIMEOUT=20000
    RUN NODE_DISABLE_COMPILE_CACHE=1 npm install --global --force yarn@1.22.22

    FROM base AS deps
    COPY .drydock/install/deps/ ./
    RUN --mount=type=cache,id=drydock-yarn,target=/usr/local/share/.cache/yarn,sharing=locked \
        yarn install --frozen-lockfile --non-interactive

    FROM base AS prod-a
    COPY .drydock/install/prod-a/ ./
    RUN --mount=type=cache,id=drydock-yarn,target=/usr/local/share/.cache/yarn,sharing=locked \
        NODE_DISABLE_COMPILE_CACHE=1 yarn install --frozen-lockfile --non-interactive --production
    ");
    assert_snapshot!(stages(&with_manager(PackageManager::YarnBerry, "yarn@4.9.2")), @r"
    FROM node:22 AS base
    WORKDIR /app
    ARG YARN_IGNORE_PATH=1
    ARG YARN_ENABLE_GLOBAL_CACHE=false
    ARG YARN_ENABLE_TELEMETRY=false
    ARG YARN_HTTP_RETRY=2
    ARG YARN_HTTP_TIMEOUT=20000
    RUN NODE_DISABLE_COMPILE_CACHE=1 npm install --global --force @yarnpkg/cli-dist@4.9.2

    FROM base AS deps
    COPY .drydock/install/deps/ ./
    RUN --mount=type=cache,id=drydock-yarn-berry,target=/root/.yarn/berry/cache,sharing=locked \
        yarn install --immutable

    FROM base AS prod-a
    COPY .drydock/install/prod-a/ ./
    RUN --mount=type=cache,id=drydock-yarn-berry,target=/root/.yarn/berry/cache,sharing=locked \
        NODE_DISABLE_COMPILE_CACHE=1 yarn workspaces focus --all --production
    ");
    assert_snapshot!(stages(&with_manager(PackageManager::Bun, "other@1")), @r"
    FROM node:22 AS base
    WORKDIR /app
    RUN NODE_DISABLE_COMPILE_CACHE=1 npm install --global bun@1 \
        && rm -rf /usr/local/lib/node_modules/bun/node_modules

    FROM base AS deps
    COPY .drydock/install/deps/ ./
    RUN --mount=type=cache,id=drydock-bun,target=/root/.bun/install/cache,sharing=shared \
        bun install --frozen-lockfile

    FROM base AS prod-a
    COPY .drydock/install/prod-a/ ./
    RUN --mount=type=cache,id=drydock-bun,target=/root/.bun/install/cache,sharing=shared \
        bun install --frozen-lockfile --production
    ");
}

#[test]
fn a_package_manager_without_a_version_is_that_of_the_lockfile() {
    let text = stages(&with_manager(PackageManager::Pnpm, "pnpm@https://example.com/pnpm.tgz"));
    assert!(text.contains("\nRUN NODE_DISABLE_COMPILE_CACHE=1 npm install --global pnpm@8\n"), "{text}");
}

#[test]
fn an_install_says_what_its_environment_would_hide() {
    let mut deps = install("base", InstallPurpose::Build, ".drydock/install/deps", &["a"]);
    deps.env = map(&[("NODE_ENV", "production"), ("MONGOMS_DISABLE_POSTINSTALL", "1"), ("NOTE", "two\nlines")]);
    deps.npmrc_variables = strings(&["NPM_TOKEN"]);
    deps.files = paths(&["patches", "vendor/a.tgz", "vendor/b.tgz"]);
    let mut on_one_line = deps.clone();
    on_one_line.env.shift_remove("NOTE");
    let context = vec![tree("patches/x.patch"), tree("vendor/a.tgz"), tree("vendor/b.tgz")];
    let install_with = |deps: InstallStage| {
        let base = StageKind::Base(base("registry.example:5000/node:22-alpine"));
        plan(vec![stage("base", base), stage("deps", StageKind::Install(deps))], Vec::new(), context.clone())
    };
    assert_snapshot!(lower(&install_with(on_one_line), &generated_directory()).stages()[1].text, @r#"
    FROM base AS deps
    COPY .drydock/install/deps/ ./
    COPY patches patches
    COPY vendor/a.tgz vendor/b.tgz vendor/
    RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared \
        --mount=type=secret,id=NPM_TOKEN \
        NODE_ENV=production MONGOMS_DISABLE_POSTINSTALL=1 NPM_TOKEN="$(cat /run/secrets/NPM_TOKEN 2>/dev/null)" \
            npm ci --include=dev
    "#);
    assert_snapshot!(lower(&install_with(deps), &generated_directory()).stages()[1].text, @r#"
    FROM base AS deps
    COPY .drydock/install/deps/ ./
    COPY patches patches
    COPY vendor/a.tgz vendor/b.tgz vendor/
    RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared \
        --mount=type=secret,id=NPM_TOKEN \
        ["/bin/sh", "-c", "NODE_ENV=production MONGOMS_DISABLE_POSTINSTALL=1 NOTE='two\nlines' NPM_TOKEN=\"$(cat /run/secrets/NPM_TOKEN 2>/dev/null)\" npm ci --include=dev"]
    "#);
}

#[test]
fn images_of_alpine_have_their_own_package_manager() {
    let mut alpine = base("node:22-alpine");
    alpine.system_packages = strings(&["tini", "libc6-compat"]);
    assert_snapshot!(stages(&plan(vec![stage("base", StageKind::Base(alpine))], Vec::new(), Vec::new())), @r"
    FROM node:22-alpine AS base
    WORKDIR /app
    RUN --mount=type=cache,id=drydock-apk,target=/var/cache/apk,sharing=locked \
        apk add --update-cache --cache-dir=/var/cache/apk libc6-compat tini
    ");
}

#[test]
fn a_single_package_is_its_own_workspace() {
    let mut service = runtime("prod", "web-app", "");
    service.copies = vec![
        RuntimeCopy {
            source: CopySource::Context,
            paths: paths(&["package.json", "server.js"]),
            to: None,
            owned: false,
        },
        RuntimeCopy { source: CopySource::Stage(id("build")), paths: paths(&["dist"]), to: None, owned: false },
    ];
    service.user = "1000:1000".to_owned();
    service.writable = paths(&["", "data"]);
    let mut own = build("deps", "web", "", &[]);
    own.sources = paths(&["package.json", "src", "tsconfig.json"]);
    let plan = plan(
        vec![
            stage("base", StageKind::Base(base("node:22-bookworm-slim"))),
            stage("deps", StageKind::Install(install("base", InstallPurpose::Build, ".drydock/install/web", &["web"]))),
            stage("build", StageKind::Build(own)),
            stage(
                "prod",
                StageKind::Install(install("base", InstallPurpose::Production, ".drydock/install/web-prod", &["web"])),
            ),
            stage("web-app", StageKind::Runtime(service)),
        ],
        Vec::new(),
        vec![tree("package.json"), tree("server.js"), tree("src/index.ts"), tree("tsconfig.json")],
    );
    assert_snapshot!(stages(&plan), @r#"
    FROM node:22-bookworm-slim AS base
    WORKDIR /app
    ARG npm_config_audit=false
    ARG npm_config_fund=false
    ARG npm_config_update_notifier=false
    ARG npm_config_loglevel=http
    ARG npm_config_fetch_retries=2
    ARG npm_config_fetch_retry_mintimeout=1000
    ARG npm_config_fetch_retry_maxtimeout=5000
    ARG npm_config_fetch_timeout=20000

    FROM base AS deps
    COPY .drydock/install/web/ ./
    RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared npm ci

    FROM deps AS build
    COPY package.json tsconfig.json ./
    COPY src src
    RUN npm run build

    FROM base AS prod
    COPY .drydock/install/web-prod/ ./
    RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared \
        NODE_DISABLE_COMPILE_CACHE=1 npm ci --omit=dev

    FROM prod AS web-app
    ENV NODE_ENV=production
    RUN install -d -o 1000 -g 1000 /app /app/data
    COPY package.json server.js ./
    COPY --from=build /app/dist dist
    USER 1000:1000
    CMD ["node", "index.js"]
    "#);
}

#[test]
fn hostile_names_stay_in_their_place() {
    let odd = r#"apps/we ird $HOME "[id]" \x"#;
    let mut own = build("deps", odd, odd, &[("other", &["libs/#1/*"])]);
    own.root_files = vec![path("--from=x"), path("two\nlines.json")];
    own.executables = vec![path("--bin")];
    own.command = strings(&["npm", "run", "build $(touch /tmp/x)"]);
    own.env = map(&[("ONE", "a $b"), ("TWO", "a\nb")]);
    own.trim = vec![path("it's/dist")];
    let other = build("deps", "other", "libs/#1", &[]);
    let mut service = runtime("deps", "api", odd);
    service.user = "us er".to_owned();
    service.command = strings(&["node", "it's \"$HOME\"\n"]);
    service.healthcheck = Some(Healthcheck::new(Probe::Http { path: "/it's?\"x\"&\\".to_owned(), port: None }));
    service.writable = vec![path(odd)];
    let plan = plan(
        vec![
            stage("base", StageKind::Base(base("node:22"))),
            stage("deps", StageKind::Install(install("base", InstallPurpose::Build, ".drydock/install/x y", &[odd]))),
            stage("other", StageKind::Build(other)),
            Stage {
                comment: Some("one\r\ntwo\u{1b}[31m\n\nRUN nothing".to_owned()),
                ..stage("odd", StageKind::Build(own))
            },
            stage("api", StageKind::Runtime(service)),
        ],
        Vec::new(),
        vec![tree("--from=x"), tree("two\nlines.json")],
    );
    validate(&plan).unwrap();
    assert_snapshot!(lower(&plan, &generated_directory()), @r#"
    # Written by `cargo drydock dockerfile`, and overwritten by it: change drydock.toml instead.
    # The files under .drydock/ are written with it.

    # A registry that cannot be reached fails an install after about a minute, not ten. These settings are
    # arguments, so that installs have them and no image does.
    FROM node:22 AS base
    WORKDIR /app
    ARG npm_config_audit=false
    ARG npm_config_fund=false
    ARG npm_config_update_notifier=false
    ARG npm_config_loglevel=http
    ARG npm_config_fetch_retries=2
    ARG npm_config_fetch_retry_mintimeout=1000
    ARG npm_config_fetch_retry_maxtimeout=5000
    ARG npm_config_fetch_timeout=20000

    # Installs see manifests and lockfiles cut down to what they install, so that only a change of that
    # installs anew; the real manifests come with the sources.
    FROM base AS deps
    COPY [".drydock/install/x y/", "./"]
    RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared npm ci

    FROM deps AS other
    COPY ["./libs/#1", "./libs/#1"]
    WORKDIR "/app/libs/#1"
    RUN npm run build

    # one
    # two [31m
    #
    # RUN nothing
    FROM deps AS odd
    COPY ["./--from=x", "two\nlines.json", "./"]
    COPY --from=other ["/app/libs/#1/[*]", "./libs/#1/*"]
    COPY ["apps/we ird \\$HOME \\\"[[]id]\\\" [\\\\\\\\]x", "apps/we ird \\$HOME \\\"[id]\\\" \\\\x"]
    RUN chmod +x -- --bin
    ENV ONE="a \$b"
    WORKDIR "/app/apps/we ird \$HOME \"[id]\" \\x"
    RUN ["/bin/sh", "-c", "TWO='a\nb' npm run 'build $(touch /tmp/x)' && rm -rf '/app/it'\\''s/dist'"]

    FROM deps AS api
    ENV NODE_ENV=production
    RUN install -d -o 'us er' -g 'us er' '/app/apps/we ird $HOME "[id]" \x'
    WORKDIR "/app/apps/we ird \$HOME \"[id]\" \\x"
    USER "us er"
    HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
        CMD ["node", "-e", "fetch('http://127.0.0.1:'+(process.env.PORT||3000)+\"/it's?\\\"x\\\"&\\\\\",{redirect:'manual'}).then(r=>process.exit(r.status<400?0:1),()=>process.exit(1))"]
    CMD ["node", "it's \"$HOME\"\n"]
    "#);
}

#[test]
fn generated_files_follow_the_folder_they_are_written_to() {
    let file = lower(&chat(), &path("deploy/docker files")).to_string();
    assert!(!file.contains(".drydock"), "{file}");
    let lines: Vec<&str> = file.lines().filter(|line| line.contains("deploy/")).collect();
    assert_snapshot!(lines.join("\n"), @r#"
    # The files under deploy/docker files/ are written with it.
    COPY ["deploy/docker files/install/client/", "./"]
    COPY ["deploy/docker files/install/api/", "./"]
    COPY ["deploy/docker files/install/api-prod/", "./"]
    COPY ["deploy/docker files/static/client.conf", "/etc/nginx/conf.d/default.conf"]
    COPY ["deploy/docker files/static/docs.conf", "/etc/nginx/conf.d/default.conf"]
    "#);
}

#[test]
fn a_line_belongs_to_its_stage() {
    let plan = chat();
    let file = lower(&plan, &generated_directory());
    let text = file.to_string();
    let mut next = file.stages().iter();
    let mut current = None;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('#') && index > 4 && text.lines().nth(index - 1) == Some("")
            || line.starts_with("FROM ") && !text.lines().nth(index - 1).unwrap().starts_with('#')
        {
            current = next.next();
        }
        if line.is_empty() {
            current = None;
        }
        assert_eq!(file.stage_at(index + 1), current, "line {}: {line}", index + 1);
    }
    assert_eq!(next.next(), None);
    assert_eq!(file.stage_at(0), None);
    assert_eq!(file.stage_at(text.lines().count() + 1), None);
    let build = file.stages().iter().find(|stage| stage.id.as_str() == "build-client").unwrap();
    assert_eq!(build.packages, names(&["@chat/client"]));
    assert!(build.text.starts_with("FROM deps-client AS build-client\n"));
    let image = file.stages().iter().find(|stage| stage.id.as_str() == "docs").unwrap();
    assert_eq!(image.target.as_ref().unwrap().as_str(), "docs");
}

#[test]
fn an_image_is_never_taken_for_a_stage() {
    let stages_of = vec![stage("base", StageKind::Base(base("node"))), stage("node", StageKind::Base(base("debian")))];
    assert_snapshot!(stages(&plan(stages_of, Vec::new(), Vec::new())), @r#"
    FROM docker.io/library/node AS base
    WORKDIR /app

    FROM debian AS node
    WORKDIR /app
    "#);
}

#[test]
fn images_named_twice_are_named_once() {
    let image = |name: &str, reference: &str| stage(name, StageKind::Base(base(reference)));
    let plan = plan(
        vec![
            image("a", "x/node:22"),
            image("b", "y/node:22"),
            image("c", "x/node:22"),
            image("d", "y/node:22"),
            image("e", "z:1"),
        ],
        Vec::new(),
        Vec::new(),
    );
    let froms = lower(&plan, &generated_directory()).to_string();
    let lines: Vec<&str> = froms.lines().filter(|line| line.starts_with("FROM") || line.starts_with("ARG")).collect();
    assert_snapshot!(lines.join("\n"), @r#"
    ARG NODE_IMAGE=x/node:22
    ARG NODE_IMAGE_2=y/node:22
    FROM ${NODE_IMAGE} AS a
    FROM ${NODE_IMAGE_2} AS b
    FROM ${NODE_IMAGE} AS c
    FROM ${NODE_IMAGE_2} AS d
    FROM z:1 AS e
    "#);
}
