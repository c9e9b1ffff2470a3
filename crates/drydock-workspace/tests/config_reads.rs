//! What a package's build reads outside its folder.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use drydock_workspace::{DiskTree, MemoryTree, Tree, Workspace, inspect};
use insta::assert_snapshot;

fn shown_of(tree: Arc<dyn Tree>, package: &str) -> String {
    let workspace = Workspace::load(tree).unwrap();
    let found = inspect::config_reads(&workspace, workspace.package(package).unwrap()).unwrap();
    let by = |read: &inspect::Read| {
        let slash = if read.directory { "/" } else { "" };
        let line = read.read_by.line.map_or_else(String::new, |line| format!(":{line}"));
        format!("{}{slash}  {} in {}{line}", read.path, read.why, read.read_by.file)
    };
    let mut lines: Vec<String> = found.root_files.iter().map(&by).collect();
    lines.extend(found.foreign_files.iter().map(|foreign| format!("({}) {}", foreign.package, by(&foreign.read))));
    lines.extend(found.warnings.iter().map(|warning| {
        let place = warning
            .snippets
            .first()
            .map_or_else(String::new, |place| format!(" at {}:{}", place.path, place.line_column().0));
        format!("warning {}: {}{place}", warning.code, warning.message)
    }));
    lines.join("\n")
}

/// `files` beside members `app` (with the script `build`), `lib` (a dependency of `app`) and `other` (not one).
fn shown(build: &str, files: &str) -> String {
    let fixture = format!(
        r#"
//- package.json
{{"name":"top","workspaces":["packages/*"]}}
//- packages/app/package.json
{{"name":"app","scripts":{{"build":"{build}"}},"dependencies":{{"lib":"*"}}}}
//- packages/lib/package.json
{{"name":"lib","version":"1.0.0","type":"module","scripts":{{"build":"tsc"}},"main":"dist/index.js"}}
//- packages/lib/tsconfig.json
{{"compilerOptions":{{"outDir":"dist"}}}}
//- packages/lib/src/index.ts
//- packages/other/package.json
{{"name":"other"}}
//- packages/other/src/index.ts
//- .gitignore
dist
{files}"#
    );
    shown_of(Arc::new(MemoryTree::from_fixture(&fixture)), "app")
}

