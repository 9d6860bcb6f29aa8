//! Ruby's dotenv.
pub(super) use super::portable::{read, write};
