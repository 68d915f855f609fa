//! Randomness for ids and tokens, from the kernel.

/// `N` unpredictable bytes.
///
/// # Panics
/// When the kernel has no randomness to give: nothing that must not be guessed may be made then.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("getrandom(2) works on every kernel since 3.17");
    bytes
}
