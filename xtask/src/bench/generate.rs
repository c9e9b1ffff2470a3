//! Generated workspaces of any size, the same on every machine.

use std::path::Path;

use anyhow::Result;
use fs_err as fs;
use serde_json::{Map, Value, json};

/// How many packages depend on earlier ones, and how far back those lie.
const REACH: usize = 40;

/// Writes a workspace of `count` packages to `folder`, which must not exist: each package depends on up to three
/// earlier ones and on a few third-party packages, one in twenty is a service, and all of them build with `tsc`.
/// The lockfile has an entry per third-party package, a tenth of the number of packages and at least ten.
pub(crate) fn workspace(folder: &Path, count: usize) -> Result<()> {
    let third_parties = (count / 10).max(10);
    fs::create_dir_all(folder)?;
    fs::write(folder.join("tsconfig.base.json"), "{ \"compilerOptions\": { \"strict\": true } }\n")?;
    fs::write(folder.join(".nvmrc"), "22\n")?;
    let root = json!({ "name": "generated", "private": true, "workspaces": ["packages/*"], "devDependencies": { "typescript": "^5.0.0" } });
    fs::write(folder.join("package.json"), pretty(&root))?;

    let mut entries = Map::new();
    entries.insert(
        String::new(),
        json!({ "name": "generated", "workspaces": ["packages/*"], "devDependencies": { "typescript": "^5.0.0" } }),
    );
    let mut locked = Map::new();
    for index in 0..count {
        let name = format!("package-{index:05}");
        let mut dependencies = Map::new();
        for step in [1, 7, REACH] {
            // Every package but the first of each group of fifty leans on earlier ones of its group.
            if index % 50 >= step {
                dependencies.insert(format!("@generated/package-{:05}", index - step), json!("*"));
            }
        }
        for offset in 0..3 {
            dependencies.insert(format!("third-party-{:04}", (index + offset) % third_parties), json!("^1.0.0"));
        }
        let is_service = index % 20 == 19;
        let mut scripts = Map::from_iter([("build".to_owned(), json!("tsc"))]);
        if is_service {
            scripts.insert("start".to_owned(), json!("node dist/index.js"));
            dependencies.insert("express".to_owned(), json!("^5.0.0"));
        }
        let manifest = json!({
            "name": format!("@generated/{name}"), "version": "1.0.0", "main": "dist/index.js",
            "scripts": scripts, "dependencies": dependencies,
        });
        let directory = folder.join("packages").join(&name);
        fs::create_dir_all(directory.join("src"))?;
        fs::write(directory.join("package.json"), pretty(&manifest))?;
        fs::write(
            directory.join("tsconfig.json"),
            "{ \"extends\": \"../../tsconfig.base.json\", \"compilerOptions\": { \"outDir\": \"dist\", \"rootDir\": \"src\" } }\n",
        )?;
        fs::write(directory.join("src/index.ts"), format!("export const name = '{name}';\n"))?;
        locked.insert(
            format!("node_modules/@generated/{name}"),
            json!({ "resolved": format!("packages/{name}"), "link": true }),
        );
        locked.insert(
            format!("packages/{name}"),
            json!({ "name": format!("@generated/{name}"), "version": "1.0.0", "dependencies": manifest["dependencies"] }),
        );
    }
    locked.insert("node_modules/typescript".to_owned(), json!({ "version": "5.0.0", "dev": true }));
    locked.insert("node_modules/express".to_owned(), json!({ "version": "5.0.0" }));
    for index in 0..third_parties {
        locked.insert(format!("node_modules/third-party-{index:04}"), json!({ "version": "1.0.0" }));
    }
    locked.sort_keys();
    entries.append(&mut locked);
    let lock = json!({ "name": "generated", "lockfileVersion": 3, "requires": true, "packages": entries });
    fs::write(folder.join("package-lock.json"), pretty(&lock))?;
    Ok(())
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
