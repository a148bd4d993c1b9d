//! Where the simulator keeps its secrets: random per data folder, readable by the owner alone, the same after a
//! restart. A gateway takes what it needs by name; what is not there yet is made.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::clock::random;
use crate::base::outcome::Fault;

/// Secrets by name. It has no `Debug`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Drawer {
    /// The port of last time.
    #[serde(default)]
    pub(super) port: u16,
    #[serde(flatten)]
    kept: BTreeMap<String, String>,
}

impl Drawer {
    /// Puts one in before anybody asks for it.
    pub fn with(mut self, name: &str, secret: &str) -> Self {
        self.kept.insert(name.to_owned(), secret.to_owned());
        self
    }

    /// The secret of this name, made now if there is none yet.
    pub(super) fn keep(
        &mut self,
        name: &str,
        make: impl FnOnce() -> Result<String, Fault>,
    ) -> Result<String, Fault> {
        if let Some(kept) = self.kept.get(name) {
            return Ok(kept.clone());
        }
        let made = make()?;
        self.kept.insert(name.to_owned(), made.clone());
        Ok(made)
    }

    /// A text of 48 hexadecimal digits behind a prefix.
    pub(super) fn text(&mut self, name: &str, prefix: &str) -> Result<String, Fault> {
        self.keep(name, || Ok(format!("{prefix}{}", hex::encode(random::<24>()))))
    }

    pub(super) fn load(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join("sandbox.json");
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| fault(&path, e)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(fault(&path, error)),
        }
    }

    pub(super) fn save(&self, folder: &Path) -> Result<(), Fault> {
        let (path, draft) = (folder.join("sandbox.json"), folder.join("sandbox.json.draft"));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let bytes = serde_json::to_vec_pretty(self).map_err(|e| fault(&path, e))?;
        let mut file = options.open(&draft).map_err(|e| fault(&draft, e))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|e| fault(&draft, e))?;
        std::fs::rename(&draft, &path).map_err(|e| fault(&path, e))
    }
}

pub(super) fn fault(path: &Path, error: impl std::fmt::Display) -> Fault {
    Fault::Bug(format!("{}: {error}", path.display()))
}
