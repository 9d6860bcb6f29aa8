//! What dotage takes for raw values alone, which no verb looks for: for benches/redact and benches/scan, beside programs that know
//! no other form. `raw redact VALUES` passes stdin on to stdout as `dotage redact` does; `raw scan VALUES TREE` looks through a
//! tree as `dotage scan` does, for lines that are a value. A value a line.

use dotage::leak::{self, Homes, Hunt, Sought};
use dotage::redact::{Marker, Needles, Redactor};
use dotage::secret::{Name, Secret};
use std::alloc::System;
use std::fs::File;
use std::io::{Read, Write, stdin, stdout};
use std::os::fd::AsFd;
use std::path::PathBuf;
use zeroizing_alloc::ZeroAlloc;

#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let verb = arguments.next().expect("redact or scan");
    let file = PathBuf::from(arguments.next().expect("a file of values"));
    let values = std::fs::read_to_string(&file).expect("a file of values");
    let values = values.lines().enumerate().map(|(number, value)| {
        let name = Name::new(&format!("SECRET_{number:03}")).expect("a name");
        (name, Secret::new(value.as_bytes().to_vec()))
    });
    match verb.as_str() {
        "redact" => redact(&values.collect::<Vec<_>>()),
        "scan" => {
            let tree = PathBuf::from(arguments.next().expect("a tree"));
            scan(values, &file, tree);
        }
        other => panic!("{other} is neither redact nor scan"),
    }
}

fn redact(values: &[(Name, Secret)]) {
    let needles = Needles::raw(values.iter().map(|(name, value)| (name, value)));
    let stdout = File::from(stdout().as_fd().try_clone_to_owned().expect("stdout"));
    let mut redactor = Redactor::new(&needles, Marker::of_environment(), stdout);
    let mut stdin = stdin().lock();
    let mut block = vec![0; 64 << 10];
    loop {
        let read = stdin.read(&mut block).expect("stdin");
        if read == 0 {
            break;
        }
        redactor.write_all(&block[..read]).expect("stdout");
    }
    redactor.finish().expect("stdout");
}

/// A line of a `.env` file is looked for as it is, and so is here each value.
fn scan(values: impl Iterator<Item = (Name, Secret)>, file: &PathBuf, tree: PathBuf) {
    let sought = values.map(|(name, secret)| Sought {
        name,
        profiles: Vec::new(),
        line_of: Some(file.clone()),
        secret,
        help: String::new(),
    });
    let hunt = Hunt::new(sought.collect(), Homes::default());
    for problem in leak::tree(&hunt, &[tree], false).expect("a tree") {
        println!("{problem}");
    }
}
