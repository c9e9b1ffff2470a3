# LibreChat tuned by hand: what a person would write who knows everything the graph tells. The pruned lockfiles and
# masked manifests of its installs, which nobody makes by hand, are those that `cargo drydock dockerfile` writes.
FROM node:24.16.0-bookworm-slim AS base
WORKDIR /app
ENV npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false \
    MONGOMS_DISABLE_POSTINSTALL=1

FROM base AS deps-client
COPY .drydock/install/install-frontend/ ./
RUN --mount=type=cache,id=hand-npm,target=/root/.npm,sharing=shared npm ci

FROM base AS deps-server
COPY .drydock/install/install-api/ ./
RUN --mount=type=cache,id=hand-npm,target=/root/.npm,sharing=shared npm ci

FROM deps-server AS build-data-provider
WORKDIR /app/packages/data-provider
COPY package.json /app/package.json
COPY packages/data-provider ./
RUN npm run build

FROM deps-server AS build-data-schemas
WORKDIR /app/packages/data-schemas
COPY packages/data-provider/package.json /app/packages/data-provider/
COPY --from=build-data-provider /app/packages/data-provider/dist /app/packages/data-provider/dist
COPY packages/data-schemas ./
RUN npm run build

FROM deps-server AS build-api
WORKDIR /app/packages/api
COPY packages/data-provider/package.json /app/packages/data-provider/
COPY packages/data-schemas/package.json /app/packages/data-schemas/
COPY --from=build-data-provider /app/packages/data-provider/dist /app/packages/data-provider/dist
COPY --from=build-data-schemas /app/packages/data-schemas/dist /app/packages/data-schemas/dist
COPY packages/api ./
RUN npm run build

FROM deps-client AS build-client-package
WORKDIR /app/packages/client
COPY packages/data-provider/package.json /app/packages/data-provider/
COPY --from=build-data-provider /app/packages/data-provider/dist /app/packages/data-provider/dist
COPY packages/client ./
RUN npm run build

FROM deps-client AS build-client
WORKDIR /app/client
COPY packages/client/src /app/packages/client/src
COPY packages/client/package.json packages/client/tailwind.preset.cjs /app/packages/client/
COPY packages/data-provider/package.json /app/packages/data-provider/
COPY --from=build-data-provider /app/packages/data-provider/dist /app/packages/data-provider/dist
COPY --from=build-client-package /app/packages/client/dist /app/packages/client/dist
COPY client ./
RUN npm run build

FROM base AS runtime
RUN --mount=type=cache,id=hand-apt,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,id=hand-apt-lists,target=/var/lib/apt/lists,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean \
    && apt-get update \
    && apt-get install --yes --no-install-recommends tini

FROM runtime AS prod-deps
COPY .drydock/install/runtime-deps-api/ ./
RUN --mount=type=cache,id=hand-npm,target=/root/.npm,sharing=shared npm ci --omit=dev

FROM prod-deps AS api
ENV NODE_ENV=production HOST=0.0.0.0
RUN install -d -o node -g node /app/data /app/logs /app/uploads /app/api/logs /app/api/data /app/client/public/images
COPY package.json ./
COPY packages/data-provider/package.json packages/data-provider/
COPY packages/data-schemas/package.json packages/data-schemas/
COPY packages/api/package.json packages/api/
COPY --from=build-data-provider /app/packages/data-provider/dist packages/data-provider/dist
COPY --from=build-data-schemas /app/packages/data-schemas/dist packages/data-schemas/dist
COPY --from=build-api /app/packages/api/dist packages/api/dist
COPY config ./config
COPY skill ./skill
COPY --from=build-client /app/client/dist client/dist
COPY api ./api
WORKDIR /app/api
USER node
EXPOSE 3080
ENTRYPOINT ["tini", "--"]
CMD ["node", "server/index.js"]
