//! A hasher for names and indexes of a lockfile. Its texts come from the user's own repository, so nothing has to be
//! defended against made-up collisions, and hashing is a sixth of the work with the standard hasher.

use std::hash::{BuildHasherDefault, Hasher};

/// For maps that are never iterated where order would show.
pub(crate) type BuildFast = BuildHasherDefault<Fast>;
pub(crate) type FastMap<K, V> = std::collections::HashMap<K, V, BuildFast>;
pub(crate) type FastSet<K> = std::collections::HashSet<K, BuildFast>;

/// Multiply and rotate, eight bytes at a time.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Fast(u64);

impl Fast {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Fast {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.add(u64::from_le_bytes(last));
    }

    fn write_u8(&mut self, value: u8) {
        self.add(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.add(u64::from(value));
    }

    fn finish(&self) -> u64 {
        // Tables use the highest and the lowest bits; the multiplication mixes upwards only.
        self.0 ^ (self.0 >> 32)
    }
}
