//! Facts about packages: what builds write, which packages are sites, which are run.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::fmt::Write as _;
use std::sync::Arc;

use drydock_workspace::inspect::{self, Outputs};
use drydock_workspace::{MemoryTree, Workspace};

fn workspace(fixture: &str) -> Workspace {
    Workspace::load(Arc::new(MemoryTree::from_fixture(fixture))).unwrap()
}

/// A workspace with one member in `packages/x`; `fixture` begins with the text of its manifest.
fn member(fixture: &str) -> Workspace {
    let root =
        "//- package.json\n{ \"name\": \"root\", \"workspaces\": [\"packages/*\"] }\n//- packages/x/package.json\n";
    workspace(&format!("{root}{fixture}"))
}

fn outputs(workspace: &Workspace, name: &str) -> Outputs {
    inspect::outputs(workspace, workspace.package(name).unwrap()).unwrap()
}

/// One line an output: `path <- why @ file:line`.
fn told(workspace: &Workspace, name: &str) -> String {
    let outputs = outputs(workspace, name);
    let mut text = String::new();
    for output in &outputs.paths {
        let place = output.place.as_ref().map(|place| match place.line {
            Some(line) => format!("{}:{line}", place.file),
            None => place.file.to_string(),
        });
        writeln!(text, "{} <- {} @ {}", output.path, output.why, place.unwrap_or_default()).unwrap();
    }
    for path in &outputs.excluded {
        writeln!(text, "without {path}").unwrap();
    }
    if outputs.whole_package {
        text.push_str("the whole package\n");
    }
    text
}

/// The paths alone, joined by spaces; `*` for the whole package.
fn paths(fixture: &str) -> String {
    let outputs = outputs(&member(fixture), "x");
    if outputs.whole_package {
        return "*".to_owned();
    }
    let inside = |path: &drydock_lockfile::WorkspacePath| path.as_str().replacen("packages/x/", "", 1);
    let mut paths: Vec<String> = outputs.paths.iter().map(|output| inside(&output.path)).collect();
    paths.extend(outputs.excluded.iter().map(|path| format!("-{}", inside(path))));
    paths.join(" ")
}

fn site(fixture: &str) -> String {
    let workspace = member(fixture);
    let site = inspect::static_site(&workspace, workspace.package("x").unwrap()).unwrap();
    site.map_or("none".to_owned(), |site| format!("{:?} {}: {}", site.kind, site.directory, site.why))
}

/// LibreChat's libraries: a cleaning script, tsdown with a configuration, declarations by the compiler into a folder
/// inside the first, a source file among the exports.
#[test]
fn a_bundler_and_a_compiler_write_one_folder() {
    let workspace = member(
        r#"{ "name": "x", "main": "dist/index.cjs", "files": ["dist", "tailwind.preset.cjs"],
  "exports": { ".": { "import": { "types": "./dist/index.d.mts", "default": "./dist/index.mjs" } },
    "./tailwind-preset": "./tailwind.preset.cjs", "./style.css": "./dist/style.css", "./package.json": "./package.json" },
  "scripts": { "clean": "rimraf dist", "build": "npm run clean && tsdown && tsc -p tsconfig.build.json" } }
//- packages/x/tailwind.preset.cjs
module.exports = {};
//- packages/x/tsdown.config.mjs
import { defineConfig } from 'tsdown';
export default defineConfig({
  outDir: 'dist',
});
//- packages/x/tsconfig.json
{ "compilerOptions": { "outDir": "./types", "noEmit": true, "declaration": true } }
//- packages/x/tsconfig.build.json
{
  "extends": "./tsconfig.json", // with a comment
  "compilerOptions": {
    "noEmit": false,
    "emitDeclarationOnly": true,
    "declarationDir": "./dist/types",
    "outDir": "./dist/types",
  },
}
"#,
    );
    insta::assert_snapshot!(told(&workspace, "x"), @"
    packages/x/dist <- packages/x/tsdown.config.mjs: outDir @ packages/x/tsdown.config.mjs:3
    packages/x/tailwind.preset.cjs <- packages/x/package.json: exports, a file of the sources @ packages/x/package.json:2
    ");
}

