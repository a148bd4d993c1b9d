//! New keys come in, and the lines that wait for them are filled in the same transactions (K10).

use std::time::Duration;

use tokio::io::AsyncRead;

use crate::app::App;
use crate::base::actor::Actor;
use crate::base::ids::BatchId;
use crate::base::outcome::{Failure, Fault, Outcome};
use crate::fulfilment::{fill, store};
use crate::infra::queue::{self, NewJob};
use crate::vault::generate;
use crate::vault::import::{Chunk, ChunkReader};
use crate::vault::insert::insert_chunk;
use crate::vault::state::{BatchChange, BatchState};
use crate::vault::{Batch, batch};

/// How long the slower of two looks away.
const SLOWER: Duration = Duration::from_millis(500);

/// Imports a stream of keys, one a line, into an opened batch. Each chunk is a transaction of its own: a killed import
/// goes on after the last one when the same file is sent to the same batch again.
pub async fn import<R: AsyncRead + Unpin>(app: &App, actor: &Actor, id: BatchId, input: R) -> Outcome<Batch> {
    let mut open = {
        let mut conn = app.db.conn().await?;
        batch::get(&mut conn, actor, id).await?
    };
    let mut reader = ChunkReader::new(input, open.lines);
    while let Some(chunk) =
        reader.next().await.map_err(|e| Fault::Upstream(format!("the upload broke off: {e}")))?
    {
        open = store_chunk(app, actor, open, chunk).await?;
    }
    finish(app, actor, id).await
}

/// Makes the keys of a batch that is to be generated, or what is left of them. Two that do it at once do it together:
/// whoever was slower with a chunk looks again.
pub async fn generate(app: &App, actor: &Actor, id: BatchId) -> Outcome<Batch> {
    loop {
        let mut open = {
            let mut conn = app.db.conn().await?;
            batch::get(&mut conn, actor, id).await?
        };
        if open.state != BatchState::Running {
            return Ok(open);
        }
        let made = async {
            while let Some(chunk) = generate::next_chunk(&open)? {
                open = store_chunk(app, actor, open.clone(), chunk).await?;
            }
            finish(app, actor, id).await
        };
        match made.await {
            Err(Failure::Refused(refusal)) if refusal.code == "IN_PROGRESS" => {
                tokio::time::sleep(SLOWER).await;
            }
            done => return done,
        }
    }
}

async fn store_chunk(app: &App, actor: &Actor, open: Batch, chunk: Chunk) -> Outcome<Batch> {
    let mut tx = app.db.begin().await?;
    store::lock_variant(&mut tx, open.variant_id).await?;
    let inserted = insert_chunk(&mut tx, app, actor, &open, chunk).await?;
    let filled = if inserted.added > 0 {
        fill::fill(&mut tx, app, open.variant_id).await?
    } else {
        Default::default()
    };
    if filled.more {
        let variant = open.variant_id.0;
        let job = NewJob::new(super::tell::FILL, serde_json::json!({ "variant": variant }))
            .once(variant.to_string());
        queue::add(&tx, &[job]).await?;
    }
    crate::fault_point!("restock.chunk");
    tx.commit().await?;
    if filled.lines > 0 {
        app.bell.ring();
    }
    Ok(inserted.batch)
}

async fn finish(app: &App, actor: &Actor, id: BatchId) -> Outcome<Batch> {
    let mut tx = app.db.begin().await?;
    let done = batch::end(&mut tx, actor, id, BatchChange::Finish).await?;
    tx.commit().await?;
    Ok(done)
}
