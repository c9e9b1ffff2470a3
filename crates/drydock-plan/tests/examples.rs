//! The repository's own examples, planned end to end.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "a test stops at what it does not expect; snapshots are long"
)]

mod support;

use drydock_plan::{PackageName, Settings, TargetName, TargetSettings};
use support::{context, decisions, example, planned, stages, warnings};

/// What `examples/chat/drydock.toml` says.
fn chat_settings() -> Settings {
    let api = TargetSettings {
        package: Some(PackageName::new("@chat/api-server")),
        assets: vec![PackageName::new("@chat/client")],
        port: Some(3080),
        ..TargetSettings::default()
    };
    Settings { targets: [(TargetName::new("api"), api)].into(), ..Settings::default() }
}

#[test]
fn chat_is_one_service_that_holds_its_front_end() {
    let plan = planned(&example("chat"), &chat_settings(), &[]).unwrap();
    insta::assert_snapshot!(stages(&plan), @r#"
    base: base from node:22-bookworm-slim

    runtime-base: base from base
      system tini

    install-api: Build install from base
      for @chat/api, @chat/data-provider, @chat/data-schemas
      input .drydock/install/install-api

    install-client: Build install from base
      for @chat/client, @chat/data-provider, @chat/ui
      input .drydock/install/install-client

    build-data-provider: build @chat/data-provider from install-api
      reads tsconfig.base.json
      sources packages/data-provider
      run npm run build
      writes packages/data-provider/dist

    build-data-schemas: build @chat/data-schemas from install-api
      reads packages/data-provider/package.json tsconfig.base.json
      takes packages/data-provider/dist of build-data-provider
      sources packages/data-schemas
      run npm run build
      writes packages/data-schemas/dist

    build-api: build @chat/api from install-api
      reads packages/data-provider/package.json packages/data-schemas/package.json tsconfig.base.json
      takes packages/data-provider/dist of build-data-provider
      takes packages/data-schemas/dist of build-data-schemas
      sources packages/api
      run npm run build
      writes packages/api/dist

    build-ui: build @chat/ui from install-client
      reads packages/data-provider/package.json tsconfig.base.json
      takes packages/data-provider/dist of build-data-provider
      sources packages/client
      run npm run build
      writes packages/client/dist

    build-client: build @chat/client from install-client
      reads package.json packages/client/package.json packages/client/src packages/client/tailwind.preset.cjs packages/data-provider/package.json tsconfig.base.json
      takes packages/data-provider/dist of build-data-provider
      takes packages/client/dist of build-ui
      sources client
      run npm run build
      writes client/dist

    runtime-deps-api: Production install from runtime-base
      for @chat/api, @chat/api-server, @chat/data-provider, @chat/data-schemas
      input .drydock/install/runtime-deps-api

    api: service from runtime-deps-api
      copy package.json packages/api/package.json packages/data-provider/package.json packages/data-schemas/package.json
      copy packages/data-provider/dist of build-data-provider
      copy packages/data-schemas/dist of build-data-schemas
      copy packages/api/dist of build-api
      copy client/dist of build-client
      copy api
      env NODE_ENV=production PORT=3080
      port 3080
      entrypoint tini --
      command in api: ["node", "server/index.js"]
    "#);
    insta::assert_snapshot!(decisions(&plan), @"
    node = node:22-bookworm-slim (.nvmrc says `22`)
    install = target (2 installs run at once, each smaller than one for all (119 entries): api (9 entries), client (115 entries))
    target api = service (api/package.json has the script `start`: `node server/index.js`)
    target api: command = node server/index.js (api/package.json has the script `start`: `node server/index.js`)
    target api: port = 3080 (the configuration says so)
    target api: init = tini (signals reach what it runs, with or without a handler, and a container stops at once)
    ");
    insta::assert_snapshot!(warnings(&plan), @r#"
    foreign-file: the build of `@chat/client` reads `packages/client/src`, `packages/client/tailwind.preset.cjs` of the package `@chat/ui` (client/tailwind.config.cjs:2, client/tailwind.config.cjs:7)
      it gets them; to make that part of the configuration, write `root-files = ["packages/client/src", "packages/client/tailwind.preset.cjs"]` under `[package."@chat/client"]`, or export them from `@chat/ui`
    "#);
    insta::assert_snapshot!(context(&plan), @r"
    + .drydock/install/install-api/package-lock.json
    + .drydock/install/install-api/package.json
    + .drydock/install/install-api/packages/api/package.json
    + .drydock/install/install-api/packages/data-provider/package.json
    + .drydock/install/install-api/packages/data-schemas/package.json
    + .drydock/install/install-client/client/package.json
    + .drydock/install/install-client/package-lock.json
    + .drydock/install/install-client/package.json
    + .drydock/install/install-client/packages/client/package.json
    + .drydock/install/install-client/packages/data-provider/package.json
    + .drydock/install/runtime-deps-api/api/package.json
    + .drydock/install/runtime-deps-api/package-lock.json
    + .drydock/install/runtime-deps-api/package.json
    + .drydock/install/runtime-deps-api/packages/api/package.json
    + .drydock/install/runtime-deps-api/packages/data-provider/package.json
    + .drydock/install/runtime-deps-api/packages/data-schemas/package.json
      api/package.json
      api/server/index.js
      client/index.html
      client/package.json
      client/postcss.config.cjs
      client/public/anchor.svg
      client/src/env.d.ts
      client/src/main.ts
      client/src/style.css
      client/tailwind.config.cjs
      client/tsconfig.json
      client/vite.config.ts
      package.json
      packages/api/package.json
      packages/api/src/index.ts
      packages/api/test/conversation.test.mjs
      packages/api/tsconfig.build.json
      packages/api/tsconfig.json
      packages/client/package.json
      packages/client/src/index.ts
      packages/client/src/theme/colors.cjs
      packages/client/tailwind.preset.cjs
      packages/client/tsconfig.json
      packages/data-provider/package.json
      packages/data-provider/src/index.ts
      packages/data-provider/tsconfig.json
      packages/data-schemas/package.json
      packages/data-schemas/src/index.ts
      packages/data-schemas/tsconfig.json
      tsconfig.base.json
    ");
}

#[test]
fn rag_needs_no_configuration() {
    let plan = planned(&example("rag"), &Settings::default(), &[]).unwrap();
    insta::assert_snapshot!(stages(&plan), @r#"
    base: base from node:24-bookworm-slim

    runtime-base: base from base
      system tini

    install-backend-ingestion: Build install from base
      for backend, ingestion
      input .drydock/install/install-backend-ingestion

    install-frontend: Build install from base
      for frontend
      input .drydock/install/install-frontend

    build-backend: build backend from install-backend-ingestion
      sources src/backend
      run npm run build
      writes src/backend/dist

    build-frontend: build frontend from install-frontend
      sources src/frontend
      run npm run build
      writes src/frontend/dist

    build-ingestion: build ingestion from install-backend-ingestion
      sources src/ingestion
      run npm run build
      writes src/ingestion/dist

    runtime-deps-backend: Production install from runtime-base
      for backend
      input .drydock/install/runtime-deps-backend

    backend: service from runtime-deps-backend
      copy package.json src/backend/package.json src/backend/data
      copy src/backend/dist of build-backend
      env NODE_ENV=production FASTIFY_ADDRESS=0.0.0.0
      path /app/src/backend/node_modules/.bin:/app/node_modules/.bin
      port 3000
      entrypoint tini --
      command in src/backend: ["fastify", "start", "-l", "info", "dist/app.js"]

    frontend: static from nginxinc/nginx-unprivileged:stable-bookworm
      serves src/frontend/dist of build-frontend on 8080

    runtime-deps-ingestion: Production install from runtime-base
      for ingestion
      input .drydock/install/runtime-deps-ingestion

    ingestion: service from runtime-deps-ingestion
      copy package.json src/ingestion/package.json
      copy src/ingestion/dist of build-ingestion
      env NODE_ENV=production FASTIFY_ADDRESS=0.0.0.0
      path /app/src/ingestion/node_modules/.bin:/app/node_modules/.bin
      port 3001
      entrypoint tini --
      command in src/ingestion: ["fastify", "start", "-l", "info", "dist/app.js", "-p", "3001"]
    "#);
    insta::assert_snapshot!(decisions(&plan), @"
    node = node:24-bookworm-slim (engines.node in package.json says `>=22`, which Node 24 with long-term support meets)
    install = target (2 installs run at once, each smaller than one for all (157 entries): backend and ingestion (109 entries), frontend (51 entries))
    target backend = service (src/backend/package.json has the script `start`: `fastify start -l info dist/app.js`)
    target backend: command = fastify start -l info dist/app.js (src/backend/package.json has the script `start`: `fastify start -l info dist/app.js`)
    target backend: port = 3000 (`fastify` listens on it by default)
    target backend: FASTIFY_ADDRESS = 0.0.0.0 (fastify-cli listens on localhost unless it knows that it is in a container, and only this address can be reached from outside)
    target backend: files = without src, tsconfig.json (its build writes src/backend/dist; these are sources, tests, tools' settings or texts)
    target backend: init = tini (signals reach what it runs, with or without a handler, and a container stops at once)
    target frontend = static (it has src/frontend/index.html, and its build is Vite's)
    target ingestion = service (src/ingestion/package.json has the script `start`: `fastify start -l info dist/app.js -p 3001`)
    target ingestion: command = fastify start -l info dist/app.js -p 3001 (src/ingestion/package.json has the script `start`: `fastify start -l info dist/app.js -p 3001`)
    target ingestion: port = 3001 (its command says so)
    target ingestion: FASTIFY_ADDRESS = 0.0.0.0 (fastify-cli listens on localhost unless it knows that it is in a container, and only this address can be reached from outside)
    target ingestion: files = without src, tsconfig.json (its build writes src/ingestion/dist; these are sources, tests, tools' settings or texts)
    target ingestion: init = tini (signals reach what it runs, with or without a handler, and a container stops at once)
    ");
    insta::assert_snapshot!(warnings(&plan), @"");
}
