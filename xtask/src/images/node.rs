//! The stand-in for `node:VERSION-CODENAME-slim`.

use anyhow::Result;

use super::debian::Machine;
use super::{Workshop, fetch, hash};
use crate::host;

/// Sends the arguments to `node` unless they name a program, as the real image does.
const ENTRYPOINT: &str = "\
#!/bin/sh
set -e
case \"$1\" in
  -*) exec node \"$@\" ;;
esac
if command -v \"$1\" >/dev/null 2>&1 && [ ! -f \"$1\" -o -x \"$1\" ]; then
  exec \"$@\"
fi
exec node \"$@\"
";

fn dockerfile(base: &str, version: &str, corepack: bool) -> String {
    let corepack = if corepack {
        "\\\n && ln -s ../lib/node_modules/corepack/dist/corepack.js /usr/local/bin/corepack"
    } else {
        ""
    };
    format!(
        "FROM {base}\n\
         RUN groupadd --gid 1000 node \\\n \
         && useradd --uid 1000 --gid node --shell /bin/bash --create-home node\n\
         ENV NODE_VERSION={version} NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt\n\
         COPY tree/ /usr/local/\n\
         RUN ln -s node /usr/local/bin/nodejs \\\n \
         && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \\\n \
         && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx {corepack}\n\
         RUN node --version && npm --version && npx --version\n\
         ENTRYPOINT [\"docker-entrypoint.sh\"]\n\
         CMD [\"node\"]\n"
    )
}

pub(super) fn recipe(machine: &Machine, version: &str, base_recipe: &str) -> String {
    let dockerfile = dockerfile("base", version, true);
    hash(&["node 1", base_recipe, version, &machine.npmrc, ENTRYPOINT, &dockerfile])
}

pub(super) fn make(workshop: &Workshop<'_>, name: &str, version: &str, base: &str, recipe: &str) -> Result<String> {
    let context = workshop.state.join("images").join(format!("node-{version}"));
    let tree = context.join("tree");
    let release = fetch::node(version, &tree)?;
    fs_err::create_dir_all(tree.join("etc"))?;
    fs_err::write(tree.join("etc/npmrc"), &workshop.machine.npmrc)?;
    host::write_executable(&tree.join("bin/docker-entrypoint.sh"), ENTRYPOINT)?;
    let text = dockerfile(base, &release.version, release.corepack.is_some());
    fs_err::write(context.join("Dockerfile"), text)?;
    workshop.build(name, &context, recipe)?;
    fs_err::remove_dir_all(&context)?;
    Ok(format!("Node {} with npm {}", release.version, release.npm))
}
