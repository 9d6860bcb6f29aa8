//! Whatever the secrets, the text and the cuts are: no secret is in what comes out, and a cut changes nothing.

#![no_main]

use dotage::redact::{Marker, Needles, Redactor};
use dotage::secret::{Name, Secret};
use libfuzzer_sys::fuzz_target;
use std::io::Write;

fuzz_target!(|input: (Vec<Vec<u8>>, Vec<Vec<u8>>)| {
    let (values, writes) = input;
    let secrets: Vec<(Name, Secret)> = (0..)
        .zip(values)
        .filter_map(|(index, value)| Some((Name::new(&format!("S{index}"))?, Secret::new(value))))
        .collect();
    let needles = Needles::new(secrets.iter().map(|(name, secret)| (name, secret)));
    let redacted = |writes: &[Vec<u8>]| {
        let mut redactor = Redactor::new(&needles, Marker::Stars, Vec::new());
        for write in writes {
            redactor.write_all(write).expect("a Vec takes everything");
        }
        redactor.finish().expect("a Vec takes everything")
    };
    let out = redacted(&writes);
    assert_eq!(out, redacted(&[writes.concat()]));
    // A marker may be a part of a value itself.
    for found in needles.find(&out) {
        assert!(out[found.range].contains(&b'*'));
    }
});
