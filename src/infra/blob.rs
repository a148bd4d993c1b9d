//! Contents of files, outside the database: written once, read in ranges, never changed. A private folder now; what
//! this module offers (put a stream, read a range, remove, list) is what an object store offers too.

use std::io::SeekFrom;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufWriter};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use crate::base::outcome::Fault;

/// Bytes per piece of a read.
const PIECE: usize = 256 * 1024;
const TEMPORARY: &str = "tmp";

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    root: PathBuf,
}

/// A content that is safely stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Names the content inside the store; never shown to anybody.
    pub key: String,
    pub size: u64,
    pub sha256: [u8; 32],
}

/// A content of the store as `list` sees it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub key: String,
    pub written_at: DateTime<Utc>,
}

impl Blobs {
    /// A folder (made with mode 0700 by the first write).
    pub fn folder(root: PathBuf) -> Self {
        Self { root }
    }

    /// Begins a content. Nothing can be read of it before `finish`.
    pub async fn create(&self, id: Uuid) -> Result<NewBlob, Fault> {
        let key = key_of(id);
        let temporary = self.root.join(TEMPORARY).join(id.simple().to_string());
        for folder in [self.root.join(TEMPORARY), self.path(&key)?.parent().unwrap_or(&self.root).to_owned()]
        {
            make_private(folder).await?;
        }
        let path = temporary.clone();
        let file =
            blocking(move || std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path))
                .await?;
        Ok(NewBlob {
            final_path: self.path(&key)?,
            temporary: Temporary(temporary),
            file: BufWriter::with_capacity(PIECE, File::from_std(file)),
            digest: digest::Context::new(&digest::SHA256),
            size: 0,
            key,
        })
    }

    /// The bytes from `start` on, `length` of them, in pieces. Fails at once when the content is not there or does
    /// not have `size` bytes, and in the middle (an error item) when it ends early.
    pub async fn read(
        &self,
        key: &str,
        size: u64,
        start: u64,
        length: u64,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>, Fault> {
        let mut file = File::open(self.path(key)?).await.map_err(fault)?;
        let found = file.metadata().await.map_err(fault)?.len();
        if found != size {
            return Err(Fault::Upstream(format!("file store: {key} has {found} bytes in place of {size}")));
        }
        file.seek(SeekFrom::Start(start)).await.map_err(fault)?;
        let pieces = ReaderStream::with_capacity(file.take(length), PIECE);
        // A file that is cut while it is read must not look like a shorter one.
        let ended = futures::stream::once(async { Err(std::io::ErrorKind::UnexpectedEof.into()) });
        let whole = pieces.map_ok(Some).chain(ended).scan(length, |left, piece| {
            let item = match piece {
                Ok(Some(bytes)) => {
                    *left = left.saturating_sub(bytes.len() as u64);
                    Some(Ok(bytes))
                }
                Ok(None) => None,
                Err(_) if *left == 0 => None,
                Err(error) => Some(Err(error)),
            };
            futures::future::ready(item)
        });
        Ok(whole.boxed())
    }

    /// Whether the content is there, with so many bytes.
    pub async fn holds(&self, key: &str, size: u64) -> Result<bool, Fault> {
        match fs::metadata(self.path(key)?).await {
            Ok(found) => Ok(found.is_file() && found.len() == size),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(fault(error)),
        }
    }

    /// Removes a content; one that is gone already is no error.
    pub async fn remove(&self, key: &str) -> Result<(), Fault> {
        match fs::remove_file(self.path(key)?).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(fault(error)),
            _ => Ok(()),
        }
    }

    /// Removes what writers that died left behind; how many. `before` is compared with the time of the last write.
    pub async fn remove_unfinished(&self, before: DateTime<Utc>) -> Result<usize, Fault> {
        let mut removed = 0;
        for entry in entries(&self.root.join(TEMPORARY)).await? {
            if entry.1 < before && fs::remove_file(&entry.0).await.is_ok() {
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Every finished content that was written before `before`.
    pub async fn list(&self, before: DateTime<Utc>) -> Result<Vec<Listed>, Fault> {
        let mut found = Vec::new();
        for shard in 0..=u8::MAX {
            let shard = format!("{shard:02x}");
            for (path, written_at) in entries(&self.root.join(&shard)).await? {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if written_at < before {
                    found.push(Listed { key: format!("{shard}/{name}"), written_at });
                }
            }
        }
        Ok(found)
    }

    /// Keys come from the database; one that is not of our form is never turned into a path.
    fn path(&self, key: &str) -> Result<PathBuf, Fault> {
        let fits = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
        match key.split_once('/') {
            Some((shard, name)) if fits(shard, 2) && fits(name, 32) => Ok(self.root.join(shard).join(name)),
            _ => Err(Fault::bug("a key that the file store never gave")),
        }
    }
}

/// A content on its way in. Dropped without `finish`, it leaves nothing.
pub struct NewBlob {
    key: String,
    final_path: PathBuf,
    temporary: Temporary,
    file: BufWriter<File>,
    digest: digest::Context,
    size: u64,
}

impl NewBlob {
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.digest.update(piece);
        self.size += piece.len() as u64;
        self.file.write_all(piece).await.map_err(fault)
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Makes the content durable and gives it its place. After this it survives a crash.
    pub async fn finish(mut self) -> Result<Stored, Fault> {
        self.file.flush().await.map_err(fault)?;
        self.file.get_ref().sync_all().await.map_err(fault)?;
        fs::rename(&self.temporary.0, &self.final_path).await.map_err(fault)?;
        if let Some(folder) = self.final_path.parent().map(Path::to_owned) {
            blocking(move || std::fs::File::open(folder)?.sync_all()).await?;
        }
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.digest.finish().as_ref());
        Ok(Stored { key: self.key, size: self.size, sha256 })
    }
}

/// Removes the file when it goes; after the rename there is none.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The id's last byte is random, its first ones are time: contents spread over 256 folders by the last.
fn key_of(id: Uuid) -> String {
    let name = id.simple().to_string();
    format!("{}/{name}", &name[30..])
}

async fn make_private(folder: PathBuf) -> Result<(), Fault> {
    blocking(move || std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)).await
}

async fn entries(folder: &Path) -> Result<Vec<(PathBuf, DateTime<Utc>)>, Fault> {
    let folder = folder.to_owned();
    blocking(move || {
        let listing = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            listing => listing?,
        };
        let mut found = Vec::new();
        for entry in listing {
            let entry = entry?;
            // A file that is removed meanwhile is no longer of interest.
            if let Ok(metadata) = entry.metadata() {
                found.push((entry.path(), DateTime::<Utc>::from(metadata.modified()?)));
            }
        }
        Ok(found)
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Fault::bug(format!("file store: {e}")))?
        .map_err(fault)
}

/// Full disks, lost mounts and the like: the content may be there again later.
fn fault(error: std::io::Error) -> Fault {
    Fault::Upstream(format!("file store: {error}"))
}
