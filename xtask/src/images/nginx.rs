//! The stand-in for `nginxinc/nginx-unprivileged`: Debian's nginx in the layout of that image.

use anyhow::Result;

use super::{Workshop, hash};
use crate::host;

const DOCKERFILE: &str = r#"
RUN groupadd --system --gid 101 nginx \
 && useradd --system --gid nginx --no-create-home --home /nonexistent --shell /bin/false --uid 101 nginx
RUN apt-get update \
 && apt-get install --yes --no-install-recommends nginx gettext-base curl \
 && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-available /etc/nginx/sites-enabled /etc/nginx/conf.d \
 && mkdir -p /etc/nginx/conf.d /docker-entrypoint.d /usr/share/nginx/html /var/cache/nginx \
 && ln -sf /dev/stdout /var/log/nginx/access.log \
 && ln -sf /dev/stderr /var/log/nginx/error.log
COPY nginx.conf /etc/nginx/nginx.conf
COPY default.conf /etc/nginx/conf.d/default.conf
COPY index.html 50x.html /usr/share/nginx/html/
COPY docker-entrypoint.sh /
RUN chown -R 101:0 /etc/nginx /var/cache/nginx && chmod -R g+w /etc/nginx /var/cache/nginx \
 && nginx -t && rm -rf /tmp/*
EXPOSE 8080
STOPSIGNAL SIGQUIT
USER 101
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["nginx", "-g", "daemon off;"]
"#;

const NGINX_CONF: &str = "\
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /tmp/nginx.pid;

events {
    worker_connections 1024;
}

http {
    proxy_temp_path /tmp/proxy_temp;
    client_body_temp_path /tmp/client_temp;
    fastcgi_temp_path /tmp/fastcgi_temp;
    uwsgi_temp_path /tmp/uwsgi_temp;
    scgi_temp_path /tmp/scgi_temp;

    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    sendfile on;
    keepalive_timeout 65;

    include /etc/nginx/conf.d/*.conf;
}
";

const DEFAULT_CONF: &str = "\
server {
    listen 8080;
    server_name localhost;

    location / {
        root /usr/share/nginx/html;
        index index.html index.htm;
    }

    error_page 500 502 503 504 /50x.html;
    location = /50x.html {
        root /usr/share/nginx/html;
    }
}
";

/// Runs the scripts of `/docker-entrypoint.d`, and fills the templates in, before nginx.
const ENTRYPOINT: &str = r#"#!/bin/sh
set -e
if [ "$1" = nginx ]; then
  for template in /etc/nginx/templates/*.template; do
    [ -f "$template" ] || continue
    name=$(basename "$template" .template)
    known=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/${\1}/p' | tr '\n' ' ')
    envsubst "$known" < "$template" > "/etc/nginx/conf.d/$name"
  done
  for script in /docker-entrypoint.d/*.sh; do
    if [ -x "$script" ]; then "$script"; fi
  done
fi
exec "$@"
"#;

const PAGE: &str = "<!DOCTYPE html>\n<title>nginx</title>\n<p>nginx runs.</p>\n";

pub(super) fn recipe(base_recipe: &str) -> String {
    hash(&["nginx 1", base_recipe, DOCKERFILE, NGINX_CONF, DEFAULT_CONF, ENTRYPOINT, PAGE])
}

pub(super) fn make(workshop: &Workshop<'_>, name: &str, base: &str, recipe: &str) -> Result<String> {
    let context = workshop.state.join("images/nginx");
    fs_err::create_dir_all(&context)?;
    fs_err::write(context.join("Dockerfile"), format!("FROM {base}{DOCKERFILE}"))?;
    fs_err::write(context.join("nginx.conf"), NGINX_CONF)?;
    fs_err::write(context.join("default.conf"), DEFAULT_CONF)?;
    fs_err::write(context.join("index.html"), PAGE)?;
    fs_err::write(context.join("50x.html"), PAGE)?;
    host::write_executable(&context.join("docker-entrypoint.sh"), ENTRYPOINT)?;
    workshop.build(name, &context, recipe)?;
    fs_err::remove_dir_all(&context)?;
    Ok("Debian's nginx".to_owned())
}
