//! What a dialect writes it reads back, in a whole file: the input is cut into values at its `0xfe` bytes.

#![no_main]

use dotage::dialect::Dialect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let lists = [
        Dialect::of(&[Dialect::Compose, Dialect::Systemd]),
        Dialect::of(&[Dialect::Node, Dialect::Ruby, Dialect::Python]),
    ];
    for dialect in Dialect::ALL.into_iter().chain(lists) {
        let mut file = Vec::new();
        let mut written = Vec::new();
        if dialect == Dialect::Json {
            file.push(b'{');
        }
        for (number, value) in input.split(|&byte| byte == 0xfe).enumerate() {
            let name = format!("V{number}");
            let before = file.len();
            if dialect == Dialect::Json && !written.is_empty() {
                file.push(b',');
            }
            match dialect.assign(&name, value, &mut file) {
                Ok(()) => written.push((name, value)),
                Err(_) => file.truncate(before),
            }
        }
        if dialect == Dialect::Json {
            file.push(b'}');
        }
        let entries = dialect.read(&file).expect("what is written can be read");
        let read: Vec<_> = entries.iter().map(|(name, value)| (name.to_string(), &**value)).collect();
        assert_eq!(read, written, "{dialect:?}");
    }
});
