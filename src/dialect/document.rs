//! JSON and YAML.
use super::{Entries, Unreadable, Unwritable};
pub(super) fn write(value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let text = std::str::from_utf8(value).or(Err(super::NOT_UTF8))?;
    out.extend(serde_json::to_string(text).unwrap_or_default().into_bytes());
    Ok(())
}
pub(super) fn read_json(_: &str) -> Result<Entries<'_>, Unreadable> {
    Err(Unreadable {
        line: 1,
        why: "not read yet",
    })
}
pub(super) fn read_yaml(_: &str) -> Result<Entries<'_>, Unreadable> {
    Err(Unreadable {
        line: 1,
        why: "not read yet",
    })
}
