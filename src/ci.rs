//! CI platforms: what each hides, what each takes, and how it is told.

pub mod gitlab;
