//! New keys come in, and the lines that wait for them are filled in the same transactions (K10).

use std::cmp::Ordering;
use std::time::Duration;

use tokio::io::AsyncRead;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::BatchId;
use crate::base::outcome::{Failure, Fault, Outcome, Refusal};
use crate::catalogue;
use crate::fulfilment::jobs::Fill;
use crate::fulfilment::{fill, store};
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::kit::Kit;
use crate::vault::generate;
use crate::vault::import::{Chunk, ChunkReader, Mark, Stopped};
use crate::vault::insert::insert_chunk;
use crate::vault::signed::{KeySigner, Promised};
use crate::vault::state::{BatchChange, BatchState};
use crate::vault::{Batch, Origin, batch};

/// How long the slower of two looks away.
const SLOWER: Duration = Duration::from_millis(500);

/// Where in its file a body of keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the beginning. What was stored before is read again and must be the same.
    File,
    /// With the byte that has this many before it.
    Byte(i64),
    /// With this line, from 1.
    Line(i64),
}

/// What became of a body of keys.
#[derive(Clone, Debug)]
pub struct Imported {
    pub batch: Batch,
    /// Lines of the file that were stored before this body came.
    pub stored_before: i64,
    /// Lines of this body that were passed over because they were stored before.
    pub skipped: i64,
}

/// Imports a whole file of keys into an opened batch; see `go_on`.
pub async fn import<R: AsyncRead + Unpin>(kit: &Kit, actor: &Actor, id: BatchId, input: R) -> Outcome<Batch> {
    Ok(go_on(kit, actor, id, Start::File, input).await?.batch)
}

/// Imports keys into an opened batch. Each chunk is a transaction of its own, so that a killed import goes on after the
/// last one: with the same file from its beginning, whose lines must be those that were stored, or with the rest alone.
/// `INVALID` when the first row has no field for the key, `IMPORT_GAP` and `IMPORT_OVERLAP` when the rest begins behind or before that place, `IMPORT_OTHER_FILE` when the
/// lines are others, `IMPORT_ALREADY_COMMITTED` when the batch has ended and this is more than its file,
/// `IN_PROGRESS` when somebody else goes on with it.
pub async fn go_on<R: AsyncRead + Unpin>(
    kit: &Kit,
    actor: &Actor,
    id: BatchId,
    start: Start,
    input: R,
) -> Outcome<Imported> {
    let mut open = {
        let mut conn = kit.db.conn().await?;
        batch::get(&mut conn, actor, id).await?
    };
    batch::refuse_recalled(&open)?;
    if open.origin != Origin::Import {
        return Err(Refusal::new(ErrorCode::Invalid, "the keys of this batch are made here")
            .at(["batchId"])
            .into());
    }
    let stored = open.mark();
    let at = place(start, &open, stored)?;
    let mut reader = ChunkReader::new(input, kit.sealer.line_chain(id.0), at, open.layout()?);
    let stored_before = open.lines;
    let skipped = stored_before - at.lines;
    if skipped > 0 {
        let reached = reader.pass(stored_before).await.map_err(|e| stopped(e.into()))?;
        if !stored.is_some_and(|stored| reached.lines == stored.lines && reached.digest == stored.digest) {
            return Err(other_file(&open).into());
        }
    }
    while let Some(chunk) = reader.next().await.map_err(stopped)? {
        open = store_chunk(kit, actor, open, chunk).await?;
        crate::fault_point!("restock.stored");
    }
    let batch = finish(kit, actor, &open).await?;
    Ok(Imported { batch, stored_before, skipped })
}

fn stopped(stopped: Stopped) -> Failure {
    match stopped {
        Stopped::BrokeOff(e) => Fault::Upstream(format!("the upload broke off: {e}")).into(),
        Stopped::Refused(refusal) => refusal.into(),
    }
}

