//! `compose`: printed, written, checked.

use drydock_test::Fixture;

use crate::support::{acme, check, drydock, stdout};

#[test]
fn a_service_for_each_target() {
    check!(acme(), ["compose", "--out", "-"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    # Written by `cargo drydock compose`, and overwritten by it.
    # What else there is (databases, volumes) can stand in a file of your own: `docker compose -f THIS -f YOURS up`.
    # The files under .drydock/compose/ are written with it.
    name: acme
    services:
      api:
        image: api
        build:
          context: .
          dockerfile: .drydock/compose/Dockerfile
          target: api
        ports:
          - "3000:3000"

    ----- stderr -----
    "#);
}

#[test]
fn sources_are_watched_where_targets_are_developed() {
    check!(Fixture::example("chat"), ["compose", "--dev", "--out", "-"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    # Written by `cargo drydock compose --dev`, and overwritten by it.
    # What else there is (databases, volumes) can stand in a file of your own: `docker compose -f THIS -f YOURS up`.
    # The files under .drydock/compose.dev/ are written with it.
    name: chat-dev
    services:
      api:
        image: api-dev
        build:
          context: .
          dockerfile: .drydock/compose.dev/Dockerfile
          target: api-dev
        ports:
          - "127.0.0.1:3080:3080"
        develop:
          watch:
            - path: ./packages/data-provider
              action: rebuild
              ignore:
                - "**/node_modules"
                - dist
            - path: ./packages/data-schemas
              action: rebuild
              ignore:
                - "**/node_modules"
                - dist
            - path: ./packages/api
              action: rebuild
              ignore:
                - "**/node_modules"
                - dist
            - path: ./api
              action: sync
              target: /app/api
              ignore:
                - "**/node_modules"
                - package.json
            - path: ./api/package.json
              action: rebuild
            - path: ./package.json
              action: rebuild
            - path: ./.drydock/compose.dev
              action: rebuild

    ----- stderr -----
    warning[foreign-file]: the build of `@chat/client` reads `packages/client/src`, `packages/client/tailwind.preset.cjs` of the package `@chat/ui` (client/tailwind.config.cjs:2, client/tailwind.config.cjs:7)
     --> client/tailwind.config.cjs:7:3
      |
    2 | const preset = require('../packages/client/tailwind.preset.cjs');
      | ----------------------------------------------------------------- require("../packages/client/tailwind.preset.cjs")
    ...
    7 |   content: ['./index.html', './src/**/*.ts', '../packages/client/src/**/*.ts'],
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `../packages/client/src/**/*.ts`
      |
      = help: it gets them; to make that part of the configuration, write `root-files = ["packages/client/src", "packages/client/tailwind.preset.cjs"]` under `[package."@chat/client"]`, or export them from `@chat/ui`
    "#);
}

/// A script that needs a shell is started again; one of two equal ports is moved.
#[test]
fn what_a_command_does_not_see_starts_it_again() {
    let text = stdout(&Fixture::example("rag"), &["compose", "--dev", "--out", "-"]);
    let backend = text.split("  frontend:").next().expect("a text");
    assert!(backend.contains("action: sync+restart") && !backend.contains("action: sync\n"), "{backend}");
    assert!(backend.contains("path: ./src/backend/tsconfig.json\n          action: rebuild"), "{backend}");
    let fixture = acme();
    fixture.write("drydock.toml", "[target.one]\npackage = \"@acme/api\"\n[target.two]\npackage = \"@acme/api\"\n");
    let text = stdout(&fixture, &["compose", "--out", "-"]);
    assert!(text.contains("\"3000:3000\"") && text.contains("\"3001:3000\""), "{text}");
}

#[test]
fn a_site_is_served_beside_the_image_that_it_is_developed_in() {
    let fixture = Fixture::example("rag");
    fixture.write("drydock.toml", "[target.frontend]\ncompose = { port = 8000 }\n");
    let text = stdout(&fixture, &["compose", "frontend", "frontend-dev", "--out", "-"]);
    assert!(text.contains("  frontend:\n") && text.contains("\"8000:8080\""), "{text}");
    // Its own port is taken.
    assert!(text.contains("  frontend-dev:\n") && text.contains("\"8001:8000\""), "{text}");
}

#[test]
fn sources_are_mounted_but_for_what_is_installed() {
    let text = stdout(&Fixture::example("rag"), &["compose", "frontend", "--dev", "--mount", "--out", "-"]);
    let volumes = text.split_once("volumes:").expect("volumes").1.split_once("develop:").expect("rules").0;
    insta::assert_snapshot!(volumes.trim_end(), @"

    - ./src/frontend:/app/src/frontend
    - /app/src/frontend/node_modules
    ");
    assert!(!text.contains("action: sync"), "{text}");
}

#[test]
fn the_configuration_says_ports_order_and_environment() {
    let fixture = acme();
    fixture.write("api/.env.example", "GREETING=\n");
    fixture.write(
        "drydock.toml",
        "[workspace]\nregistry = \"ghcr.io/acme\"\ntags = [\"{target}:{version}\", \"{target}:edge\"]\n\
         [package.\"@acme/lib\"]\nsecrets = [\"npm-token\"]\nargs = [\"COMMIT\"]\n\
         [target.api]\nhealthcheck = \"/\"\n\
         [target.worker]\npackage = \"@acme/api\"\nenv = { PRICE = \"1$\" }\n\
         compose = { port = 9000, depends-on = [\"api\"], environment = [\"LOG_LEVEL\"] }\n",
    );
    let text = stdout(&fixture, &["compose", "--out", "deploy/compose.yaml"]);
    assert_eq!(text, "");
    insta::assert_snapshot!(fixture.read("deploy/compose.yaml"), @r#"
    # Written by `cargo drydock compose --out deploy/compose.yaml`, and overwritten by it.
    # What else there is (databases, volumes) can stand in a file of your own: `docker compose -f THIS -f YOURS up`.
    # The files under .drydock/compose-deploy-compose/ are written with it.
    name: acme
    services:
      api:
        image: ghcr.io/acme/api:1.0.0
        build:
          context: ".."
          dockerfile: .drydock/compose-deploy-compose/Dockerfile
          target: api
          tags:
            - ghcr.io/acme/api:edge
          args:
            COMMIT:
          secrets:
            - npm-token
        ports:
          - "3000:3000"
        env_file:
          - path: ../api/.env
            required: false
        environment:
          NODE_ENV: production
          PORT: "3000"
      worker:
        image: ghcr.io/acme/worker:1.0.0
        build:
          context: ".."
          dockerfile: .drydock/compose-deploy-compose/Dockerfile
          target: worker
          tags:
            - ghcr.io/acme/worker:edge
          args:
            COMMIT:
          secrets:
            - npm-token
        ports:
          - "9000:3000"
        env_file:
          - path: ../api/.env
            required: false
        environment:
          LOG_LEVEL:
          NODE_ENV: production
          PORT: "3000"
        depends_on:
          api:
            condition: service_healthy
    secrets:
      npm-token:
        environment: NPM_TOKEN
    "#);
    // What is built is what plain Docker gets from the same configuration.
    assert!(fixture.root().join(".drydock/compose-deploy-compose/Dockerfile").exists());
    let text = stdout(&fixture, &["compose", "--no-build", "--out", "-"]);
    assert!(!text.contains("build:") && !text.contains("secrets:"), "{text}");
}

#[test]
fn mistakes_of_the_configuration_are_told() {
    let fixture = acme();
    fixture.write("drydock.toml", "[target.api]\ncompose = { depends-on = [\"apo\"] }\n");
    check!(fixture, ["compose", "--out", "-"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[compose-service-unknown]: `api` is to depend on `apo`, which is no target
      = help: did you mean `api`?
    ");
    fixture.write(
        "drydock.toml",
        "[target.api]\ncompose = { port = 80 }\n[target.b]\npackage = \"@acme/api\"\ncompose = { port = 80 }\n",
    );
    check!(fixture, ["compose", "--out", "-"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[host-port-shared]: the services `api` and `b` are to be published on the port 80
      = help: give each its own `port` in `compose` of its `[target.NAME]`
    ");
    fixture.write(
        "drydock.toml",
        "[target.api]\ncompose = { depends-on = [\"b\"] }\n\
         [target.b]\npackage = \"@acme/api\"\ncompose = { depends-on = [\"api\"] }\n",
    );
    check!(fixture, ["compose", "--out", "-"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[compose-circle]: `b` is to depend on `api`, which waits for it
      = help: take one of them out of a `depends-on` of `compose`
    ");
    fixture.write("drydock.toml", "[target.api]\ncompose = { ports = 80, environment = [\"A B\"] }\n");
    check!(fixture, ["compose", "--out", "-"], @r#"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[config-unknown-key]: unknown key `ports` in `compose`
     --> drydock.toml:2:13
      |
    2 | compose = { ports = 80, environment = ["A B"] }
      |             ^^^^^
      |
      = help: did you mean `port`?

    error[config-value]: `A B` is not the name of a variable
     --> drydock.toml:2:40
      |
    2 | compose = { ports = 80, environment = ["A B"] }
      |                                        ^^^^^
      |
      = help: use letters, digits and `_`, and begin with no digit
    "#);
}

#[test]
fn what_drydock_did_not_write_stays() {
    let fixture = acme();
    fixture.write("docker-compose.yml", "services: {}\n");
    check!(fixture, ["compose"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[compose-file-hidden]: `compose.yaml` would hide `docker-compose.yml` from Compose
      = help: name another file: `--out compose.drydock.yaml`
    ");
    fixture.write("mine.yaml", "services: {}\n");
    check!(fixture, ["compose", "--out", "mine.yaml"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[file-not-generated]: `[ROOT]/mine.yaml` was not written by drydock
      = help: move it away, or name another place; drydock overwrites only what it wrote
    ");
    assert_eq!(fixture.read("mine.yaml"), "services: {}\n");
    assert!(!fixture.root().join(".drydock").exists());
    check!(fixture, ["compose", "--out", "../out.yaml"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[out-dir-outside-workspace]: `..` is not inside the workspace `[ROOT]`
      = help: name one inside the workspace, like `.drydock`
    ");
}

#[test]
fn check_tells_what_is_stale() {
    let fixture = acme();
    let code = |arguments: &[&str]| drydock(&fixture, arguments).output().expect("it runs").status.code();
    assert_eq!(code(&["compose", "--check"]), Some(1));
    check!(fixture, ["compose"], @"
    success: true
    exit_code: 0
    ----- stdout -----

    ----- stderr -----
           Wrote compose.yaml (changed), and 9 files to .drydock/compose (9 changed)
    ");
    assert_eq!(code(&["compose", "--check"]), Some(0));
    check!(fixture, ["compose"], @"
    success: true
    exit_code: 0
    ----- stdout -----

    ----- stderr -----
           Wrote compose.yaml (nothing changed), and 9 files to .drydock/compose (nothing changed)
    ");
    fixture.write("api/more.js", "");
    check!(fixture, ["compose", "--check"], @"
    success: false
    exit_code: 1
    ----- stdout -----
    --- a/.drydock/compose/Dockerfile.dockerignore
    +++ b/.drydock/compose/Dockerfile.dockerignore
    @@ -7,6 +7,7 @@
     !.drydock/compose/install/runtime-deps-api/package-lock.json
     !.drydock/compose/install/runtime-deps-api/package.json
     !.drydock/compose/install/runtime-deps-api/packages/lib/package.json
    +!api/more.js
     !api/package.json
     !api/server.js
     !package.json

    ----- stderr -----
           Stale 1 file; run `drydock compose`
    ");
    assert_eq!(code(&["compose"]), Some(0));
    assert_eq!(code(&["compose", "--check"]), Some(0));
}
