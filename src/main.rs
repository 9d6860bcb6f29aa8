//! The `dotage` command: hardens the process, then says what `cli` understood.
//!
//! # Why
//!
//! Every block of memory that is freed is zeroed first, whoever allocated it: a value that the YAML parser, the
//! template engine or age copied is wiped with the rest, which no discipline on our own types could promise.

use std::alloc::System;
use std::process::ExitCode;
use zeroizing_alloc::ZeroAlloc;

#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    dotage::cli::main()
}
