// SPDX-License-Identifier: GPL-2.0

//! A hash with a secret key: who does not know the key cannot find bytes for a hash.
//!
//! C header: [`include/linux/siphash.h`](srctree/include/linux/siphash.h)

use super::rand;
use crate::sys::bindings;

/// A key that only this machine knows, and only until it is dropped.
pub(crate) struct SecretKey([u64; 2]);

impl SecretKey {
    /// Draws a key. Any context.
    pub(crate) fn draw() -> Self {
        let word = || u64::from(rand::u32()) << 32 | u64::from(rand::u32());
        Self([word(), word()])
    }

    /// The hash of `bytes`, and of what was hashed before to `before`. Any context.
    pub(crate) fn hash(&self, before: u64, bytes: &[u8]) -> u64 {
        let [first, second] = self.0;
        // SAFETY: `bytes` can be read.
        unsafe {
            bindings::qnet_helper_siphash(
                bytes.as_ptr().cast(),
                bytes.len(),
                first ^ before,
                second,
            )
        }
    }
}
