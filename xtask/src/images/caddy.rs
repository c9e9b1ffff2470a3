//! The stand-in for `caddy`: Debian's Caddy in the layout of that image.

use anyhow::Result;

use super::{Workshop, hash};

const DOCKERFILE: &str = r#"
RUN apt-get update \
 && apt-get install --yes --no-install-recommends caddy \
 && rm -rf /var/lib/apt/lists/* /etc/caddy/* /usr/share/caddy \
 && mkdir -p /config/caddy /data/caddy /etc/caddy /usr/share/caddy
ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
COPY Caddyfile /etc/caddy/Caddyfile
COPY index.html /usr/share/caddy/index.html
EXPOSE 80 443 443/udp 2019
WORKDIR /srv
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
"#;

const CADDYFILE: &str = "\
:80 {
	root * /usr/share/caddy
	file_server
}
";

const PAGE: &str = "<!DOCTYPE html>\n<title>Caddy</title>\n<p>Caddy runs.</p>\n";

pub(super) fn recipe(base_recipe: &str) -> String {
    hash(&["caddy 1", base_recipe, DOCKERFILE, CADDYFILE, PAGE])
}

pub(super) fn make(workshop: &Workshop<'_>, name: &str, base: &str, recipe: &str) -> Result<String> {
    let context = workshop.state.join("images/caddy");
    fs_err::create_dir_all(&context)?;
    fs_err::write(context.join("Dockerfile"), format!("FROM {base}{DOCKERFILE}"))?;
    fs_err::write(context.join("Caddyfile"), CADDYFILE)?;
    fs_err::write(context.join("index.html"), PAGE)?;
    workshop.build(name, &context, recipe)?;
    fs_err::remove_dir_all(&context)?;
    Ok("Debian's Caddy".to_owned())
}
