//! dotage renders `.env` files from age-encrypted vaults through Jinja templates.

#![forbid(unsafe_code)]

pub mod dialect;
pub mod generate;
pub mod inventory;
pub mod preset;
pub mod problem;
pub mod secret;
pub mod template;
pub mod yaml;
