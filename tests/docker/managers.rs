//! Workspaces of every package manager, from a lockfile that it wrote itself to a container that answers: installed
//! frozen, in the version that `packageManager` names, and started without the package manager.

use std::process::Command;

use drydock_test::Fixture;

use crate::docker::{Container, config, docker};
use crate::drydock::Build;

/// A package manager, and how its lockfile is written.
struct Manager {
    /// The value of `packageManager`.
    named: &'static str,
    /// The package of npm's registry that holds it.
    package: &'static str,
    /// The command that writes the lockfile.
    lock: &'static [&'static str],
    /// What a member writes to depend on another.
    range: &'static str,
    /// Further files, with their content.
    files: &'static [(&'static str, &'static str)],
}

const PNPM: Manager = Manager {
    named: "pnpm@9.15.9",
    package: "pnpm@9.15.9",
    lock: &["pnpm", "install", "--lockfile-only"],
    range: "workspace:*",
    files: &[("pnpm-workspace.yaml", "packages:\n  - packages/*\n  - apps/*\n")],
};

const YARN_CLASSIC: Manager = Manager {
    named: "yarn@1.22.22",
    package: "yarn@1.22.22",
    lock: &["yarn", "install", "--ignore-scripts", "--non-interactive"],
    range: "*",
    files: &[],
};

const YARN_BERRY: Manager = Manager {
    named: "yarn@4.9.2",
    package: "@yarnpkg/cli-dist@4.9.2",
    lock: &["yarn", "install", "--mode=update-lockfile"],
    range: "workspace:*",
    files: &[(".yarnrc.yml", "nodeLinker: node-modules\n")],
};

const PLUG_AND_PLAY: Manager = Manager { files: &[(".yarnrc.yml", "enableTelemetry: false\n")], ..YARN_BERRY };

const BUN: Manager = Manager {
    named: "bun@1.2.20",
    package: "bun@1.2.20",
    lock: &["bun", "install", "--lockfile-only"],
    range: "workspace:*",
    files: &[],
};

impl Manager {
    /// A service that answers with what a library computes, which TypeScript builds and which a package of the registry
    /// does the work of.
    fn fixture(&self) -> Fixture {
        let fixture = Fixture::empty();
        let Self { named, range, .. } = self;
        fixture.write(
            "package.json",
            &format!(
                r#"{{ "name": "fleet", "private": true, "packageManager": "{named}", "workspaces": ["packages/*", "apps/*"] }}"#
            ),
        );
        fixture.write(
            "packages/lib/package.json",
            r#"{ "name": "@fleet/lib", "version": "1.0.0", "main": "dist/index.js",
              "scripts": { "build": "tsc index.ts --outDir dist --module commonjs --skipLibCheck" },
              "dependencies": { "ms": "2.1.3" }, "devDependencies": { "typescript": "5.9.3" } }"#,
        );
        fixture.write(
            "packages/lib/index.ts",
            "declare const require: any;\nconst ms = require('ms');\nexport const hour: number = ms('1h');\n",
        );
        fixture.write(
            "apps/api/package.json",
            &format!(
                r#"{{ "name": "@fleet/api", "version": "1.0.0", "main": "index.js",
                  "scripts": {{ "start": "node index.js" }}, "dependencies": {{ "@fleet/lib": "{range}" }} }}"#
            ),
        );
        fixture.write(
            "apps/api/index.js",
            "const { hour } = require('@fleet/lib');\n\
             require('node:http').createServer((_, response) => response.end(`${hour} ms`)).listen(3000);\n",
        );
        for (path, content) in self.files {
            fixture.write(path, content);
        }
        let output = Command::new("npx")
            .args(["--yes", "--package", self.package, "--"])
            .args(self.lock)
            .current_dir(fixture.root())
            .output()
            .expect("`npx` is on PATH");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{named}: {}", String::from_utf8_lossy(&said));
        fixture
    }

    /// Builds the image, starts it, and gives what stands in it.
    fn answers(&self) -> String {
        let fixture = self.fixture();
        let build = Build::of(&fixture, &["api"]);
        let image = build.image("api");
        let container = Container::start(image, 3000);
        assert_eq!(container.ready("/").body, "3600000 ms", "{}", self.named);

        let version = self.named.split_once('@').expect("a name and a version").1;
        let told = build.lines("log").filter_map(|line| line["text"].as_str()).any(|text| text.contains(version));
        let runs = || {
            let program = self.lock[0];
            docker(&["run", "--rm", "--entrypoint", program, image, "--version"]).trim() == version
        };
        assert!(told || runs(), "{} was not installed with", self.named);
        let environment = config(image)["Env"].to_string();
        assert!(!environment.contains("npm_config") && !environment.contains("YARN_"), "{environment}");
        container
            .shell("find / -xdev -path '*node_modules/*' -name package.json -o -xdev -name '*.zip' 2>/dev/null || true")
    }
}

#[test]
fn pnpm_builds_a_service() {
    let files = PNPM.answers();
    assert!(files.contains("/ms/package.json") && !files.contains("/typescript/package.json"), "{files}");
}

#[test]
fn yarn_classic_builds_a_service() {
    let files = YARN_CLASSIC.answers();
    assert!(files.contains("/ms/package.json") && !files.contains("/typescript/package.json"), "{files}");
}

#[test]
fn yarn_berry_builds_a_service() {
    let files = YARN_BERRY.answers();
    assert!(files.contains("/ms/package.json") && !files.contains("/typescript/package.json"), "{files}");
}

#[test]
fn yarn_without_node_modules_builds_a_service() {
    let files = PLUG_AND_PLAY.answers();
    assert!(files.contains("/ms-npm-") && !files.contains("/typescript-"), "{files}");
}

#[test]
fn bun_builds_a_service() {
    let files = BUN.answers();
    assert!(files.contains("/ms/package.json") && !files.contains("/typescript/package.json"), "{files}");
}