/// The rag workshop: `exports` names a source, and a `bin` file that neither is there nor is written.
#[test]
fn what_a_manifest_names_is_an_output_only_where_something_writes_it() {
    let workspace = member(
        r#"{ "name": "x", "type": "module", "exports": "./src/app.ts", "bin": { "ingest-files": "./bin/ingest-files.js" },
  "dependencies": { "fastify": "^5", "fastify-cli": "^7" },
  "scripts": { "start": "fastify start -l info dist/app.js -p 3001", "build": "tsc" } }
//- packages/x/src/app.ts
//- packages/x/tsconfig.json
{
  "extends": "fastify-tsconfig",
  "compilerOptions": { "outDir": "dist" }
}
"#,
    );
    insta::assert_snapshot!(told(&workspace, "x"), @"packages/x/dist <- packages/x/tsconfig.json: outDir @ packages/x/tsconfig.json:3");
    let service = inspect::service(&workspace, workspace.package("x").unwrap()).unwrap();
    insta::assert_debug_snapshot!(service, @r#"
    Service {
        framework: Some(
            "fastify-cli",
        ),
        start: Some(
            "fastify start -l info dist/app.js -p 3001",
        ),
        main: None,
        bin: [],
        why: [
            "`fastify-cli` is among its dependencies",
            "it has the script `start`: `fastify start -l info dist/app.js -p 3001`",
        ],
    }
    "#);
}

/// The reference MCP servers: the root's tsconfig is extended, documents are copied, the command exists after the build.
#[test]
fn a_command_that_the_build_writes_is_a_command() {
    let workspace = member(
        r#"{ "name": "x", "bin": { "mcp-server-x": "dist/index.js" }, "files": ["dist"], "dependencies": { "express": "^5" },
  "scripts": { "build": "tsc && shx cp -r docs dist/ && shx chmod +x dist/*.js", "prepare": "npm run build" } }
//- tsconfig.json
{ "compilerOptions": { "strict": true } }
//- packages/x/docs/a.md
//- packages/x/tsconfig.json
{ "extends": "../../tsconfig.json", "compilerOptions": { "outDir": "./dist", "rootDir": "." }, "include": ["./**/*.ts"] }
"#,
    );
    insta::assert_snapshot!(told(&workspace, "x"), @"packages/x/dist <- packages/x/tsconfig.json: outDir @ packages/x/tsconfig.json:1");
    let service = inspect::service(&workspace, workspace.package("x").unwrap()).unwrap();
    assert_eq!(service.bin.len(), 1);
    assert_eq!(service.bin[0].1.as_str(), "packages/x/dist/index.js");
    assert_eq!(service.main, None);
}

