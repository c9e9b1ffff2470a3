//! The web server's configuration of static targets.

use drydock_workspace::inspect::StaticSiteKind;

/// The configuration for a site whose files are in `/srv/www`: a folder of its own, because nginx's images have pages in
/// the usual one.
///
/// Names with a content hash never change, so they are kept for a year; everything else is asked for again each time.
/// What no file answers is a route of the site's own code, except where the site is made of pages.
pub(crate) fn configuration(port: u16, kind: Option<StaticSiteKind>) -> String {
    let fallback = match kind {
        // One HTML file a page: a path without one does not exist.
        Some(StaticSiteKind::Astro | StaticSiteKind::NextExport) => "$uri $uri.html $uri/index.html =404",
        _ => "$uri $uri/index.html /index.html",
    };
    let hashed = hashed(kind);
    format!(
        r#"server {{
    listen {port};
    listen [::]:{port};
    server_name _;
    server_tokens off;
    root /srv/www;
    index index.html;

    gzip on;
    gzip_vary on;
    gzip_proxied any;
    gzip_min_length 1024;
    gzip_types text/css text/plain text/xml application/javascript application/json application/manifest+json
               application/wasm application/xml image/svg+xml font/ttf;

    # Names with a content hash never change.
    location ~ "{hashed}" {{
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

/// The paths that hold a content hash, as PCRE. A path too few is asked for once too often; one too many is a stale page.
///
/// Where frameworks put nothing but hashed files, the folder tells. Where a hash is any eight characters of an alphabet
/// with small letters, a name with a word or a date of eight in its place is left out: it may be a file of the site's own,
/// and of random hashes one in a thousand looks so.
fn hashed(kind: Option<StaticSiteKind>) -> &'static str {
    match kind {
        // `assets/[name]-[hash].js`, eight characters of base64url (Rollup's own naming, which Vite keeps).
        Some(StaticSiteKind::Vite) => {
            r"^/(?:.+/)?assets/(?:.+/)?[^/]*-(?!(?:[a-z]{8}|[0-9]{8})\.)[A-Za-z0-9_-]{8}\.[a-z0-9.]+$"
        }
        // `static/js/main.[contenthash:8].js`, `static/js/[id].[contenthash:8].chunk.js`, `static/media/[name].[hash].svg`.
        Some(StaticSiteKind::CreateReactApp) => {
            r"^/(?:.+/)?static/(?:css|js|media)/.+\.[0-9a-f]{8,32}\.(?:chunk\.)?[a-z0-9.]+$"
        }
        // `main-[hash].js` beside the page and `media/name-[hash].woff2`, base 32; with webpack `main.[contenthash].js`.
        Some(StaticSiteKind::Angular) => r"^/(?:.+/)?[^/]+(?:-[A-Z0-9]{8}|\.[0-9a-f]{16,20})\.[a-z0-9.]+$",
        Some(StaticSiteKind::Astro) => "^/(?:.+/)?_astro/",
        Some(StaticSiteKind::NextExport) => "^/(?:.+/)?_next/static/",
        // SvelteKit, Nuxt; else a hash is told from a word by its mixture: hexadecimal with letters and digits, or eight
        // characters with a digit and a capital.
        Some(StaticSiteKind::Other) | None => {
            r"^/(?:.+/)?(?:_app/immutable|_nuxt)/|[.-](?:(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,}|(?=[A-Za-z_-]*[0-9])(?=[a-z0-9_-]*[A-Z])[A-Za-z0-9_-]{8})\.[a-z0-9]+$"
        }
    }
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
        insta::assert_snapshot!(configuration(8080, None));
    }
}
