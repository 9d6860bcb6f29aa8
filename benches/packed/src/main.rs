//! The floor for benches/redact: what finding raw values in chunks of 64 KiB takes with aho-corasick's packed searcher.
//! It writes nothing, looks for no other form, and misses what two chunks share. `packed FILE`, a value a line.

use std::io::Read;

fn main() {
    let file = std::env::args().nth(1).expect("a file of values");
    let values = std::fs::read_to_string(file).expect("a file of values");
    let searcher = aho_corasick::packed::Config::new()
        .builder()
        .extend(values.lines())
        .build()
        .expect("no more values than it takes, on this processor");
    let mut stdin = std::io::stdin().lock();
    let mut chunk = vec![0; 64 << 10];
    let mut found = 0;
    loop {
        let read = stdin.read(&mut chunk).expect("stdin");
        if read == 0 {
            break;
        }
        found += searcher.find_iter(&chunk[..read]).count();
    }
    println!("{found}");
}
