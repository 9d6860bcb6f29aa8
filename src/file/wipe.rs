//! Files in memory, overwritten and gone. On a disk this would promise what no filesystem keeps.

use std::fs::{OpenOptions, read_dir, remove_dir, remove_file};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Overwrites and removes all that is in a private folder in memory, then the folder, as far as it can.
pub fn wipe(folder: &Path) {
    let no_link = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
    for entry in read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            wipe(&path);
            continue;
        }
        if kind.is_file()
            && let Ok(size) = entry.metadata().map(|stat| stat.len())
            && let Ok(mut there) = OpenOptions::new()
                .write(true)
                .custom_flags(no_link)
                .open(&path)
        {
            let _ = std::io::copy(&mut std::io::repeat(0).take(size), &mut there);
        }
        let _ = remove_file(&path);
    }
    let _ = remove_dir(folder);
}
