use serde::Deserialize;

/// `[storage]`: where files lie. Empty: a private folder in the data folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// Largest file that may be uploaded, bytes.
    pub largest_file: u64,
}

impl Default for Storage {
    fn default() -> Self {
        Self { largest_file: 10 * 1024 * 1024 * 1024 }
    }
}
