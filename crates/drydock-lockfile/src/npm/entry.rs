//! One value of `packages`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::manifest::DependencyKind;

/// What an install needs of an entry. Fields of a wrong type read as absent, as npm treats them; fields npm does not
/// read while installing (licence, funding, deprecation) are not kept.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Entry {
    pub(crate) name: Text,
    pub(crate) version: Text,
    pub(crate) resolved: Text,
    pub(crate) integrity: Text,
    pub(crate) link: Flag,
    pub(crate) in_bundle: Flag,
    pub(crate) has_install_script: Flag,
    pub(crate) has_shrinkwrap: Flag,
    pub(crate) dependencies: DependencyMap,
    pub(crate) dev_dependencies: DependencyMap,
    pub(crate) optional_dependencies: DependencyMap,
    pub(crate) peer_dependencies: DependencyMap,
    pub(crate) peer_dependencies_meta: Option<Value>,
    pub(crate) bundle_dependencies: Option<Value>,
    pub(crate) accept_dependencies: Option<Value>,
    pub(crate) bin: Option<Value>,
    pub(crate) engines: Option<Value>,
    pub(crate) os: Option<Value>,
    pub(crate) cpu: Option<Value>,
    pub(crate) libc: Option<Value>,
    pub(crate) patched: Option<Value>,
}

impl Entry {
    pub(crate) fn map(&self, kind: DependencyKind) -> &DependencyMap {
        match kind {
            DependencyKind::Production => &self.dependencies,
            DependencyKind::Development => &self.dev_dependencies,
            DependencyKind::Optional => &self.optional_dependencies,
            DependencyKind::Peer => &self.peer_dependencies,
        }
    }

    pub(crate) fn peer_is_optional(&self, name: &str) -> bool {
        let meta = self.peer_dependencies_meta.as_ref();
        meta.and_then(|meta| meta.get(name)?.get("optional")?.as_bool()).unwrap_or(false)
    }

    /// Whether it carries bundled packages in its own `node_modules`.
    pub(crate) fn bundles(&self) -> bool {
        match &self.bundle_dependencies {
            Some(Value::Array(names)) => !names.is_empty(),
            Some(Value::Bool(all)) => *all,
            _ => false,
        }
    }
}

/// A string, or nothing for every other kind of value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text(Option<Box<str>>);

impl Text {
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// `true`, or `false` for every other value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

/// Name → spec in the file's order; values that are not strings are left out. A name that occurs twice counts with
/// its last spec, as JSON readers do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DependencyMap(Vec<(Box<str>, Box<str>)>);

impl DependencyMap {
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, spec)| (&**name, &**spec))
    }

    pub(crate) fn at(&self, position: u32) -> (&str, &str) {
        let (name, spec) = &self.0[position as usize];
        (name, spec)
    }
}

/// Accepts any JSON value; keeps what the type wants.
struct Lenient<T>(std::marker::PhantomData<T>);

trait Keep<'de>: Default {
    fn text(_: &str) -> Self {
        Self::default()
    }
    fn flag(_: bool) -> Self {
        Self::default()
    }
    fn map<A: MapAccess<'de>>(mut access: A) -> Result<Self, A::Error> {
        while access.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

impl<'de, T: Keep<'de>> Visitor<'de> for Lenient<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }
    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }
    fn visit_bool<E>(self, flag: bool) -> Result<T, E> {
        Ok(T::flag(flag))
    }
    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<T, A::Error> {
        while access.next_element::<IgnoredAny>()?.is_some() {}
        Ok(T::default())
    }
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<T, A::Error> {
        T::map(access)
    }
}

impl Keep<'_> for Text {
    fn text(text: &str) -> Self {
        Self(Some(text.into()))
    }
}

impl Keep<'_> for Flag {
    fn flag(flag: bool) -> Self {
        Self(flag)
    }
}

impl<'de> Keep<'de> for DependencyMap {
    fn map<A: MapAccess<'de>>(mut access: A) -> Result<Self, A::Error> {
        let mut pairs: Vec<(Box<str>, Box<str>)> = Vec::with_capacity(access.size_hint().unwrap_or(4));
        while let Some((name, Text(spec))) = access.next_entry::<Box<str>, Text>()? {
            let Some(spec) = spec else { continue };
            pairs.push((name, spec));
        }
        keep_last(&mut pairs);
        Ok(Self(pairs))
    }
}

/// Removes earlier pairs of names that occur again.
fn keep_last(pairs: &mut Vec<(Box<str>, Box<str>)>) {
    if pairs.windows(2).all(|pair| pair[0].0 < pair[1].0) {
        return; // npm writes the maps sorted: nothing occurs twice
    }
    let mut seen = std::collections::HashSet::new();
    let last: Vec<bool> = pairs.iter().rev().map(|(name, _)| seen.insert(name.clone())).collect();
    let mut last = last.into_iter().rev();
    pairs.retain(|_| last.next().unwrap_or(true));
}

macro_rules! deserialize_leniently {
    ($($kind:ty),*) => {$(
        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Lenient::<Self>(std::marker::PhantomData))
            }
        }
    )*};
}

deserialize_leniently!(Text, Flag, DependencyMap);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_wrong_type_read_as_absent() {
        let entry: Entry = serde_json::from_str(
            r#"{"version": 1, "link": "yes", "dependencies": ["a"], "devDependencies": null,
                "optionalDependencies": {"a": {}, "b": "1", "c": 2.5, "b": "2"}, "engines": ["node >= 4"],
                "peerDependencies": {"p": "1"}, "peerDependenciesMeta": {"p": {"optional": true}}, "license": {"x": []}}"#,
        )
        .unwrap();
        assert_eq!(entry.version.get(), None);
        assert!(!entry.link.0);
        assert_eq!(entry.dependencies.iter().count(), 0);
        assert_eq!(entry.optional_dependencies.iter().collect::<Vec<_>>(), [("b", "2")]);
        assert!(entry.peer_is_optional("p"));
        assert_eq!(entry.engines, Some(serde_json::json!(["node >= 4"])));
    }
}
