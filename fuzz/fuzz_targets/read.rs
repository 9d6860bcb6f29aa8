//! Every dialect reads any bytes without a panic, and tells an error with a line that the text has.

#![no_main]

use dotage::dialect::Dialect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    // YAML has carriage returns for ends of lines too.
    let lines = text.split(|&byte| byte == b'\n' || byte == b'\r').count();
    for dialect in Dialect::ALL {
        if let Err(error) = dialect.read(text) {
            assert!(error.line <= lines, "{dialect:?} {error:?}");
        }
    }
    let list = Dialect::of(&[Dialect::Compose, Dialect::Systemd, Dialect::Node]);
    let _ = list.read(text);
});
