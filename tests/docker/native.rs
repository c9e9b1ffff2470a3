//! Add-ons of native code: compiled in the install, with tools that no image keeps.

use std::process::Command;

use drydock_test::Fixture;

use crate::docker::{Container, docker, shell};
use crate::drydock::{Build, nonce, run};

/// The folder of Node's headers on this machine, and Node's major version: node-gyp fetches headers from Node's own
/// site otherwise, which a closed network does not have.
fn headers() -> (String, String) {
    let script = r"
        const { existsSync, realpathSync } = require('node:fs');
        const { dirname } = require('node:path');
        const nodedir = require('node:child_process').execSync('npm config get nodedir').toString().trim();
        const found = [nodedir, dirname(dirname(realpathSync(process.execPath)))]
          .map(folder => `${folder}/include/node`).find(folder => existsSync(`${folder}/node.h`));
        console.log(`${found} ${process.versions.node.split('.')[0]}`);";
    let output = Command::new("node").args(["-e", script]).output().expect("`node` is on PATH");
    let text = String::from_utf8(output.stdout).expect("a path is UTF-8");
    let (folder, major) = text.trim().split_once(' ').expect("a folder and a version");
    assert_ne!(folder, "undefined", "this machine's Node came without its headers");
    (folder.to_owned(), major.to_owned())
}

/// An image of Node with its headers, removed with this value.
struct BaseImage(String);

impl BaseImage {
    fn with_headers() -> Self {
        let (folder, major) = headers();
        let place = Fixture::empty();
        place.write("Dockerfile", &format!("FROM node:{major}-bookworm-slim\nCOPY . /opt/node/include/node\n"));
        let name = format!("drydock-test-headers:{}", nonce());
        docker(&["build", "--quiet", "--tag", &name, "--file", place.root().join("Dockerfile").as_str(), &folder]);
        Self(name)
    }
}

impl Drop for BaseImage {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["image", "rm", "--force", &self.0]).output();
    }
}

/// A service whose answer is computed by an add-on that has a `binding.gyp` and no install script.
fn service() -> Fixture {
    let fixture = Fixture::empty();
    fixture.write("package.json", r#"{ "name": "forge", "private": true, "workspaces": ["api", "plain"] }"#);
    fixture.write(
        "api/package.json",
        r#"{ "name": "api", "version": "1.0.0", "scripts": { "start": "node index.js" },
          "dependencies": { "diskusage": "1.2.0" } }"#,
    );
    fixture.write(
        "api/index.js",
        "const { checkSync } = require('diskusage');\n\
         require('node:http').createServer((_, response) => response.end(typeof checkSync('/').total)).listen(3000);\n",
    );
    fixture.write(
        "plain/package.json",
        r#"{ "name": "plain", "version": "1.0.0", "scripts": { "start": "node index.js" },
          "dependencies": { "ms": "2.1.3" } }"#,
    );
    fixture.write("plain/index.js", "require('ms');\n");
    let npm = Command::new("npm")
        .args(["install", "--package-lock-only", "--no-audit", "--no-fund"])
        .current_dir(fixture.root())
        .output()
        .expect("`npm` is on PATH");
    assert!(npm.status.success(), "{}", String::from_utf8_lossy(&npm.stderr));
    fixture
}

#[test]
fn an_add_on_is_compiled_with_tools_that_no_image_keeps() {
    let base = BaseImage::with_headers();
    let fixture = service();
    fixture.write(
        "drydock.toml",
        &format!("[workspace]\nimage = \"{}\"\nenv = {{ npm_config_nodedir = \"/opt/node\" }}\n", base.0),
    );
    let build = Build::of(&fixture, &["api"]);
    let image = build.image("api");
    let container = Container::start(image, 3000);
    assert_eq!(container.ready("/").body, "number");
    assert_eq!(shell(image, "ls node_modules/diskusage/build/Release/*.node ../node_modules/diskusage/build/Release/*.node 2>/dev/null | wc -l").trim(), "1");
    for tool in ["g++", "make", "python3"] {
        assert_eq!(shell(image, &format!("command -v {tool} || echo absent")).trim(), "absent", "{tool}");
    }
}

#[test]
fn tools_are_installed_only_where_something_is_compiled() {
    let fixture = service();
    let dockerfile = |target: &str| run(&fixture, &["dockerfile", target], 0).stdout;
    assert!(dockerfile("api").contains("apt-get install --yes --no-install-recommends g++ make python3"));
    // The init of a service comes from packages too.
    assert!(!dockerfile("plain").contains("g++"));
    fixture.write("drydock.toml", "[workspace]\nimage = \"node:22-alpine\"\n");
    assert!(dockerfile("api").contains("apk add --update-cache --cache-dir=/var/cache/apk g++ make python3"));
}
