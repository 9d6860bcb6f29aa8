//! npm's dotenv.
use super::{Unwritable, portable};
pub(super) fn write_expand(value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    if super::bare(value) {
        out.extend_from_slice(value);
        Ok(())
    } else {
        portable::write(value, out)
    }
}
pub(super) use portable::{read, read as read_expand, read as read_vite, read as read_env_file};
pub(super) use portable::{write, write as write_vite, write as write_env_file};
