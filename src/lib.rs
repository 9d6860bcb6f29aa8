//! dotage renders `.env` files from age-encrypted vaults through Jinja templates.

#![forbid(unsafe_code)]

pub mod child;
pub mod dialect;
pub mod file;
pub mod problem;
pub mod secret;