#[test]
fn the_compiler_is_read_as_it_reads_itself() {
    let with = |script: &str, rest: &str| {
        paths(&format!(
            "{{ \"name\": \"x\", \"scripts\": {{ \"build\": {} }} }}\n{rest}",
            serde_json::to_string(script).unwrap()
        ))
    };
    let base = "//- tsconfig.base.json\n{ \"compilerOptions\": { \"outDir\": \"${configDir}/lib\" } }\n";
    let own = "//- packages/x/tsconfig.json\n{ \"extends\": \"../../tsconfig.base\" }\n";
    assert_eq!(with("tsc", &format!("{base}{own}")), "lib");
    assert_eq!(with("tsc -p .", &format!("{base}{own}")), "lib");
    assert_eq!(with("tsc --outDir build", own), "build");
    assert_eq!(with("tsc --noEmit", own), "*");
    // Files beside their sources.
    assert_eq!(with("tsc", "//- packages/x/tsconfig.json\n{}\n"), "*");
    assert_eq!(with("tsc", "//- packages/x/tsconfig.json\nnot json\n"), "*");
    assert_eq!(with("tsc", ""), "*");
    // Two compilations.
    let two = "//- packages/x/a.json\n{ \"compilerOptions\": { \"outDir\": \"dist/esm\" } }\n\
               //- packages/x/b.json\n{ \"compilerOptions\": { \"outDir\": \"cjs\" } }\n";
    assert_eq!(with("tsc -p a.json && tsc --project b.json", two), "cjs dist/esm");
    // Projects that refer to each other; that of another member writes elsewhere.
    let references = "//- packages/x/tsconfig.json\n{ \"files\": [], \"references\": [{ \"path\": \"./app.json\" }, { \"path\": \"../y\" }] }\n\
                      //- packages/x/app.json\n{ \"compilerOptions\": { \"outDir\": \"out\", \"composite\": true, \"declarationDir\": \"types\" } }\n\
                      //- packages/y/package.json\n{ \"name\": \"y\" }\n\
                      //- packages/y/tsconfig.json\n{ \"compilerOptions\": { \"outDir\": \"dist\" } }\n";
    assert_eq!(with("tsc -b", references), "out types");
    assert_eq!(with("tsc", references), "*");
    // A member's configuration by its package name.
    let shared = "//- packages/config/package.json\n{ \"name\": \"@acme/config\" }\n\
                  //- packages/config/ts/base.json\n{ \"compilerOptions\": { \"noEmit\": true } }\n\
                  //- packages/x/tsconfig.json\n{ \"extends\": [\"@acme/config/ts/base.json\"] }\n";
    assert_eq!(with("tsc && vite build", shared), "dist");
    // Circles end.
    assert_eq!(with("tsc", "//- packages/x/tsconfig.json\n{ \"extends\": \"./tsconfig.json\" }\n"), "*");
    // A folder of its own.
    assert_eq!(with("cd web && tsc --outDir ../dist", ""), "dist");
    assert_eq!(with("tsc --outDir ../../dist/x", ""), "dist/x");
}

#[test]
fn tools_write_where_they_are_told() {
    let with = |script: &str, rest: &str| {
        paths(&format!(
            "{{ \"name\": \"x\", \"scripts\": {{ \"build\": {} }} }}\n{rest}",
            serde_json::to_string(script).unwrap()
        ))
    };
    assert_eq!(with("tsup src/index.ts -d lib", ""), "lib");
    assert_eq!(with("tsup", "//- packages/x/tsup.config.ts\nexport default { outDir: 'built' }\n"), "built");
    assert_eq!(with("esbuild src/a.ts --bundle --outfile=dist/server.js", ""), "dist");
    assert_eq!(with("esbuild src/a.ts --bundle --outfile=server.js", ""), "server.js");
    assert_eq!(with("babel src --out-dir lib --extensions .ts", ""), "lib");
    assert_eq!(
        with("rollup -c", "//- packages/x/rollup.config.mjs\nexport default [{ output: [{ dir: 'lib' }] }]\n"),
        "lib"
    );
    assert_eq!(
        with("rollup -c", "//- packages/x/rollup.config.mjs\nexport default { output: { file: pkg.main } }\n"),
        "*"
    );
    assert_eq!(
        with(
            "webpack --mode production",
            "//- packages/x/webpack.config.js\nmodule.exports = { output: { path: path.resolve(__dirname, 'public/js') } }\n"
        ),
        "public/js"
    );
    assert_eq!(with("bun build src/index.ts --outdir dist", ""), "dist");
    assert_eq!(with("node node_modules/vite/bin/vite.js build --outDir site", ""), "site");
    assert_eq!(
        with(
            "vite build",
            "//- packages/x/vite.config.js\nexport default { root: 'web', build: { outDir: '../public' } }\n"
        ),
        "public"
    );
    assert_eq!(with("vite build web", ""), "web/dist");
    assert_eq!(
        with(
            "vite build",
            "//- packages/x/vite.config.js\nexport default { root: 'web', build: { outDir: path.join(__dirname, 'site') } }\n"
        ),
        "site"
    );
    assert_eq!(with("vite build && vite build --ssr --outDir dist/server", ""), "dist");
    assert_eq!(with("tsc --noEmit && eslint . && vitest run", ""), "*");
    // Copies, into what is there and into what is made.
    assert_eq!(with("tsup && cp -r templates out/", "//- packages/x/templates/a\n"), "dist out");
    assert_eq!(with("tsup && cp a.css public", "//- packages/x/public/b\n"), "dist public/a.css");
    assert_eq!(with("tsup && cp -r dist ../../node_modules/x", ""), "dist");
}

