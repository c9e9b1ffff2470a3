//! Generated workspaces whose packages have as many files and bytes as asked for, the same on every machine.

use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;
use serde_json::{Map, Value, json};

/// What a repository is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Packages that others use.
    pub(super) packages: usize,
    /// Files of each.
    pub(super) files: usize,
    /// Bytes of each file.
    pub(super) bytes: usize,
    /// Whether the packages have a build step; without one, their files go into the images as they are.
    pub(super) build: bool,
    /// Targets: services that use packages.
    pub(super) targets: usize,
    /// How many packages every target uses. The others are dealt out, one target each.
    pub(super) shared: usize,
}

/// A repository on disk.
pub(super) struct Repository {
    pub(super) root: PathBuf,
    shape: Shape,
}

impl Repository {
    /// Writes one to `root`, which must not exist.
    pub(super) fn generate(root: &Path, shape: Shape) -> Result<Self> {
        let repository = Self { root: root.to_owned(), shape };
        fs::create_dir_all(root)?;
        let manifest = json!({ "name": "generated", "private": true, "workspaces": ["packages/*", "services/*"] });
        fs::write(root.join("package.json"), pretty(&manifest))?;
        fs::write(root.join(".nvmrc"), "22\n")?;
        // What is measured is the driver, and not how fast a mirror of Debian hands out an init.
        fs::write(root.join("drydock.toml"), "[workspace]\ninit = false\n")?;
        let mut locked = Map::new();
        for package in 0..shape.packages {
            let mut manifest = json!({ "name": name(package), "version": "1.0.0", "main": "src/index.js" });
            if shape.build {
                manifest["scripts"] = json!({ "build": "mkdir -p dist && cp -r src/. dist" });
            }
            repository.member(&format!("packages/package-{package:02}"), &manifest, &mut locked)?;
            repository.write_package(package, 0)?;
        }
        for target in 0..shape.targets {
            let used = (0..shape.packages)
                .filter(|package| *package < shape.shared || (package - shape.shared) % shape.targets == target);
            let dependencies: Map<String, Value> = used.map(|package| (name(package), json!("*"))).collect();
            let folder = format!("services/service-{target:02}");
            let manifest = json!({
                "name": format!("@generated/service-{target:02}"), "version": "1.0.0",
                "scripts": { "start": "node index.js" }, "dependencies": dependencies,
            });
            repository.member(&folder, &manifest, &mut locked)?;
            fs::write(root.join(&folder).join("index.js"), format!("console.log({target});\n"))?;
        }
        locked.sort_keys();
        let mut packages = Map::new();
        packages.insert(String::new(), json!({ "name": "generated", "workspaces": ["packages/*", "services/*"] }));
        packages.append(&mut locked);
        let lock = json!({ "name": "generated", "lockfileVersion": 3, "requires": true, "packages": packages });
        fs::write(root.join("package-lock.json"), pretty(&lock))?;
        Ok(repository)
    }

    fn member(&self, folder: &str, manifest: &Value, locked: &mut Map<String, Value>) -> Result<()> {
        let directory = self.root.join(folder);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("package.json"), pretty(manifest))?;
        let mut entry = json!({ "name": manifest["name"], "version": "1.0.0" });
        if let Some(dependencies) = manifest.get("dependencies") {
            entry["dependencies"] = dependencies.clone();
        }
        let name = manifest["name"].as_str().unwrap_or_default();
        locked.insert(format!("node_modules/{name}"), json!({ "resolved": folder, "link": true }));
        locked.insert(folder.to_owned(), entry);
        Ok(())
    }

    /// Writes all files of a package anew, with content of their `edition`, and the same sizes.
    pub(super) fn write_package(&self, package: usize, edition: usize) -> Result<()> {
        for file in 0..self.shape.files {
            self.write_file(package, file, edition)?;
        }
        Ok(())
    }

    /// Writes one file of a package anew.
    pub(super) fn write_file(&self, package: usize, file: usize, edition: usize) -> Result<()> {
        let source = self.root.join(format!("packages/package-{package:02}/src"));
        let path =
            if file == 0 { source.join("index.js") } else { source.join(format!("{:02}/{file:04}.js", file / 50)) };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // Comments of hexadecimal noise: it compresses no better than real sources do.
        let mut seed = [package, file, edition].into_iter().fold(0x9e37_79b9_7f4a_7c15_u64, |seed, number| {
            (seed ^ number as u64).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(31)
        });
        let mut text = String::with_capacity(self.shape.bytes + 80);
        while text.len() < self.shape.bytes {
            text.push_str("//");
            for _ in 0..4 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(&format!(" {seed:016x}"));
            }
            text.push('\n');
        }
        text.truncate(self.shape.bytes.saturating_sub(1));
        text.push('\n');
        fs::write(path, text)?;
        Ok(())
    }

    /// Files of packages, and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        let files = self.shape.packages * self.shape.files;
        (files, files * self.shape.bytes)
    }
}

fn name(package: usize) -> String {
    format!("@generated/package-{package:02}")
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
