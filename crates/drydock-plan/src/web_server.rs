//! The web server's configuration of static targets.

use std::fmt::Write as _;

use drydock_workspace::inspect::StaticSiteKind;

use crate::model::StaticServer;

/// The configuration of a web server for a site.
pub(crate) fn configuration(server: StaticServer, port: u16, kind: Option<StaticSiteKind>) -> String {
    match server {
        StaticServer::Nginx => nginx(port, kind),
        StaticServer::Caddy => caddy(port, kind),
    }
}

/// Whether a path without a file does not exist: there is one HTML file a page. Else it is a route of the site's own code.
fn made_of_pages(kind: Option<StaticSiteKind>) -> bool {
    matches!(kind, Some(StaticSiteKind::Astro | StaticSiteKind::NextExport))
}

/// The configuration for a site whose files are in `/srv/www`: a folder of its own, because nginx's images have pages in
/// the usual one.
///
/// Names with a content hash never change, so they are kept for a year; everything else is asked for again each time.
/// What no file answers is a route of the site's own code, except where the site is made of pages.
fn nginx(port: u16, kind: Option<StaticSiteKind>) -> String {
    let fallback =
        if made_of_pages(kind) { "$uri $uri.html $uri/index.html =404" } else { "$uri $uri/index.html /index.html" };
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

/// The same for Caddy, which neither asks for certificates nor listens to anybody else: what is before it does that.
fn caddy(port: u16, kind: Option<StaticSiteKind>) -> String {
    let fallback = if made_of_pages(kind) {
        "try_files {path} {path}.html {path}/index.html =404"
    } else {
        "try_files {path} {path}/index.html /index.html"
    };
    let mut hashed = String::new();
    for (place, (pattern, plain)) in hashed_without_lookahead(kind).into_iter().enumerate() {
        let but = plain.map(|plain| format!("\n\t\tnot path_regexp {plain}")).unwrap_or_default();
        write!(
            hashed,
            "\n\t@hashed{place} {{\n\t\tpath_regexp {pattern}{but}\n\t}}\n\thandle @hashed{place} {{\n\t\theader Cache-Control \
             \"public, max-age=31536000, immutable\"\n\t\tfile_server\n\t}}\n"
        )
        .expect("writing to a string does not fail");
    }
    format!(
        r#"{{
	admin off
	auto_https off
}}

:{port} {{
	root * /srv/www
	encode zstd gzip

	# Names with a content hash never change.{hashed}
	handle {{
		header Cache-Control "no-cache"
		{fallback}
		file_server
	}}

	# What is not there is not kept.
	handle_errors {{
		header -Cache-Control
		respond "{{http.error.status_code}} {{http.error.status_text}}"
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

/// The same paths for an engine that cannot look ahead: those that match the first of a pair and not its second.
fn hashed_without_lookahead(kind: Option<StaticSiteKind>) -> Vec<(String, Option<String>)> {
    match kind {
        Some(StaticSiteKind::Vite) => vec![(
            r"^/(?:.+/)?assets/(?:.+/)?[^/]*-[A-Za-z0-9_-]{8}\.[a-z0-9.]+$".to_owned(),
            Some(r"-(?:[a-z]{8}|[0-9]{8})\.[a-z0-9.]+$".to_owned()),
        )],
        Some(StaticSiteKind::Other) | None => {
            // Eight characters without a capital are no hash, unless they are hexadecimal: one of them is not.
            let beyond: Vec<String> =
                (0..8).map(|place| format!("[a-z0-9_-]{{{place}}}[g-z_-][a-z0-9_-]{{{}}}", 7 - place)).collect();
            let plain = format!(r"[.-](?:[0-9]{{8,}}|[a-f]{{8,}}|[A-Za-z_-]{{8}}|{})\.[a-z0-9]+$", beyond.join("|"));
            vec![
                (r"^/(?:.+/)?(?:_app/immutable|_nuxt)/".to_owned(), None),
                (r"[.-](?:[0-9a-f]{8,}|[A-Za-z0-9_-]{8})\.[a-z0-9]+$".to_owned(), Some(plain)),
            ]
        }
        Some(
            StaticSiteKind::CreateReactApp
            | StaticSiteKind::Angular
            | StaticSiteKind::Astro
            | StaticSiteKind::NextExport,
        ) => {
            vec![(hashed(kind).to_owned(), None)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_the_sites_own_code_are_answered_by_its_page() {
        let vite = nginx(8080, Some(StaticSiteKind::Vite));
        assert!(vite.contains("try_files $uri $uri/index.html /index.html;"));
        assert!(nginx(8080, Some(StaticSiteKind::Astro)).contains("=404;\n    }\n}"));
        insta::assert_snapshot!(nginx(8080, None));
        insta::assert_snapshot!(caddy(8080, Some(StaticSiteKind::Vite)));
        assert!(caddy(8080, Some(StaticSiteKind::Astro)).contains("/index.html =404\n"));
    }
}