#[test]
fn configurations_are_followed_through_their_imports() {
    assert_snapshot!(shown("vite build", r"
//- packages/app/vite.config.ts
import base from '../../tools/vite.base';
import own from './build/own.js';
const version = require('../../package.json').version;
export default { plugins: [own()] };
//- packages/app/build/own.js
import { readFileSync } from 'node:fs';
readFileSync(new URL('../../../LICENSE', import.meta.url));
//- tools/vite.base.ts
export { default } from './deep/base.js';
//- tools/deep/base.ts
//- LICENSE
free
"), @r#"
    LICENSE  new URL("../../../LICENSE", import.meta.url) in packages/app/build/own.js:2
    package.json  `type` of `tools/vite.base.ts` in packages/app/vite.config.ts:1
    tools/deep/base.ts  import "./deep/base.js" in tools/vite.base.ts:1
    tools/vite.base.ts  import "../../tools/vite.base" in packages/app/vite.config.ts:1
    "#);
}

#[test]
fn strings_of_configurations_that_name_something_are_read() {
    assert_snapshot!(shown("vite build", r"
//- packages/app/vite.config.mjs
export default {
  base: '../../',
  envDir: '../..',
  publicDir: '../../public',
  build: { outDir: '../../server/static' },
  resolve: { alias: { lib: path.resolve(__dirname, '../lib/src'), gone: '../nowhere' } },
  server: { proxy: { '/a': '../api' } },
};
//- packages/app/tailwind.config.cjs
module.exports = { content: ['./src/**', '../lib/src/**/*.tsx', '../other/src/*.ts', '!../../public/x/**'] };
//- public/robots.txt
//- server/static/old.js
//- .env
A=1
//- .env.example
A=
"), @r"
    public/  `../../public` in packages/app/vite.config.mjs:4
    (lib) packages/lib/src/  `../lib/src` in packages/app/vite.config.mjs:6
    (other) packages/other/src/  `../other/src/*.ts` in packages/app/tailwind.config.cjs:1
    warning environment-file-read: `packages/app/vite.config.mjs` reads `.env`, which is never sent to a build at packages/app/vite.config.mjs:3
    ");
}

#[test]
fn a_glob_over_all_members_reads_those_that_are_depended_on() {
    assert_snapshot!(shown("vite build", r"
//- packages/app/tailwind.config.js
export default { content: ['../../packages/**/src/*.tsx', '../*/src/*.ts'] };
"), @"(lib) packages/lib/  `../../packages/**/src/*.tsx` in packages/app/tailwind.config.js:1");
}

#[test]
fn tools_look_for_settings_above() {
    assert_snapshot!(shown("vite build", r#"
//- postcss.config.cjs
module.exports = { plugins: [require('./tools/plugin.cjs')] };
//- tools/plugin.cjs
//- .browserslistrc
> 1%
//- tsconfig.json
{ "extends": "./tsconfig.base.json" }
//- tsconfig.base.json
{}
//- babel.config.js
module.exports = {};
"#), @r#"
    .browserslistrc  browserslist looks for its settings here and above in packages/app/package.json
    postcss.config.cjs  postcss looks for its settings here and above in packages/app/package.json
    tools/plugin.cjs  require("./tools/plugin.cjs") in postcss.config.cjs:1
    tsconfig.base.json  extends in tsconfig.json:1
    tsconfig.json  `vite` looks for `tsconfig.json` here and above in packages/app/package.json:1
    "#);
    assert_snapshot!(shown("tsc", "//- postcss.config.cjs\n//- .browserslistrc\n"), @"");
}

#[test]
fn the_compiler_reads_what_its_configurations_list() {
    let files = r#"
//- packages/app/tsconfig.json
{
  // Comments are part of it.
  "extends": ["../../tsconfig.base.json", "other/tsconfig.json", "@tsconfig/node20"],
  "include": ["src", "../../types/**/*.d.ts"],
  "references": [{ "path": "../lib" }],
}
//- tsconfig.base.json
{ "compilerOptions": { "baseUrl": ".", "paths": {
  "lib": ["packages/lib/src/index.ts"],
  "other": ["packages/other/src/index.ts"],
  "shared/*": ["shared/*"] } } }
//- packages/other/tsconfig.json
{ "extends": "../../missing.json" }
//- types/globals.d.ts
//- shared/x.ts
"#;
    assert_snapshot!(shown("tsc -p tsconfig.json", files), @r"
    shared/  `shared/*` in `paths` in tsconfig.base.json:4
    tsconfig.base.json  extends in packages/app/tsconfig.json:3
    types/  `../../types/**/*.d.ts` in packages/app/tsconfig.json:4
    (lib) packages/lib/src/index.ts  `packages/lib/src/index.ts` in `paths` in tsconfig.base.json:2
    (lib) packages/lib/tsconfig.json  references in packages/app/tsconfig.json:5
    (other) packages/other/tsconfig.json  extends in packages/app/tsconfig.json:3
    warning read-file-missing: `packages/other/tsconfig.json` reads `missing.json`, which does not exist at packages/other/tsconfig.json:1
    ");
    // A bundler follows `extends`, and leaves the lists alone.
    assert_snapshot!(shown("vite build", files), @r"
    tsconfig.base.json  extends in packages/app/tsconfig.json:3
    (lib) packages/lib/tsconfig.json  references in packages/app/tsconfig.json:5
    (other) packages/other/tsconfig.json  extends in packages/app/tsconfig.json:3
    warning read-file-missing: `packages/other/tsconfig.json` reads `missing.json`, which does not exist at packages/other/tsconfig.json:1
    ");
}

#[test]
fn projects_that_are_built_along_are_read_whole() {
    let files = r#"
//- packages/app/tsconfig.json
{ "files": [], "references": [{ "path": "./tsconfig.app.json" }, { "path": "../lib" }] }
//- packages/app/tsconfig.app.json
{}
"#;
    assert_snapshot!(shown("tsc --build", files), @"(lib) packages/lib/  references, built by `tsc --build` in packages/app/tsconfig.json:1");
}

#[test]
fn a_configuration_in_a_dependency_that_is_not_built_comes_with_it() {
    let fixture = r#"
//- package.json
{"workspaces":["packages/*"]}
//- packages/app/package.json
{"name":"app","scripts":{"build":"tsc"},"devDependencies":{"@acme/tsconfig":"*"}}
//- packages/app/tsconfig.json
{"extends":"@acme/tsconfig/base"}
//- packages/tsconfig/package.json
{"name":"@acme/tsconfig"}
//- packages/tsconfig/base.json
{"extends":"../../tsconfig.root.json"}
//- tsconfig.root.json
{}
"#;
    assert_snapshot!(shown_of(Arc::new(MemoryTree::from_fixture(fixture)), "app"), @"tsconfig.root.json  extends in packages/tsconfig/base.json:1");
}

#[test]
fn sources_that_leave_their_package_are_read_where_they_lead() {
    assert_snapshot!(shown("vite build", r#"
//- packages/app/src/index.ts
import { a } from '../../lib/src/deep/a.js';
import type { T } from '../../../types/t';
import logo from '../../../assets/logo.svg?url';
import own from '../vite-env';
import built from '../../lib/dist/index.js';
const pages = import.meta.glob('../../../content/*.md');
const later = path.join(__dirname, '../../other/src');
//- packages/app/src/app.test.ts
import x from '../../other/src/index';
//- packages/app/jest.config.js
module.exports = require('../../jest.base.js');
//- jest.base.js
//- packages/app/src/style.scss
@use "../../../styles/colors";
@source '../../lib/src/**/*.tsx';
.x { background: url(../../../assets/x.png) }
//- packages/app/src/page.vue
<script setup>import z from '../../../shared/z'</script>
//- packages/lib/src/deep/a.ts
export * from '../b';
//- packages/lib/src/b.ts
//- packages/lib/dist/index.js
//- types/t.d.ts
//- assets/logo.svg
//- assets/x.png
//- content/one.md
//- styles/_colors.scss
//- shared/z.ts
"#), @r#"
    assets/logo.svg  import "../../../assets/logo.svg" in packages/app/src/index.ts:3
    assets/x.png  `../../../assets/x.png` in packages/app/src/style.scss:3
    content/  `../../../content/*.md` in packages/app/src/index.ts:6
    shared/z.ts  `../../../shared/z` in packages/app/src/page.vue:1
    styles/_colors.scss  `../../../styles/colors` in packages/app/src/style.scss:1
    (lib) packages/lib/src/  `../../lib/src/**/*.tsx` in packages/app/src/style.scss:2
    "#);
}

#[test]
fn arguments_and_scripts_of_the_build_count() {
    assert_snapshot!(shown("cp ../../LICENSE . && node ../../tools/build.mjs --out=../../LICENSE.md && node scripts/post.cjs && cd ../lib", r"
//- LICENSE
free
//- tools/build.mjs
import './helper.mjs';
//- tools/helper.mjs
//- packages/app/scripts/post.cjs
const notices = require('path').resolve(__dirname, '../../../notices');
//- notices/a.txt
"), @r#"
    LICENSE  `cp` in the script `build` in packages/app/package.json:1
    notices/  `../../../notices` in packages/app/scripts/post.cjs:1
    tools/build.mjs  `node` in the script `build` in packages/app/package.json:1
    tools/helper.mjs  import "./helper.mjs" in tools/build.mjs:1
    "#);
}

#[test]
fn what_scripts_of_the_build_start_counts() {
    assert_snapshot!(shown("node ../../scripts/build.js", r#"
//- scripts/build.js
import { execSync } from 'node:child_process';
execSync('tsc --build', { stdio: 'inherit' });
execSync('node ../../scripts/copy.js', { stdio: 'inherit' });
console.log('node is done, and so is tsc');
//- scripts/copy.js
import { names } from './names.js';
//- scripts/names.js
//- packages/app/tsconfig.json
{ "extends": "../../tsconfig.json" }
//- packages/app/src/index.ts
//- tsconfig.json
{ "compilerOptions": { "skipLibCheck": true } }
"#), @r#"
    package.json  `type` of `scripts/build.js` in packages/app/package.json:1
    scripts/build.js  `node` in the script `build` in packages/app/package.json:1
    scripts/copy.js  `node` in the script `build` in packages/app/package.json:1
    scripts/names.js  import "./names.js" in scripts/copy.js:1
    tsconfig.json  extends in packages/app/tsconfig.json:1
    "#);
}

#[test]
fn sources_of_a_dependency_that_is_built_are_read_where_they_are_imported() {
    let files = r"
//- packages/app/tsconfig.json
{}
//- packages/app/src/index.ts
import { lib } from 'lib';
//- packages/app/src/index.test.ts

import { mock } from 'lib/src/testing.js';
//- packages/lib/src/testing.ts
";
    assert_snapshot!(shown("tsc", files), @"(lib) packages/lib/  import of `lib/src/…` in packages/app/src/index.test.ts:2");
    assert_snapshot!(shown("vite build", files), @"");
}

#[test]
fn what_leaves_the_workspace_or_is_missing_is_told() {
    assert_snapshot!(shown("tsup", r"
//- packages/app/tsup.config.ts
import a from '../../../../elsewhere/a';
import b from '../../tools/gone';
import c from '../lib/dist/index.js';
"), @r"
    warning reads-outside-workspace: `packages/app/tsup.config.ts` reads `../../../../elsewhere/a`, which is outside the workspace at packages/app/tsup.config.ts:1
    warning read-file-missing: `packages/app/tsup.config.ts` reads `tools/gone`, which does not exist at packages/app/tsup.config.ts:2
    ");
}

#[test]
fn a_package_without_build_reads_nothing() {
    assert_snapshot!(shown("", "//- packages/app/vite.config.ts\nimport '../../x.js'\n//- x.js\n"), @"");
}

#[test]
fn the_chat_example_is_read_as_its_readme_says() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/chat");
    assert_snapshot!(shown_of(Arc::new(DiskTree::new(root)), "@chat/client"), @r#"
    package.json  import "../package.json" in client/vite.config.ts:2
    tsconfig.base.json  extends in client/tsconfig.json:2
    (@chat/ui) packages/client/src/  `../packages/client/src/**/*.ts` in client/tailwind.config.cjs:7
    (@chat/ui) packages/client/tailwind.preset.cjs  require("../packages/client/tailwind.preset.cjs") in client/tailwind.config.cjs:2
    "#);
}
