//! Keys that come in, are made, and leave, by the command line.

use dispense::app::App;
use dispense::base::actor::Actor;
use dispense::base::ids::{BatchId, VariantId};
use dispense::base::outcome::Fault;
use dispense::catalogue::intake;
use dispense::config::Config;
use dispense::fulfilment::commit_import;
use dispense::fulfilment::restock::{self, Start};
use dispense::vault::Batch;
use dispense::vault::batch::{self, NewBatch};
use dispense::vault::export::{self, NewExport, Place};
use dispense::vault::layout::{KeyFileFormat, Layout};
use dispense::vault::state::KeyState;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::arguments::{FileArguments, KeysAct};
use super::{Ending, beside};

/// Does what was said and prints how many keys it concerned.
pub async fn run(config: Config, act: KeysAct) -> Result<(), Ending> {
    beside(config, async |app| {
        let actor = Actor::system();
        match act {
            KeysAct::Import { variant, file, laid_out, batch, offset, line } => {
                let variant = read_variant(&variant)?;
                let batch = match batch {
                    Some(id) => opened_before(app, &actor, &id, variant).await?,
                    None => {
                        let new = NewBatch {
                            layout: layout(&laid_out)?,
                            preview: laid_out.preview,
                            ..NewBatch::import(variant)
                        };
                        intake::open_batch(app, &actor, new).await?
                    }
                };
                // Known before anything can go wrong: with it the import is gone on with.
                eprintln!("batch {}", batch.id);
                let start = match (offset, line) {
                    (Some(byte), _) => Start::Byte(byte),
                    (None, Some(line)) => Start::Line(line),
                    (None, None) => Start::File,
                };
                let done = restock::go_on(app, &actor, batch.id, start, open(&file).await?).await?;
                if done.stored_before > 0 {
                    println!(
                        "{} lines were stored before, {} of them skipped here",
                        done.stored_before, done.skipped
                    );
                }
                report(&done.batch);
            }
            KeysAct::Commit { batch } => {
                let id = read_batch(&batch)?;
                commit_import::commit(app, &actor, id).await?;
                report(&commit_import::run(app, &actor, id).await?);
            }
            KeysAct::Cancel { batch } => {
                let id = read_batch(&batch)?;
                commit_import::cancel(app, &actor, id).await?;
                commit_import::clear(app, id).await?;
                println!("{id}: given up, none of its keys is stored");
            }
            KeysAct::Generate { variant, quantity } => {
                let new = NewBatch::generate(read_variant(&variant)?, quantity, None);
                let batch = intake::open_batch(app, &actor, new).await?;
                report(&restock::generate(app, &actor, batch.id).await?);
            }
            KeysAct::Export { variant, file, format, state, reason } => {
                let no_state = |text: &String| Ending::Refused(format!("`{text}` is no state of keys"));
                let states = state.iter().map(|text| KeyState::parse(text).ok_or_else(|| no_state(text)));
                let new = NewExport {
                    variant_id: read_variant(&variant)?,
                    states: states.collect::<Result<_, _>>()?,
                    format: read_format(&format)?,
                    reason,
                };
                let keys = hand_out(app, &actor, &new, &file).await?;
                eprintln!("{keys} keys exported");
            }
        }
        Ok(())
    })
    .await
}

fn report(batch: &Batch) {
    println!("{}: {} keys added, {} lines refused", batch.id, batch.added, batch.refused);
    if batch.staged > 0 {
        println!("{} keys wait for `dispense keys commit {}`", batch.staged, batch.id);
    }
}

fn read_variant(text: &str) -> Result<VariantId, Ending> {
    VariantId::parse(text)
        .map_err(|_| Ending::Refused(format!("`{text}` is not the id of a variant (var_…)")))
}

fn read_batch(text: &str) -> Result<BatchId, Ending> {
    BatchId::parse(text).map_err(|_| Ending::Refused(format!("`{text}` is not the id of a batch (bat_…)")))
}

fn read_format(text: &str) -> Result<KeyFileFormat, Ending> {
    match text {
        "text" => Ok(KeyFileFormat::Text),
        "csv" => Ok(KeyFileFormat::Csv),
        "jsonl" => Ok(KeyFileFormat::Jsonl),
        "blocks" => Ok(KeyFileFormat::Blocks),
        other => Err(Ending::Refused(format!("`{other}` is no format of keys: text, csv, jsonl, blocks"))),
    }
}

fn layout(said: &FileArguments) -> Result<Layout, Ending> {
    Ok(Layout {
        format: read_format(&said.format)?,
        separator: said.separator.clone(),
        headless: said.no_header,
        key: said.key_column.clone(),
        expires_at: said.expiry_column.clone(),
        columns: None,
    })
}

async fn open(file: &std::path::Path) -> Result<Box<dyn AsyncRead + Unpin>, Ending> {
    let unread = |e: std::io::Error| Fault::setup(format!("{}: {e}", file.display()));
    Ok(match file.as_os_str() == "-" {
        true => Box::new(tokio::io::stdin()),
        false => Box::new(tokio::fs::File::open(file).await.map_err(unread)?),
    })
}

/// A file that only its owner may read; one that exists is not overwritten.
async fn hand_out(app: &App, actor: &Actor, new: &NewExport, file: &std::path::Path) -> Result<i64, Ending> {
    let unwritten = |e: std::io::Error| Fault::setup(format!("{}: {e}", file.display()));
    let asked = intake::ask_export(app, actor, new).await?;
    let mut out: Box<dyn AsyncWrite + Unpin> = match file.as_os_str() == "-" {
        true => Box::new(tokio::io::stdout()),
        false => {
            let mut options = tokio::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            options.mode(0o600);
            Box::new(options.open(file).await.map_err(unwritten)?)
        }
    };
    let export = export::begin(app, actor, asked.id).await?;
    let mut place = Place::default();
    while let Some((piece, behind)) = export::next_piece(app, &export, place).await? {
        out.write_all(&piece).await.map_err(unwritten)?;
        place = behind;
    }
    out.flush().await.map_err(unwritten)?;
    export::end(app, actor, &export, place.keys).await?;
    Ok(place.keys)
}

/// The batch of an import that broke off.
async fn opened_before(app: &App, actor: &Actor, id: &str, variant: VariantId) -> Result<Batch, Ending> {
    let none = || Ending::Refused(format!("`{id}` is not the id of a batch of this variant (bat_…)"));
    let id = BatchId::parse(id).map_err(|_| none())?;
    let mut conn = app.db.conn().await?;
    let batch = batch::get(&mut conn, actor, id).await.map_err(|_| none())?;
    if batch.variant_id == variant { Ok(batch) } else { Err(none()) }
}