#[test]
fn frameworks_write_what_they_are_known_to() {
    let with = |script: &str, dependency: &str, rest: &str| {
        paths(&format!(
            "{{ \"name\": \"x\", \"dependencies\": {{ {dependency} }}, \"scripts\": {{ \"build\": \"{script}\" }} }}\n{rest}"
        ))
    };
    assert_eq!(with("next build", "", ""), ".next -.next/cache");
    assert_eq!(
        with("next build", "", "//- packages/x/next.config.js\nmodule.exports = { distDir: 'built' }\n"),
        "built -built/cache"
    );
    assert_eq!(with("next build", "", "//- packages/x/next.config.mjs\nexport default { output: 'export' }\n"), "out");
    assert_eq!(with("nuxt build", "", ""), ".output");
    assert_eq!(with("remix vite:build", "", ""), "build");
    assert_eq!(with("remix build", "", ""), "build public/build");
    assert_eq!(with("react-router build", "", ""), "build");
    assert_eq!(
        with(
            "react-router build",
            "",
            "//- packages/x/react-router.config.ts\nexport default { buildDirectory: 'out' }\n"
        ),
        "out"
    );
    assert_eq!(with("astro check && astro build", "", ""), "dist");
    assert_eq!(with("react-scripts build", "", ""), "build");
    assert_eq!(with("BUILD_PATH=./site react-scripts build", "", ""), "site");
    assert_eq!(with("nest build", "", ""), "dist");
    assert_eq!(
        with(
            "nest build",
            "",
            "//- packages/x/tsconfig.build.json\n{ \"extends\": \"./tsconfig.json\" }\n//- packages/x/tsconfig.json\n{ \"compilerOptions\": { \"outDir\": \"./built\" } }\n"
        ),
        "built"
    );
    assert_eq!(with("vite build", r#""@sveltejs/kit": "2", "@sveltejs/adapter-node": "5""#, ""), "build");
    let angular = r#"//- packages/x/angular.json
{ "projects": { "shop": { "projectType": "application", "root": "", "architect": { "build": {
  "builder": "@angular/build:application", "options": { "outputPath": "dist/shop" } } } } } }
"#;
    assert_eq!(with("ng build", "", angular), "dist/shop");
}

/// A task runner's list for all packages is no promise of one package; the manifest has to agree.
#[test]
fn task_runners_are_asked_about_commands_that_nobody_knows() {
    let turbo = "//- turbo.json\n{ \"tasks\": { \"build\": { \"outputs\": [\"dist/**\", \".next/**\", \"!.next/cache/**\"] },\n  \"special#build\": { \"outputs\": [\"a/**\", \"b/c/*.js\", \"!a/tmp/**\"] } } }\n";
    let with = |manifest: &str| paths(&format!("{manifest}\n{turbo}"));
    assert_eq!(with(r#"{ "name": "x", "scripts": { "build": "node build.mjs" } }"#), "dist");
    assert_eq!(with(r#"{ "name": "x", "main": "lib/a.js", "scripts": { "build": "node build.mjs" } }"#), "lib");
    assert_eq!(with(r#"{ "name": "x", "main": "dist/types/a.js", "scripts": { "build": "node build.mjs" } }"#), "dist");
    // A known command needs no hint.
    assert_eq!(with(r#"{ "name": "x", "scripts": { "build": "tsup -d lib" } }"#), "lib");
    let special =
        member(&format!("{{ \"name\": \"special\", \"scripts\": {{ \"build\": \"./build.sh\" }} }}\n{turbo}"));
    insta::assert_snapshot!(told(&special, "special"), @"
    packages/x/a <- turbo.json: outputs of `special#build` @ turbo.json:2
    packages/x/b/c <- turbo.json: outputs of `special#build` @ turbo.json:2
    without packages/x/a/tmp
    ");
    let own = "//- packages/x/turbo.json\n{ \"extends\": [\"//\"], \"tasks\": { \"build\": { \"outputs\": [\"own/**\"] } } }\n";
    assert_eq!(with(&format!("{{ \"name\": \"x\", \"scripts\": {{ \"build\": \"./build.sh\" }} }}\n{own}")), "own");
    let old = "//- turbo.json\n{ \"pipeline\": { \"build\": { \"outputs\": [\"out/**\"] } } }\n";
    assert_eq!(paths(&format!("{{ \"name\": \"x\", \"scripts\": {{ \"build\": \"./build.sh\" }} }}\n{old}")), "out");
}

#[test]
fn nx_outputs_are_relative_to_the_root() {
    let with = |rest: &str| {
        paths(&format!("{{ \"name\": \"x\", \"scripts\": {{ \"build\": \"nx exec -- ./b.sh\" }} }}\n{rest}"))
    };
    let own = |build: &str| format!("//- packages/x/project.json\n{{ \"targets\": {{ \"build\": {build} }} }}\n");
    assert_eq!(with(&own(r#"{ "outputs": ["{projectRoot}/lib", "{workspaceRoot}/dist/x"] }"#)), "dist/x lib");
    assert_eq!(with(&own(r#"{ "options": { "outputPath": "dist/packages/x" } }"#)), "dist/packages/x");
    assert_eq!(
        with(&own(r#"{ "outputs": ["{options.outputPath}"], "options": { "outputPath": "dist/packages/x" } }"#)),
        "dist/packages/x"
    );
    assert_eq!(
        with("//- nx.json\n{ \"targetDefaults\": { \"build\": { \"outputs\": [\"{projectRoot}/built\"] } } }\n"),
        "built"
    );
    assert_eq!(with("//- lerna.json\n{ \"command\": { \"publish\": { \"contents\": \"pkg\" } } }\n"), "pkg");
    assert_eq!(with("//- nx.json\n{}\n"), "*");
}

#[test]
fn the_manifest_is_the_last_to_be_asked() {
    let with = |manifest: &str, rest: &str| paths(&format!("{manifest}\n{rest}"));
    let unknown =
        |fields: &str| format!("{{ \"name\": \"x\", {fields}, \"scripts\": {{ \"build\": \"node build.mjs\" }} }}");
    assert_eq!(with(&unknown(r#""main": "./lib/index.js", "types": "types/index.d.ts""#), ""), "lib types");
    // `lib` holds sources; only what is missing in it is written.
    assert_eq!(with(&unknown(r#""main": "./lib/gen/index.js""#), "//- packages/x/lib/a.js\n"), "lib/gen");
    // ... unless it is there because somebody built on this machine.
    let built = "//- packages/x/lib/index.js\n//- packages/x/.gitignore\n/lib\n";
    assert_eq!(with(&unknown(r#""main": "./lib/index.js""#), built), "lib");
    assert_eq!(with(&unknown(r#""main": "./dist/index.js""#), "//- packages/x/dist/index.js\n"), "dist");
    assert_eq!(
        with(&unknown(r#""main": "index.cjs", "files": ["dist"]"#), "//- packages/x/index.cjs\n"),
        "dist index.cjs"
    );
    assert_eq!(with(&unknown(r#""main": "src/index.ts""#), "//- packages/x/src/index.ts\n"), "*");
    assert_eq!(with(&unknown(r#""exports": { "./*": "./out/*.js" }"#), ""), "out");
    assert_eq!(with(&unknown(r#""files": ["*", "!x", "/"]"#), ""), "*");
    assert_eq!(
        with(r#"{ "name": "x", "scripts": { "build": "sh b.sh", "start": "node server/main.js" } }"#, ""),
        "server"
    );
    // Nothing is built.
    assert_eq!(with(r#"{ "name": "x", "main": "dist/a.js" }"#, ""), "*");
    assert_eq!(with(r#"{ "name": "x", "scripts": { "build:ts": "tsc --outDir dist" } }"#, ""), "dist");
}

/// A JavaScript source among the entries is copied with what it loads.
#[test]
fn sources_that_are_loaded_come_with_what_they_load() {
    let workspace = member(
        r#"{ "name": "x", "main": "index.cjs", "types": "dist/index.d.ts", "exports": { "./one": "./lib/one.js" },
  "files": ["dist", "README.md", "assets", "src"], "scripts": { "build": "tsc" } }
//- packages/x/README.md
//- packages/x/index.cjs
const { add } = require('./lib/add');
require('express');
//- packages/x/lib/add.js
import './deep/other.js';
//- packages/x/lib/deep/other.js
import data from '../../data.json' with { type: 'json' };
//- packages/x/lib/one.js
//- packages/x/data.json
//- packages/x/assets/logo.svg
//- packages/x/src/a.ts
//- packages/x/tsconfig.json
{ "compilerOptions": { "outDir": "dist", "allowJs": true } }
"#,
    );
    insta::assert_snapshot!(told(&workspace, "x"), @"
    packages/x/assets <- packages/x/package.json: files, a folder of the sources @ packages/x/package.json:2
    packages/x/data.json <- packages/x/package.json: main, whose file loads it @ packages/x/package.json:1
    packages/x/dist <- packages/x/tsconfig.json: outDir @ packages/x/tsconfig.json:1
    packages/x/index.cjs <- packages/x/package.json: main, a file of the sources @ packages/x/package.json:1
    packages/x/lib <- packages/x/package.json: main, whose file loads it @ packages/x/package.json:1
    ");
}

/// Prisma's client goes where the schema says, or into the root's `node_modules`; the package itself is its sources.
#[test]
fn generated_clients_are_outputs_wherever_they_are() {
    let with = |build: &str, output: &str| {
        let fixture = format!(
            "{{ \"name\": \"x\", \"main\": \"./index.ts\", \"scripts\": {{ \"build\": \"{build}\" }} }}\n\
             //- packages/x/index.ts\n//- packages/x/prisma/schema.prisma\ngenerator client {{\n  provider = \"prisma-client-js\"\n{output}}}\n"
        );
        told(&member(&fixture), "x")
    };
    insta::assert_snapshot!(with("prisma generate", ""), @"
    node_modules/.prisma <- packages/x/prisma/schema.prisma: the generator `prisma-client-js` @ packages/x/prisma/schema.prisma
    packages/x <- nothing tells what the build of `x` writes in its folder @ 
    the whole package
    ");
    insta::assert_snapshot!(with("prisma generate && next build", ""), @"
    node_modules/.prisma <- packages/x/prisma/schema.prisma: the generator `prisma-client-js` @ packages/x/prisma/schema.prisma
    packages/x/.next <- `next build` writes `.next` unless told otherwise @ packages/x/package.json:1
    without packages/x/.next/cache
    ");
    insta::assert_snapshot!(with("prisma generate && tsup", "  output = \"../generated/client\"\n"), @"
    packages/x/dist <- `tsup` writes `dist` unless told otherwise @ packages/x/package.json:1
    packages/x/generated/client <- packages/x/prisma/schema.prisma: the generator `prisma-client-js` @ packages/x/prisma/schema.prisma:3
    ");
}

#[test]
fn all_configurations_of_a_file_are_read() {
    let with = |tool: &str, config: &str, fields: &str| {
        paths(&format!(
            "{{ \"name\": \"x\"{fields}, \"scripts\": {{ \"build\": \"{tool}\" }} }}\n//- packages/x/{tool}.config.js\n{config}\n"
        ))
    };
    assert_eq!(with("tsup", "export default [{ outDir: 'a' }, { outDir: 'b' }]", ""), "a b");
    assert_eq!(with("tsup", "export default defineConfig([{ entry: ['x'] }, { outDir: 'b' }])", ""), "b dist");
    assert_eq!(with("tsup", "export default { entry: ['x'] }", ""), "dist");
    assert_eq!(with("tsup", "export default { outDir: pick() }", r#", "main": "lib/a.js""#), "lib");
    assert_eq!(
        with(
            "rollup",
            "export default [{ output: { file: 'esm/a.js' } }, { output: [{ file: 'cjs/a.js' }, { file: pkg.types }] }]",
            r#", "types": "types/a.d.ts""#
        ),
        "cjs esm types"
    );
    assert_eq!(paths(r#"{ "name": "x", "tsup": { "outDir": "built" }, "scripts": { "build": "tsup" } }"#), "built");
}

#[test]
fn a_build_left_on_the_disk_changes_nothing() {
    let fixture = |left: &str| {
        format!(
            r#"{{ "name": "x", "main": "dist/a.js", "exports": {{ "./b": "./lib/b.js", "./c": "./c.css" }}, "files": ["dist", "lib"],
  "dependencies": {{ "express": "5" }}, "scripts": {{ "build": "tsc && node gen.js", "start": "node dist/a.js" }} }}
//- .gitignore
dist/
lib
//- packages/x/c.css
//- packages/x/tsconfig.json
{{ "compilerOptions": {{ "outDir": "dist" }} }}
{left}"#
        )
    };
    let (clean, built) =
        (member(&fixture("")), member(&fixture("//- packages/x/dist/a.js\n//- packages/x/lib/b.js\n")));
    assert_eq!(told(&clean, "x"), told(&built, "x"));
    let service = |workspace: &Workspace| inspect::service(workspace, workspace.package("x").unwrap()).unwrap();
    assert_eq!(service(&clean), service(&built));
    insta::assert_snapshot!(told(&clean, "x"), @"
    packages/x/c.css <- packages/x/package.json: exports, a file of the sources @ packages/x/package.json:1
    packages/x/dist <- packages/x/tsconfig.json: outDir @ packages/x/tsconfig.json:1
    packages/x/lib <- packages/x/package.json: exports @ packages/x/package.json:1
    ");
}

#[test]
fn sites_are_told_from_libraries_and_servers() {
    let vite = |extra: &str, rest: &str| {
        site(&format!("{{ \"name\": \"x\", \"scripts\": {{ \"build\": \"tsc -b && vite build\"{extra} }} }}\n{rest}"))
    };
    let page = "//- packages/x/index.html\n<html>\n";
    insta::assert_snapshot!(vite("", page), @"Vite packages/x/dist: it has packages/x/index.html, and its build is Vite's");
    assert_eq!(vite("", ""), "none");
    // A server for development is none.
    assert!(vite(r#", "start": "vite""#, page).starts_with("Vite"));
    assert_eq!(vite(r#", "start": "node server.js""#, page), "none");
    let config =
        |text: &str| format!("{page}//- packages/x/vite.config.ts\nexport default defineConfig({{ {text} }})\n");
    assert_eq!(vite("", &config("build: { lib: { entry: 'src/index.ts' } }")), "none");
    assert_eq!(
        vite("", &config("build: { outDir: '../../public' }")),
        "Vite public: it has packages/x/index.html, and its build is Vite's"
    );

    let with = |build: &str, rest: &str| {
        site(&format!(
            "{{ \"name\": \"x\", \"scripts\": {{ \"build\": \"{build}\", \"start\": \"ng serve\" }} }}\n{rest}"
        ))
    };
    insta::assert_snapshot!(with("react-scripts build", ""), @"CreateReactApp packages/x/build: its build is Create React App's (`react-scripts build`)");
    let angular = |builder: &str, options: &str| {
        format!(
            "//- packages/x/angular.json\n{{ \"projects\": {{ \"shop\": {{ \"projectType\": \"application\", \"architect\": {{ \"build\": {{ \"builder\": \"{builder}\", \"options\": {{ \"outputPath\": \"dist/shop\"{options} }} }} }} }} }} }}\n"
        )
    };
    let old = "@angular-devkit/build-angular:browser";
    let new = "@angular/build:application";
    assert_eq!(
        with("ng build", &angular(old, "")),
        "Angular packages/x/dist/shop: its build is Angular's (`ng build`)"
    );
    assert_eq!(
        with("ng build", &angular(new, "")),
        "Angular packages/x/dist/shop/browser: its build is Angular's (`ng build`)"
    );
    assert_eq!(with("ng build", &angular(new, ", \"ssr\": { \"entry\": \"server.ts\" }")), "none");
    assert_eq!(with("astro build", ""), "Astro packages/x/dist: its build is Astro's without a server");
    assert_eq!(
        with(
            "astro build",
            "//- packages/x/astro.config.mjs\nexport default defineConfig({ output: 'static', outDir: 'site' })\n"
        ),
        "Astro packages/x/site: its build is Astro's, and packages/x/astro.config.mjs names no adapter"
    );
    assert_eq!(
        with(
            "astro build",
            "//- packages/x/astro.config.mjs\nexport default defineConfig({ adapter: node({ mode: 'standalone' }) })\n"
        ),
        "none"
    );
    assert_eq!(with("next build", ""), "none");
    assert_eq!(
        with("next build", "//- packages/x/next.config.js\nmodule.exports = {\n  output: 'export',\n}\n"),
        "NextExport packages/x/out: packages/x/next.config.js:2 has `output: 'export'`"
    );
    assert_eq!(
        with("next build", "//- packages/x/next.config.js\nmodule.exports = { output: 'standalone' }\n"),
        "none"
    );
    assert_eq!(with("nuxt generate", ""), "Other packages/x/.output/public: its build is `nuxt generate`");
    assert_eq!(with("webpack", ""), "none");
    assert_eq!(with("tsup", page), "none");
}

#[test]
fn services_have_a_framework_in_production() {
    let service = |fixture: &str| {
        let workspace = member(fixture);
        let service = inspect::service(&workspace, workspace.package("x").unwrap()).unwrap();
        (service.framework, service.main.map(|path| path.to_string()), service.why.len())
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        service(
            "{ \"name\": \"x\", \"dependencies\": { \"express\": \"5\" }, \"main\": \"app\" }\n//- packages/x/app.js\n"
        ),
        (text("express"), text("packages/x/app.js"), 2)
    );
    assert_eq!(
        service(r#"{ "name": "x", "devDependencies": { "express": "5" }, "peerDependencies": { "koa": "2" } }"#),
        (None, None, 0)
    );
    // A source is not run by Node, and what is not there is not run at all.
    assert_eq!(
        service(
            "{ \"name\": \"x\", \"dependencies\": { \"fastify\": \"5\" }, \"main\": \"app.ts\" }\n//- packages/x/app.ts\n"
        ),
        (text("fastify"), None, 1)
    );
    assert_eq!(
        service(r#"{ "name": "x", "dependencies": { "fastify": "5" }, "main": "gone.js" }"#),
        (text("fastify"), None, 1)
    );
    assert_eq!(
        service(
            r#"{ "name": "x", "dependencies": { "@nestjs/core": "11", "express": "5" }, "main": "dist/main", "scripts": { "build": "nest build" } }"#
        ),
        (text("@nestjs/core"), text("packages/x/dist/main"), 2)
    );
    // What npm starts when nothing is said.
    assert_eq!(
        service(
            "{ \"name\": \"x\", \"dependencies\": { \"koa\": \"2\" } }\n//- packages/x/server.js\n//- packages/x/index.js\n"
        ),
        (text("koa"), text("packages/x/server.js"), 2)
    );
    // A library's `main` says nothing about running it.
    assert_eq!(service("{ \"name\": \"x\", \"main\": \"index.js\" }\n//- packages/x/index.js\n"), (None, None, 0));
}

proptest::proptest! {
    /// Whatever stands in scripts and manifests: an answer, sorted, nothing inside another, never outside the tree.
    #[test]
    fn outputs_are_sorted_and_apart(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "tsc", "vite", "build", "--outDir", "dist", "dist/a", "./", "..", "../..", "/abs", "-p", "&&", ";", "cp", "cd",
                "--outfile=x.js", "esbuild", "$X", "*", "next", "\"", "'", "node_modules/.bin/tsup", "-d", "node", "ng",
            ]),
            0..8,
        ),
        entry in "[a-z./*!\\\\ ]{0,12}",
    ) {
        let manifest = serde_json::json!({
            "name": "x", "main": entry, "files": [entry, "dist"], "exports": { "./*": entry },
            "scripts": { "build": words.join(" ") },
        });
        let outputs = outputs(&member(&manifest.to_string()), "x");
        for pair in outputs.paths.windows(2) {
            proptest::prop_assert!(pair[0].path < pair[1].path);
        }
        for one in &outputs.paths {
            let inside = outputs.paths.iter().filter(|other| one.path.is_within(&other.path)).count();
            proptest::prop_assert_eq!(inside, 1);
            proptest::prop_assert!(!one.why.is_empty());
        }
        proptest::prop_assert!(!outputs.paths.is_empty());
    }
}
