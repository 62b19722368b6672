//! Decides which words count as the same: the part of the word counter that changes while it runs.
//! Version 2 ignores case: build with `--cfg version_2`.
#![no_std]

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

/// Replaces a word by its normal form, in place.
///
/// # Safety
/// `word` is `length` bytes long.
#[no_mangle]
pub unsafe extern "C" fn normalize(word: *mut u8, length: usize) {
    let word = unsafe { core::slice::from_raw_parts_mut(word, length) };
    if cfg!(version_2) {
        word.make_ascii_lowercase();
    }
}
