//! dotage renders `.env` files from age-encrypted vaults through Jinja templates.

#![forbid(unsafe_code)]

pub mod ansible;
pub mod child;
pub mod ci;
pub mod cli;
pub mod contract;
pub mod dialect;
pub mod draft;
pub mod environment;
pub mod file;
pub mod generate;
pub mod incident;
pub mod inventory;
pub mod journal;
pub mod leak;
pub mod lint;
pub mod postgres;
pub mod preset;
pub mod problem;
pub mod project;
pub mod redact;
pub mod report;
pub mod rotation;
pub mod secret;
pub mod status;
pub mod template;
pub mod time;
pub mod vault;
pub mod yaml;
