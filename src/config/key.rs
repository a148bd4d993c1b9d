//! What a key of the configuration is.

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Bool,
    /// A whole number in this range.
    Int(i64, i64),
    /// Whole numbers in this range; comma-separated in the environment.
    Ints(i64, i64),
    /// Comma-separated in the environment.
    Texts,
    /// Masked wherever the configuration is shown.
    Secret,
    Secrets,
    /// A table of texts.
    Table,
}

/// One key. `default` is a TOML value; empty means that the key is optional, and `example` shows one.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub path: &'static str,
    pub kind: Kind,
    pub default: &'static str,
    pub example: &'static str,
    pub doc: &'static str,
}

pub(super) const fn key(path: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default, example: "", doc }
}

pub(super) const fn optional(
    path: &'static str,
    kind: Kind,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key { path, kind, default: "", example, doc }
}

pub(super) const COUNT: Kind = Kind::Int(1, 1_000_000);
pub(super) const SECONDS: Kind = Kind::Int(1, 31_536_000);
pub(super) const BYTES: Kind = Kind::Int(1_024, i64::MAX);
