//! What the commands print that stop before building.

use drydock_test::Fixture;

use crate::support::{acme, check};

#[test]
fn the_graph_of_chat_in_every_form() {
    let fixture = Fixture::example("chat");
    check!(fixture, ["graph"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    @chat/data-provider  packages/data-provider
    @chat/data-schemas   packages/data-schemas
    └── @chat/data-provider (peer)
    @chat/api            packages/api
    ├── @chat/data-provider (development, peer)
    └── @chat/data-schemas (peer)
    @chat/api-server     api
    ├── @chat/api
    ├── @chat/data-provider
    └── @chat/data-schemas
    @chat/ui             packages/client
    └── @chat/data-provider (peer)
    @chat/client         client
    ├── @chat/data-provider
    └── @chat/ui

    ----- stderr -----
    ");
    check!(fixture, ["graph", "--format", "dot"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    digraph packages {
      rankdir=LR;
      node [shape=box];
      "@chat/data-provider";
      "@chat/data-schemas";
      "@chat/api";
      "@chat/api-server";
      "@chat/ui";
      "@chat/client";
      "@chat/data-schemas" -> "@chat/data-provider" [style=dotted, label="peer"];
      "@chat/api" -> "@chat/data-provider" [style=dashed, label="development"];
      "@chat/api" -> "@chat/data-schemas" [style=dotted, label="peer"];
      "@chat/api-server" -> "@chat/api";
      "@chat/api-server" -> "@chat/data-provider";
      "@chat/api-server" -> "@chat/data-schemas";
      "@chat/ui" -> "@chat/data-provider" [style=dotted, label="peer"];
      "@chat/client" -> "@chat/data-provider";
      "@chat/client" -> "@chat/ui";
    }

    ----- stderr -----
    "#);
    check!(fixture, ["graph", "--format", "mermaid"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    graph LR
      p0["@chat/data-provider"]
      p1["@chat/data-schemas"]
      p2["@chat/api"]
      p3["@chat/api-server"]
      p4["@chat/ui"]
      p5["@chat/client"]
      p1 -.->|peer| p0
      p2 -.->|development| p0
      p2 -.->|peer| p1
      p3 --> p2
      p3 --> p0
      p3 --> p1
      p4 -.->|peer| p0
      p5 --> p0
      p5 --> p4

    ----- stderr -----
    "#);
}

#[test]
fn the_graph_as_json() {
    check!(acme(), ["graph", "--format", "json"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "version": 1,
      "packages": [
        {
          "name": "@acme/lib",
          "path": "packages/lib"
        },
        {
          "name": "@acme/api",
          "path": "api"
        }
      ],
      "edges": [
        {
          "from": "@acme/api",
          "to": "@acme/lib",
          "kind": "production",
          "also": [],
          "spec": "^1.0.0"
        }
      ]
    }

    ----- stderr -----
    "#);
}

#[test]
fn names_cannot_break_out_of_a_graph() {
    let fixture = acme();
    fixture.edit("packages/lib/package.json", "@acme/lib", "a\\\"];\\nb");
    check!(fixture, ["graph", "--format", "dot"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    digraph packages {
      rankdir=LR;
      node [shape=box];
      "@acme/api";
      "a\"]; b";
    }

    ----- stderr -----
    "#);
    check!(fixture, ["graph", "--format", "mermaid"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    graph LR
      p0["@acme/api"]
      p1["a#quot;]; b"]

    ----- stderr -----
    "#);
}

#[test]
fn targets_tell_what_led_to_them() {
    check!(acme(), ["targets"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    api  service  @acme/api  node server.js, port 3000

    ----- stderr -----
    ");
    check!(acme(), ["targets", "--verbose"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    api  service  @acme/api  node server.js, port 3000
      developed in api-dev, when it is named: node --watch server.js on port 3000
      service, because api/package.json has the script `start`: `node server.js`
      command: node server.js, because api/package.json has the script `start`: `node server.js`
      port: 3000, because api/server.js:2 takes it when PORT is not set

    Not a target:
      @acme/lib: `@acme/api` depends on it

    ----- stderr -----
            Root [ROOT]
    ");
    check!(acme(), ["targets", "--format", "json"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "version": 1,
      "targets": [
        {
          "name": "api",
          "kind": "service",
          "package": "@acme/api",
          "configured": false,
          "port": 3000,
          "command": [
            "node",
            "server.js"
          ],
          "workdir": "api",
          "served": null,
          "assets": [],
          "dev": {
            "name": "api-dev",
            "port": 3000,
            "command": [
              "node",
              "--watch",
              "server.js"
            ],
            "workdir": "api"
          },
          "decisions": [
            {
              "subject": "target api",
              "choice": "service",
              "because": "api/package.json has the script `start`: `node server.js`"
            },
            {
              "subject": "target api: command",
              "choice": "node server.js",
              "because": "api/package.json has the script `start`: `node server.js`"
            },
            {
              "subject": "target api: port",
              "choice": "3000",
              "because": "api/server.js:2 takes it when PORT is not set"
            }
          ]
        }
      ],
      "others": [
        {
          "package": "@acme/lib",
          "why": "`@acme/api` depends on it"
        }
      ]
    }

    ----- stderr -----
    "#);
}

#[test]
fn a_plan_for_people() {
    check!(acme(), ["plan"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    Stages
      base              node:22-bookworm-slim
      runtime-base      base with tini
      install           npm install for building, 0 packages
      build-lib         npm run build in packages/lib → packages/lib/dist
      runtime-deps-api  npm install for production, 0 packages
      api               node server.js as node

    Targets
      api               service, port 3000 from @acme/api, @acme/lib

    Context
      5 files of the workspace, 7 generated

    ----- stderr -----
    ");
}

#[test]
fn a_plan_for_people_who_want_to_know() {
    check!(acme(), ["plan", "-v"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    Stages
      base              node:22-bookworm-slim
      runtime-base      base with tini
      install           npm install for building, 0 packages
                        ├── from base
                        └── serves @acme/lib
      build-lib         npm run build in packages/lib → packages/lib/dist
                        ├── from install
                        └── own files: packages/lib
      runtime-deps-api  npm install for production, 0 packages
                        ├── from runtime-base
                        └── serves @acme/api, @acme/lib
      api               node server.js as node
                        ├── from runtime-deps-api
                        ├── files: package.json, packages/lib/package.json
                        ├── from build-lib: packages/lib/dist
                        └── files: api

    Targets
      api               service, port 3000 from @acme/api, @acme/lib

    Context
      5 files of the workspace, 7 generated

    Decisions
      node: node:22-bookworm-slim, because .nvmrc says `22`
      install: shared, because all that is built serves api
      target api: service, because api/package.json has the script `start`: `node server.js`
      target api: command: node server.js, because api/package.json has the script `start`: `node server.js`
      target api: port: 3000, because api/server.js:2 takes it when PORT is not set
      target api: init: tini, because signals reach what it runs, with or without a handler, and a container stops at once

    ----- stderr -----
            Root [ROOT]
    ");
}

#[test]
#[allow(clippy::too_many_lines, reason = "most of it is the snapshot")]
fn a_plan_for_programs() {
    check!(acme(), ["plan", "--format", "json"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "version": 1,
      "root": "/app",
      "stages": [
        {
          "name": "base",
          "fingerprint": "f27c159f4a3a8be34daea812110c1c74e2fcb4139c68341449c3689119ad8825",
          "needs": [],
          "kind": "base",
          "image": "node:22-bookworm-slim",
          "system_packages": [],
          "copies": []
        },
        {
          "name": "runtime-base",
          "fingerprint": "1889fe58f361f159019fd0bf247710379205333580eb9f263eb46d573c745fd6",
          "needs": [
            "base"
          ],
          "kind": "base",
          "image": null,
          "system_packages": [
            "tini"
          ],
          "copies": []
        },
        {
          "name": "install",
          "fingerprint": "cb1db84d5f55afbbb674a53c7cda414a3bbfc01606a09f28e6647b4d1fe3d5e9",
          "needs": [
            "base"
          ],
          "kind": "install",
          "purpose": "build",
          "manager": "npm",
          "input": ".drydock/install/install",
          "packages": [
            "@acme/lib"
          ],
          "entries": 0
        },
        {
          "name": "build-lib",
          "fingerprint": "3b390bfde2035903686b05220ea790ac65b4e4f216d613f26417035c1401dfa8",
          "needs": [
            "install"
          ],
          "kind": "build",
          "package": "@acme/lib",
          "directory": "packages/lib",
          "command": [
            "npm",
            "run",
            "build"
          ],
          "sources": [
            "packages/lib"
          ],
          "root_files": [],
          "inputs": [],
          "outputs": [
            "packages/lib/dist"
          ],
          "args": [],
          "secrets": []
        },
        {
          "name": "runtime-deps-api",
          "fingerprint": "5957f2cbf11a544bcfeb5f144a969614a2ce318538a2fa6883e7da9ccfc8776b",
          "needs": [
            "runtime-base"
          ],
          "kind": "install",
          "purpose": "production",
          "manager": "npm",
          "input": ".drydock/install/runtime-deps-api",
          "packages": [
            "@acme/api",
            "@acme/lib"
          ],
          "entries": 0
        },
        {
          "name": "api",
          "fingerprint": "08c6e595d730b898b8493d00762a1c6f84d6a430d129ad7d361c58a418bc6434",
          "needs": [
            "build-lib",
            "runtime-deps-api"
          ],
          "kind": "runtime",
          "target": "api",
          "copies": [
            {
              "stage": null,
              "paths": [
                "package.json",
                "packages/lib/package.json"
              ]
            },
            {
              "stage": "build-lib",
              "paths": [
                "packages/lib/dist"
              ]
            },
            {
              "stage": null,
              "paths": [
                "api"
              ]
            }
          ],
          "workdir": "api",
          "user": "node",
          "port": 3000,
          "entrypoint": [
            "tini",
            "--"
          ],
          "command": [
            "node",
            "server.js"
          ],
          "healthcheck": null,
          "args": []
        }
      ],
      "targets": [
        {
          "name": "api",
          "fingerprint": "08c6e595d730b898b8493d00762a1c6f84d6a430d129ad7d361c58a418bc6434",
          "kind": "service",
          "package": "@acme/api",
          "stage": "api",
          "packages": [
            "@acme/api",
            "@acme/lib"
          ],
          "port": 3000
        }
      ],
      "context": [
        {
          "path": ".drydock/install/install/package-lock.json",
          "generated": true,
          "executable": false
        },
        {
          "path": ".drydock/install/install/package.json",
          "generated": true,
          "executable": false
        },
        {
          "path": ".drydock/install/install/packages/lib/package.json",
          "generated": true,
          "executable": false
        },
        {
          "path": ".drydock/install/runtime-deps-api/api/package.json",
          "generated": true,
          "executable": false
        },
        {
          "path": ".drydock/install/runtime-deps-api/package-lock.json",
          "generated": true,
          "executable": false
        },
        {
          "path": ".drydock/install/runtime-deps-api/package.json",
          "generated": true,
          "executable": false
        },
        {
          "path": ".drydock/install/runtime-deps-api/packages/lib/package.json",
          "generated": true,
          "executable": false
        },
        {
          "path": "api/package.json",
          "generated": false,
          "executable": false
        },
        {
          "path": "api/server.js",
          "generated": false,
          "executable": false
        },
        {
          "path": "package.json",
          "generated": false,
          "executable": false
        },
        {
          "path": "packages/lib/build.js",
          "generated": false,
          "executable": false
        },
        {
          "path": "packages/lib/package.json",
          "generated": false,
          "executable": false
        }
      ],
      "decisions": [
        {
          "subject": "node",
          "choice": "node:22-bookworm-slim",
          "because": ".nvmrc says `22`"
        },
        {
          "subject": "install",
          "choice": "shared",
          "because": "all that is built serves api"
        },
        {
          "subject": "target api",
          "choice": "service",
          "because": "api/package.json has the script `start`: `node server.js`"
        },
        {
          "subject": "target api: command",
          "choice": "node server.js",
          "because": "api/package.json has the script `start`: `node server.js`"
        },
        {
          "subject": "target api: port",
          "choice": "3000",
          "because": "api/server.js:2 takes it when PORT is not set"
        },
        {
          "subject": "target api: init",
          "choice": "tini",
          "because": "signals reach what it runs, with or without a handler, and a container stops at once"
        }
      ]
    }

    ----- stderr -----
    "#);
}

#[test]
fn the_files_of_a_target() {
    check!(acme(), ["files", "api"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    .drydock/install/install/package-lock.json
    .drydock/install/install/package.json
    .drydock/install/install/packages/lib/package.json
    .drydock/install/runtime-deps-api/api/package.json
    .drydock/install/runtime-deps-api/package-lock.json
    .drydock/install/runtime-deps-api/package.json
    .drydock/install/runtime-deps-api/packages/lib/package.json
    api/package.json
    api/server.js
    package.json
    packages/lib/build.js
    packages/lib/package.json

    ----- stderr -----
    ");
    check!(acme(), ["files", "@acme/api", "--format", "json"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "version": 1,
      "targets": [
        "api"
      ],
      "files": [
        {
          "path": ".drydock/install/install/package-lock.json",
          "from": "generated",
          "executable": false
        },
        {
          "path": ".drydock/install/install/package.json",
          "from": "generated",
          "executable": false
        },
        {
          "path": ".drydock/install/install/packages/lib/package.json",
          "from": "generated",
          "executable": false
        },
        {
          "path": ".drydock/install/runtime-deps-api/api/package.json",
          "from": "generated",
          "executable": false
        },
        {
          "path": ".drydock/install/runtime-deps-api/package-lock.json",
          "from": "generated",
          "executable": false
        },
        {
          "path": ".drydock/install/runtime-deps-api/package.json",
          "from": "generated",
          "executable": false
        },
        {
          "path": ".drydock/install/runtime-deps-api/packages/lib/package.json",
          "from": "generated",
          "executable": false
        },
        {
          "path": "api/package.json",
          "from": "tree",
          "executable": false
        },
        {
          "path": "api/server.js",
          "from": "tree",
          "executable": false
        },
        {
          "path": "package.json",
          "from": "tree",
          "executable": false
        },
        {
          "path": "packages/lib/build.js",
          "from": "tree",
          "executable": false
        },
        {
          "path": "packages/lib/package.json",
          "from": "tree",
          "executable": false
        }
      ]
    }

    ----- stderr -----
    "#);
}

#[test]
fn a_file_for_bake() {
    check!(acme(), ["bake", "--tag", "registry.example.com/{target}:1"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "group": {
        "default": {
          "targets": [
            "api"
          ]
        }
      },
      "target": {
        "api": {
          "context": ".",
          "dockerfile": ".drydock/Dockerfile",
          "target": "api",
          "tags": [
            "registry.example.com/api:1"
          ]
        }
      }
    }

    ----- stderr -----
    "#);
}

#[test]
fn a_file_for_bake_says_what_is_configured() {
    let fixture = acme();
    let configuration = r#"
        [workspace]
        registry = "registry.example.com/team"
        tags = ["{target}:{version}"]
        labels = { "org.example.team" = "ship" }
        annotations = { "org.example.target" = "{target}" }
        platforms = ["linux/amd64", "linux/arm64"]
        cache-from = ["type=registry,ref=registry.example.com/cache:{target}"]
        cache-to = ["type=gha,mode=max"]
    "#;
    fixture.write("drydock.toml", configuration);
    check!(fixture, ["bake"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "group": {
        "default": {
          "targets": [
            "api"
          ]
        }
      },
      "target": {
        "api": {
          "context": ".",
          "dockerfile": ".drydock/Dockerfile",
          "target": "api",
          "tags": [
            "registry.example.com/team/api:1.0.0"
          ],
          "annotations": [
            "org.example.target=api"
          ],
          "platforms": [
            "linux/amd64",
            "linux/arm64"
          ],
          "cache-from": [
            "type=registry,ref=registry.example.com/cache:api"
          ],
          "cache-to": [
            "type=gha,mode=max,scope=api"
          ],
          "labels": {
            "org.example.team": "ship"
          }
        }
      }
    }

    ----- stderr -----
    "#);
}

#[test]
fn a_tag_must_fit_its_images() {
    check!(acme(), ["bake", "--tag", "{targt}", "--tag", "Upper"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[template-unknown-field]: `{targt}` in the tag `{targt}` means nothing
      = help: did you mean `{target}`?
    error[tag-invalid]: `Upper` is not a reference to an image
      = help: write a name in lowercase, perhaps a registry before it and a tag behind it: `registry.example.com/team/{target}:1.0`
    ");
}
