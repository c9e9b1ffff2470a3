//! Whole Dockerfiles of plans made by hand.

mod support;

use drydock_dockerfile::{generated_directory, lower, validate};
use drydock_plan::BuildPlan;
use insta::assert_snapshot;

use support::{chat, path};

fn text(plan: &BuildPlan) -> String {
    validate(plan).unwrap();
    lower(plan, &generated_directory()).to_string()
}

#[test]
fn a_service_that_serves_its_front_end() {
    assert_snapshot!(text(&chat()), @r#"
    # Written by `cargo drydock dockerfile`, and overwritten by it: change drydock.toml instead.
    # The files under .drydock/ are written with it.

    ARG NGINX_UNPRIVILEGED_IMAGE=nginxinc/nginx-unprivileged:stable-bookworm

    # A registry that cannot be reached fails an install after about a minute, not ten.
    FROM node:22-bookworm-slim AS base
    WORKDIR /app
    ENV npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false npm_config_loglevel=http \
        npm_config_fetch_retries=2 npm_config_fetch_retry_mintimeout=1000 npm_config_fetch_retry_maxtimeout=5000 \
        npm_config_fetch_timeout=20000

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
        && apt-get install --yes --no-install-recommends g++ make python3
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

    FROM base AS base-api
    RUN --mount=type=cache,id=drydock-apt,target=/var/cache/apt,sharing=locked \
        --mount=type=cache,id=drydock-apt-lists,target=/var/lib/apt/lists,sharing=locked \
        rm -f /etc/apt/apt.conf.d/docker-clean \
        && apt-get update \
        && apt-get install --yes --no-install-recommends libjemalloc2 tini
    ENV LD_PRELOAD=libjemalloc.so.2

    FROM base-api AS prod-api
    COPY .drydock/install/api-prod/ ./
    RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared \
        --mount=type=secret,id=npmrc,target=/root/.npmrc \
        npm ci --omit=dev
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
    COPY --from=build-client /app/client/dist /usr/share/nginx/html
    EXPOSE 8080

    FROM ${NGINX_UNPRIVILEGED_IMAGE} AS docs
    COPY .drydock/static/docs.conf /etc/nginx/conf.d/default.conf
    COPY docs /usr/share/nginx/html
    EXPOSE 8080
    "#);
}
