//! The web server's configuration of static targets.

use drydock_workspace::inspect::StaticSiteKind;

/// The configuration for a site whose files are in `/usr/share/nginx/html`.
///
/// Names with a content hash never change, so they are kept for a year; everything else is asked for again each time.
/// A hash is told from a word by its mixture: hexadecimal with letters and digits (webpack, CRA), or exactly eight
/// characters with a digit and a capital (Vite, Rollup, esbuild). Where one is missed, the browser asks once too often;
/// a word taken for a hash would be a stale page. What no file answers is a route of the site's own code, except where
/// the site is made of pages.
pub(crate) fn configuration(port: u16, kind: Option<StaticSiteKind>) -> String {
    let fallback = match kind {
        // One HTML file a page: a path without one does not exist.
        Some(StaticSiteKind::Astro | StaticSiteKind::NextExport) => "$uri $uri.html $uri/index.html =404",
        _ => "$uri $uri/index.html /index.html",
    };
    format!(
        r#"server {{
    listen {port};
    listen [::]:{port};
    server_name _;
    server_tokens off;
    root /usr/share/nginx/html;
    index index.html;

    gzip on;
    gzip_vary on;
    gzip_proxied any;
    gzip_min_length 1024;
    gzip_types text/css text/plain text/xml application/javascript application/json application/manifest+json
               application/wasm application/xml image/svg+xml font/ttf;

    # Names with a content hash never change.
    location ~ "[.-](?:(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{{8,}}|(?=[A-Za-z_-]*[0-9])(?=[a-z0-9_-]*[A-Z])[A-Za-z0-9_-]{{8}})\.[a-z0-9]+$" {{
        add_header Cache-Control "public, max-age=31536000, immutable";
        try_files $uri =404;
    }}

    location / {{
        add_header Cache-Control "no-cache";
        try_files {fallback};
    }}
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_the_sites_own_code_are_answered_by_its_page() {
        assert!(
            configuration(8080, Some(StaticSiteKind::Vite)).contains("try_files $uri $uri/index.html /index.html;")
        );
        assert!(configuration(8080, Some(StaticSiteKind::Astro)).contains("=404;\n    }\n}"));
        insta::assert_snapshot!(configuration(8080, None), @r#"
        server {
            listen 8080;
            listen [::]:8080;
            server_name _;
            server_tokens off;
            root /usr/share/nginx/html;
            index index.html;

            gzip on;
            gzip_vary on;
            gzip_proxied any;
            gzip_min_length 1024;
            gzip_types text/css text/plain text/xml application/javascript application/json application/manifest+json
                       application/wasm application/xml image/svg+xml font/ttf;

            # Names with a content hash never change.
            location ~ "[.-](?:(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,}|(?=[A-Za-z_-]*[0-9])(?=[a-z0-9_-]*[A-Z])[A-Za-z0-9_-]{8})\.[a-z0-9]+$" {
                add_header Cache-Control "public, max-age=31536000, immutable";
                try_files $uri =404;
            }

            location / {
                add_header Cache-Control "no-cache";
                try_files $uri $uri/index.html /index.html;
            }
        }
        "#);
    }
}