/// The place in its file where a body begins; a refusal when it is not where this batch goes on.
fn place(start: Start, batch: &Batch, stored: Option<Mark>) -> Result<Mark, Refusal> {
    let (named, goes_on, stored) = match (start, stored) {
        (Start::File | Start::Byte(0) | Start::Line(1), _) => return Ok(Mark::default()),
        (_, None) => return Err(other_file(batch)),
        (Start::Byte(byte), Some(stored)) => (byte, stored.bytes, stored),
        // Whoever cuts a file by lines may write the rest in another encoding.
        (Start::Line(line), Some(stored)) => (line, stored.lines + 1, Mark { encoding: None, ..stored }),
    };
    let code = match named.cmp(&goes_on) {
        Ordering::Equal => return Ok(stored),
        Ordering::Greater => ErrorCode::ImportGap,
        Ordering::Less => ErrorCode::ImportOverlap,
    };
    let text = format!("this import goes on at byte {}, with line {}", batch.bytes, batch.lines + 1);
    Err(Refusal::new(code, text))
}

fn other_file(batch: &Batch) -> Refusal {
    let text = format!(
        "{} lines of another file were stored in this batch: send that file, or the rest of it with `Upload-Offset: {}`; \
         another file needs a batch of its own",
        batch.lines, batch.bytes
    );
    Refusal::new(ErrorCode::ImportOtherFile, text)
}

/// Makes the keys of a batch that is to be generated, or what is left of them. Two that do it at once do it together:
/// whoever was slower with a chunk looks again.
pub async fn generate(kit: &Kit, actor: &Actor, id: BatchId) -> Outcome<Batch> {
    loop {
        let mut open = {
            let mut conn = kit.db.conn().await?;
            batch::get(&mut conn, actor, id).await?
        };
        if open.state != BatchState::Running || open.recalled_at.is_some() {
            return Ok(open);
        }
        let signer = signer(kit, &open).await?;
        let made = async {
            while let Some(chunk) = generate::next_chunk(&open, &kit.clock, signer.as_ref())? {
                open = store_chunk(kit, actor, open.clone(), chunk).await?;
            }
            finish(kit, actor, &open).await
        };
        match made.await {
            Err(Failure::Refused(refusal)) if refusal.code == ErrorCode::InProgress => {
                tokio::time::sleep(SLOWER).await;
            }
            done => return done,
        }
    }
}

/// Who signs the keys of a batch; none where they are not signed. What they say is what the variant offers now.
async fn signer(kit: &Kit, open: &Batch) -> Outcome<Option<KeySigner>> {
    if !generate::is_signed(open)? {
        return Ok(None);
    }
    let mut conn = kit.db.conn().await?;
    let (product, terms) = catalogue::read::find_terms(&mut conn, open.variant_id).await?;
    let promised = Promised {
        product,
        variant: open.variant_id,
        devices: terms.activation_limit,
        made_at: kit.clock.now(),
        expires_at: open.keys_expire_at,
    };
    Ok(KeySigner::of(&kit.config.secrets, promised)?)
}

async fn store_chunk(kit: &Kit, actor: &Actor, open: Batch, chunk: Chunk) -> Outcome<Batch> {
    let mut tx = kit.db.begin().await?;
    store::lock_variant(&mut tx, open.variant_id).await?;
    let folding = catalogue::read::list_folding(&mut tx, open.seller_id).await?;
    let inserted = insert_chunk(&mut tx, kit, actor, &open, &folding, chunk).await?;
    let filled = if inserted.added > 0 && !open.preview {
        fill::fill(&mut tx, kit, open.variant_id).await?
    } else {
        Default::default()
    };
    if filled.more {
        jobs::add(&tx, &[Fill { variant: open.variant_id }.job()]).await?;
    }
    crate::fault_point!("restock.chunk");
    tx.commit().await?;
    // For those who follow the batch: once a chunk.
    kit.bell.ring();
    Ok(inserted.batch)
}

/// Ends a batch, unless somebody went on with it meanwhile.
async fn finish(kit: &Kit, actor: &Actor, open: &Batch) -> Outcome<Batch> {
    let mut tx = kit.db.begin().await?;
    let change = if open.preview { BatchChange::Preview } else { BatchChange::Finish };
    let done = batch::end(&mut tx, actor, open.id, change).await?;
    if done.lines != open.lines {
        let text = "another run of this batch was faster";
        return Err(Failure::from(Refusal::new(ErrorCode::InProgress, text).retry_after(1)));
    }
    tx.commit().await?;
    kit.bell.ring();
    Ok(done)
}
