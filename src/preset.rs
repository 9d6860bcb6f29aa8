//! Temporary.
/// x
pub fn names() -> Vec<&'static str> {
    vec!["freeboard"]
}
/// x
pub fn files(_: Option<&str>) -> &'static [(&'static str, &'static str)] {
    &[]
}
/// x
pub const BUILT_IN: &[(&str, &str)] = &[];
