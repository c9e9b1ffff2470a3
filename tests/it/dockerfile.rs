//! `dockerfile`: printed, written, checked.

use drydock_test::Fixture;

use crate::support::{acme, check, drydock, stdout};

#[test]
fn it_is_printed() {
    check!(acme(), ["dockerfile"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    # Written by `cargo drydock dockerfile`, and overwritten by it: change drydock.toml instead.
    # The files under .drydock/ are written with it.

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

    FROM base AS runtime-base
    RUN --mount=type=cache,id=drydock-apt,target=/var/cache/apt,sharing=locked \
        --mount=type=cache,id=drydock-apt-lists,target=/var/lib/apt/lists,sharing=locked \
        rm -f /etc/apt/apt.conf.d/docker-clean \
        && apt-get update \
        && apt-get install --yes --no-install-recommends tini \
        && rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/ldconfig/aux-cache

    # Installs see manifests and lockfiles cut down to what they install, so that only a change of that
    # installs anew; the real manifests come with the sources.
    FROM base AS install
    COPY .drydock/install/install/ ./
    RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared npm ci

    FROM install AS build-lib
    COPY packages/lib packages/lib
    WORKDIR /app/packages/lib
    RUN npm run build

    FROM runtime-base AS runtime-deps-api
    COPY .drydock/install/runtime-deps-api/ ./
    RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared \
        NODE_DISABLE_COMPILE_CACHE=1 npm ci --omit=dev

    FROM runtime-deps-api AS api
    ENV NODE_ENV=production
    COPY package.json ./
    COPY packages/lib/package.json packages/lib/
    COPY --from=build-lib /app/packages/lib/dist packages/lib/dist
    COPY api api
    WORKDIR /app/api
    USER node
    EXPOSE 3000
    ENTRYPOINT ["tini", "--"]
    CMD ["node", "server.js"]

    ----- stderr -----
    "#);
}

#[test]
#[allow(clippy::too_many_lines, reason = "most of it is the snapshot")]
fn it_is_written_with_what_it_needs_and_checked() {
    let fixture = acme();
    check!(fixture, ["dockerfile", "--check"], @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    --- /dev/null
    +++ b/.drydock/Dockerfile
    @@ -0,0 +1,51 @@
    +# Written by `cargo drydock dockerfile`, and overwritten by it: change drydock.toml instead.
    +# The files under .drydock/ are written with it.
    +
    +# A registry that cannot be reached fails an install after about a minute, not ten. These settings are
    +# arguments, so that installs have them and no image does.
    +FROM node:22-bookworm-slim AS base
    +WORKDIR /app
    +ARG npm_config_audit=false
    +ARG npm_config_fund=false
    +ARG npm_config_update_notifier=false
    +ARG npm_config_loglevel=http
    +ARG npm_config_fetch_retries=2
    +ARG npm_config_fetch_retry_mintimeout=1000
    +ARG npm_config_fetch_retry_maxtimeout=5000
    +ARG npm_config_fetch_timeout=20000
    +
    +FROM base AS runtime-base
    +RUN --mount=type=cache,id=drydock-apt,target=/var/cache/apt,sharing=locked \
    +    --mount=type=cache,id=drydock-apt-lists,target=/var/lib/apt/lists,sharing=locked \
    +    rm -f /etc/apt/apt.conf.d/docker-clean \
    +    && apt-get update \
    +    && apt-get install --yes --no-install-recommends tini \
    +    && rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/ldconfig/aux-cache
    +
    +# Installs see manifests and lockfiles cut down to what they install, so that only a change of that
    +# installs anew; the real manifests come with the sources.
    +FROM base AS install
    +COPY .drydock/install/install/ ./
    +RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared npm ci
    +
    +FROM install AS build-lib
    +COPY packages/lib packages/lib
    +WORKDIR /app/packages/lib
    +RUN npm run build
    +
    +FROM runtime-base AS runtime-deps-api
    +COPY .drydock/install/runtime-deps-api/ ./
    +RUN --mount=type=cache,id=drydock-npm,target=/root/.npm,sharing=shared \
    +    NODE_DISABLE_COMPILE_CACHE=1 npm ci --omit=dev
    +
    +FROM runtime-deps-api AS api
    +ENV NODE_ENV=production
    +COPY package.json ./
    +COPY packages/lib/package.json packages/lib/
    +COPY --from=build-lib /app/packages/lib/dist packages/lib/dist
    +COPY api api
    +WORKDIR /app/api
    +USER node
    +EXPOSE 3000
    +ENTRYPOINT ["tini", "--"]
    +CMD ["node", "server.js"]
    --- /dev/null
    +++ b/.drydock/Dockerfile.dockerignore
    @@ -0,0 +1,14 @@
    +# Written by `cargo drydock dockerfile`: the build sees what is named here and nothing else.
    +*
    +!.drydock/install/install/package-lock.json
    +!.drydock/install/install/package.json
    +!.drydock/install/install/packages/lib/package.json
    +!.drydock/install/runtime-deps-api/api/package.json
    +!.drydock/install/runtime-deps-api/package-lock.json
    +!.drydock/install/runtime-deps-api/package.json
    +!.drydock/install/runtime-deps-api/packages/lib/package.json
    +!api/package.json
    +!api/server.js
    +!package.json
    +!packages/lib/build.js
    +!packages/lib/package.json
    --- /dev/null
    +++ b/.drydock/docker-bake.json
    @@ -0,0 +1,19 @@
    +{
    +  "group": {
    +    "default": {
    +      "targets": [
    +        "api"
    +      ]
    +    }
    +  },
    +  "target": {
    +    "api": {
    +      "context": ".",
    +      "dockerfile": ".drydock/Dockerfile",
    +      "target": "api",
    +      "tags": [
    +        "api"
    +      ]
    +    }
    +  }
    +}
    --- /dev/null
    +++ b/.drydock/install/install/package-lock.json
    @@ -0,0 +1,20 @@
    +{
    +  "name": "acme",
    +  "lockfileVersion": 3,
    +  "requires": true,
    +  "packages": {
    +    "": {
    +      "name": "acme",
    +      "workspaces": [
    +        "packages/lib"
    +      ]
    +    },
    +    "node_modules/@acme/lib": {
    +      "resolved": "packages/lib",
    +      "link": true
    +    },
    +    "packages/lib": {
    +      "name": "@acme/lib"
    +    }
    +  }
    +}
    --- /dev/null
    +++ b/.drydock/install/install/package.json
    @@ -0,0 +1,7 @@
    +{
    +  "name": "acme",
    +  "private": true,
    +  "workspaces": [
    +    "packages/lib"
    +  ]
    +}
    --- /dev/null
    +++ b/.drydock/install/install/packages/lib/package.json
    @@ -0,0 +1,4 @@
    +{
    +  "name": "@acme/lib",
    +  "private": true
    +}
    --- /dev/null
    +++ b/.drydock/install/runtime-deps-api/api/package.json
    @@ -0,0 +1,7 @@
    +{
    +  "name": "@acme/api",
    +  "private": true,
    +  "dependencies": {
    +    "@acme/lib": "*"
    +  }
    +}
    --- /dev/null
    +++ b/.drydock/install/runtime-deps-api/package-lock.json
    @@ -0,0 +1,31 @@
    +{
    +  "name": "acme",
    +  "lockfileVersion": 3,
    +  "requires": true,
    +  "packages": {
    +    "": {
    +      "name": "acme",
    +      "workspaces": [
    +        "api",
    +        "packages/lib"
    +      ]
    +    },
    +    "api": {
    +      "name": "@acme/api",
    +      "dependencies": {
    +        "@acme/lib": "*"
    +      }
    +    },
    +    "node_modules/@acme/api": {
    +      "resolved": "api",
    +      "link": true
    +    },
    +    "node_modules/@acme/lib": {
    +      "resolved": "packages/lib",
    +      "link": true
    +    },
    +    "packages/lib": {
    +      "name": "@acme/lib"
    +    }
    +  }
    +}
    --- /dev/null
    +++ b/.drydock/install/runtime-deps-api/package.json
    @@ -0,0 +1,8 @@
    +{
    +  "name": "acme",
    +  "private": true,
    +  "workspaces": [
    +    "api",
    +    "packages/lib"
    +  ]
    +}
    --- /dev/null
    +++ b/.drydock/install/runtime-deps-api/packages/lib/package.json
    @@ -0,0 +1,4 @@
    +{
    +  "name": "@acme/lib",
    +  "private": true
    +}

    ----- stderr -----
           Stale 10 files; run `drydock dockerfile --out-dir .drydock`
    "#);
    check!(fixture, ["dockerfile", "--out-dir", ".drydock"], @"
    success: true
    exit_code: 0
    ----- stdout -----

    ----- stderr -----
           Wrote 10 files to .drydock (10 changed)
    ");
    check!(fixture, ["dockerfile", "--out-dir", ".drydock"], @"
    success: true
    exit_code: 0
    ----- stdout -----

    ----- stderr -----
           Wrote 10 files to .drydock (nothing changed)
    ");
    check!(fixture, ["dockerfile", "--check"], @"
    success: true
    exit_code: 0
    ----- stdout -----

    ----- stderr -----
         Current 10 files
    ");
    assert_eq!(fixture.read(".drydock/Dockerfile"), stdout(&fixture, &["dockerfile"]));
}

#[test]
fn what_is_stale_is_shown_as_a_difference() {
    let fixture = acme();
    stdout(&fixture, &["dockerfile", "--out-dir", "docker"]);
    fixture.edit("api/package.json", "node server.js", "node --enable-source-maps server.js");
    check!(fixture, ["dockerfile", "--out-dir", "docker", "--check"], @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    --- a/docker/Dockerfile
    +++ b/docker/Dockerfile
    @@ -48,4 +48,4 @@
     USER node
     EXPOSE 3000
     ENTRYPOINT ["tini", "--"]
    -CMD ["node", "server.js"]
    +CMD ["node", "--enable-source-maps", "server.js"]

    ----- stderr -----
           Stale 1 file; run `drydock dockerfile --out-dir docker`
    "#);
    check!(fixture, ["dockerfile", "--out-dir", "docker", "--check", "--format", "json"], @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    {
      "version": 1,
      "current": false,
      "files": [
        {
          "path": "docker/Dockerfile",
          "state": "stale"
        }
      ]
    }

    ----- stderr -----
    "#);
}

#[test]
fn a_file_of_somebody_else_is_not_overwritten() {
    let fixture = acme();
    fixture.write("docker/Dockerfile", "FROM scratch\n");
    check!(fixture, ["dockerfile", "--out-dir", "docker"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[file-not-generated]: `[ROOT]/docker/Dockerfile` was not written by drydock
      = help: move it away, or name another place; drydock overwrites only what it wrote
    ");
    assert_eq!(fixture.read("docker/Dockerfile"), "FROM scratch\n");
}

#[test]
fn it_is_only_written_inside_the_workspace() {
    check!(acme(), ["dockerfile", "--out-dir", "../elsewhere"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[out-dir-outside-workspace]: `../elsewhere` is not inside the workspace `[ROOT]`
      = help: name one inside the workspace, like `.drydock`
    ");
}

#[test]
fn files_of_an_earlier_run_go_away() {
    let fixture = Fixture::example("rag");
    stdout(&fixture, &["dockerfile", "--out-dir", ".drydock"]);
    let files = |fixture: &Fixture| {
        let output = drydock(fixture, &["files", "frontend"]).output().expect("the binary runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().filter(|line| line.starts_with(".drydock/")).map(str::to_owned).collect::<Vec<_>>()
    };
    let kept = files(&fixture);
    stdout(&fixture, &["dockerfile", "frontend", "--out-dir", ".drydock"]);
    let install = fixture.root().join(".drydock/install");
    let left: Vec<String> = install
        .read_dir_utf8()
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").file_name().to_owned())
        .collect();
    for folder in &left {
        let has_files = walk(&install.join(folder));
        let wanted = kept.iter().any(|path| path.starts_with(&format!(".drydock/install/{folder}/")));
        assert_eq!(has_files, wanted, "{folder}");
    }
}

/// Whether there is a file below a folder.
fn walk(folder: &camino::Utf8Path) -> bool {
    folder.read_dir_utf8().expect("the folder is there").any(|entry| {
        let entry = entry.expect("readable");
        if entry.file_type().expect("known").is_dir() { walk(entry.path()) } else { true }
    })
}

#[test]
fn it_is_the_same_in_another_place() {
    let texts: Vec<String> = (0..2).map(|_| stdout(&Fixture::example("chat"), &["dockerfile"])).collect();
    assert_eq!(texts[0], texts[1]);
}
