//! What the lockfile tells about native code.

use crate::install::{NativeAddon, NativeHint};
use crate::name::PackageName;
use crate::npm::entry::Entry;
use crate::npm::location::split_child;

/// Packages that C++ add-ons are written or built with.
const BINDINGS: [&str; 7] =
    ["nan", "node-addon-api", "bindings", "node-gyp", "cmake-js", "napi-macros", "node-api-headers"];

/// Packages that look for a prebuilt binary before anything is compiled.
const PREBUILT: [&str; 8] = [
    "node-gyp-build",
    "node-gyp-build-optional-packages",
    "prebuild-install",
    "node-pre-gyp",
    "@mapbox/node-pre-gyp",
    "pkg-prebuilds",
    "napi-postinstall",
    "@napi-rs/triples",
];

/// Headers of C++ add-ons: good for nothing else than compiling.
const HEADERS: [&str; 2] = ["nan", "node-addon-api"];

/// Reads an entry's install script off its dependencies. Scripts that only download or patch have no such hints.
///
/// npm compiles a package with a `binding.gyp` even where there is no install script (`rebuild.js`), and the lockfile
/// tells neither: then only headers among the dependencies do.
pub(crate) fn native_addon(location: &str, entry: &Entry) -> Option<NativeAddon> {
    let has_headers = || entry.dependencies.iter().any(|(name, _)| HEADERS.contains(&name));
    if !entry.has_install_script.0 && !has_headers() {
        return None;
    }
    let all = entry.dependencies.iter().chain(entry.optional_dependencies.iter());
    let all = all.chain(entry.peer_dependencies.iter());
    let hint = native_hint(all.map(|(name, _)| name))?;
    if !entry.has_install_script.0 && hint == NativeHint::PrefersPrebuilt {
        return None;
    }
    let name = entry.name.get().or_else(|| Some(split_child(location)?.1)).unwrap_or(location);
    Some(NativeAddon { entry: location.to_owned(), name: PackageName::new(name), hint })
}

/// What the names of a package's dependencies tell about native code in it.
pub(crate) fn native_hint<'n>(dependencies: impl Iterator<Item = &'n str>) -> Option<NativeHint> {
    let mut found = None;
    for name in dependencies {
        if PREBUILT.contains(&name) {
            return Some(NativeHint::PrefersPrebuilt);
        }
        if BINDINGS.contains(&name) {
            found = Some(NativeHint::Compiles);
        }
    }
    found
}
