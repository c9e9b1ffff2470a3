//! JSON values in an order that does not depend on the file they came from.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

/// Sets a key to a value in canonical order; nothing for `None`.
pub(crate) fn put(map: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), in_order(&value).into_owned());
    }
}

/// The value with the keys of all its objects sorted: their order in a file means nothing and must not show.
pub(crate) fn in_order(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::Object(map) => {
            let sorted = map.keys().zip(map.keys().skip(1)).all(|(left, right)| left < right);
            let nested = map.values().any(|value| value.is_object() || value.is_array());
            if sorted && !nested {
                return Cow::Borrowed(value);
            }
            let ordered: BTreeMap<&String, &Value> = map.iter().collect();
            Cow::Owned(ordered.into_iter().map(|(key, value)| (key.clone(), in_order(value).into_owned())).collect())
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            Cow::Owned(items.iter().map(|item| in_order(item).into_owned()).collect())
        }
        _ => Cow::Borrowed(value),
    }
}

/// Two spaces, a line feed at the end, as npm and pnpm write.
pub(crate) fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("keys are texts and writing to memory does not fail");
    bytes.push(b'\n');
    bytes
}
