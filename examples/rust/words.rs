//! Counts words over many calls, in a `HashMap` behind a `Mutex`: any thread may call.
//! Another module decides which words count as the same.

use std::collections::HashMap;
use std::sync::Mutex;

extern "C" {
    /// Defined in rule.rs; calls go to its newest version.
    fn normalize(word: *mut u8, length: usize);
}

static COUNTS: Mutex<Option<HashMap<String, u32>>> = Mutex::new(None);

/// Counts the words of a text; returns their number.
///
/// # Safety
/// `text` is `length` bytes long.
#[no_mangle]
pub unsafe extern "C" fn count_words(text: *const u8, length: usize) -> u32 {
    let bytes = unsafe { std::slice::from_raw_parts(text, length) };
    let text = String::from_utf8_lossy(bytes);
    let mut counts = COUNTS.lock().unwrap();
    let counts = counts.get_or_insert_with(HashMap::new);
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| *counts.entry(normal(word)).or_default() += 1).count() as u32
}

/// Writes the most frequent words to `out`; returns the length of the text.
///
/// # Safety
/// `out` has room for `capacity` bytes.
#[no_mangle]
pub unsafe extern "C" fn most_frequent(how_many: u32, out: *mut u8, capacity: usize) -> usize {
    let counts = COUNTS.lock().unwrap();
    let mut entries: Vec<_> = counts.iter().flatten().collect();
    entries.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let lines: Vec<_> = entries.iter().take(how_many as usize).map(|(word, count)| format!("{word} {count}")).collect();
    let text = lines.join(", ");
    let length = text.len().min(capacity);
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), out, length) };
    length
}

/// The normal form of a word.
fn normal(word: &str) -> String {
    let mut bytes = word.as_bytes().to_vec();
    unsafe { normalize(bytes.as_mut_ptr(), bytes.len()) };
    String::from_utf8_lossy(&bytes).into_owned()
}
