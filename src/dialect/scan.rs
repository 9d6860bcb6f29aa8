//! The steps that every reader takes through bytes: a piece, a place, a line's number, a character and its width.

use std::borrow::Cow;

/// The bytes from `start` up to `end`; none where there are none.
pub(super) fn cut(text: &[u8], start: usize, end: usize) -> &[u8] {
    text.get(start..end).unwrap_or_default()
}

/// The bytes from `start` on.
pub(super) fn rest(text: &[u8], start: usize) -> &[u8] {
    text.get(start..).unwrap_or_default()
}

/// The byte at a place.
pub(super) fn at(text: &[u8], place: usize) -> Option<u8> {
    text.get(place).copied()
}

/// The first place from `start` on whose byte passes; the text's end when none does.
pub(super) fn seek(text: &[u8], start: usize, stop: impl Fn(u8) -> bool) -> usize {
    rest(text, start)
        .iter()
        .position(|&byte| stop(byte))
        .map_or(text.len(), |found| start + found)
}

/// The number of the line that a place is in, from 1.
pub(super) fn line(text: &[u8], place: usize) -> usize {
    cut(text, 0, place.min(text.len()))
        .split(|&byte| byte == b'\n')
        .count()
}

/// The line that bytes first fail to be UTF-8 in, if they do.
pub(super) fn not_utf8(text: &[u8]) -> Option<usize> {
    let error = std::str::from_utf8(text).err()?;
    Some(line(text, error.valid_up_to()))
}

/// The first character and its width; a byte that starts none counts as one replacement character.
pub(super) fn first(text: &[u8]) -> Option<(char, usize)> {
    let lead = *text.first()?;
    if lead.is_ascii() {
        return Some((char::from(lead), 1));
    }
    let chunk = cut(text, 0, text.len().min(4)).utf8_chunks().next()?;
    Some(
        chunk
            .valid()
            .chars()
            .next()
            .map_or((char::REPLACEMENT_CHARACTER, 1), |found| {
                (found, found.len_utf8())
            }),
    )
}

/// The last character and its width, as [`first`].
pub(super) fn last(text: &[u8]) -> Option<(char, usize)> {
    let tail = *text.last()?;
    if tail.is_ascii() {
        return Some((char::from(tail), 1));
    }
    for width in 2..=4.min(text.len()) {
        if let Ok(found) = std::str::from_utf8(rest(text, text.len() - width))
            && let Some(found) = found.chars().next_back()
        {
            return Some((found, found.len_utf8()));
        }
    }
    Some((char::REPLACEMENT_CHARACTER, 1))
}

/// How many leading bytes are characters that pass.
pub(super) fn leading(text: &[u8], pass: impl Fn(char) -> bool) -> usize {
    let mut width = 0;
    while let Some((found, step)) = first(rest(text, width)) {
        if !pass(found) {
            break;
        }
        width += step;
    }
    width
}

/// The text without the trailing characters that pass.
pub(super) fn trim_end(mut text: &[u8], pass: impl Fn(char) -> bool) -> &[u8] {
    while let Some((found, width)) = last(text) {
        if !pass(found) {
            break;
        }
        text = cut(text, 0, text.len() - width);
    }
    text
}

/// Whether `needle` occurs.
pub(super) fn contains(text: &[u8], needle: &[u8]) -> bool {
    find(text, needle).is_some()
}

/// Where `needle` first occurs.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len().max(1))
        .position(|window| window == needle)
}

/// The text without a leading byte-order mark.
pub(super) fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

/// Every CR LF and lone CR as LF.
pub(super) fn line_feeds(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\r') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut place = 0;
    while let Some(byte) = at(text, place) {
        place += 1;
        if byte == b'\r' {
            out.push(b'\n');
            if at(text, place) == Some(b'\n') {
                place += 1;
            }
        } else {
            out.push(byte);
        }
    }
    Cow::Owned(out)
}

/// A name that is known to be UTF-8, or the nearest text to it.
pub(super) fn name(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Appends `value` with `escape` standing for the bytes that it names.
pub(super) fn push_escaped(
    out: &mut Vec<u8>,
    value: &[u8],
    escape: impl Fn(u8) -> Option<&'static [u8]>,
) {
    for &byte in value {
        match escape(byte) {
            Some(text) => out.extend_from_slice(text),
            None => out.push(byte),
        }
    }
}
