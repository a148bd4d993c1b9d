//! Sellers make, edit and test connections to suppliers.

use chrono::TimeDelta;
use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{SellerId, SupplierId};
use crate::base::money::Currency;
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::base::secret::Secret;
use crate::base::text::clean;
use crate::infra::effects::Effects;
use crate::infra::effects::events::Event;
use crate::infra::effects::tasks::TaskKind;
use crate::infra::kit::Kit;
use crate::infra::webhook_signature;
use crate::suppliers::call::{self, PLACE, Tested};
use crate::suppliers::events::{OfSupplier, SupplierEvent};
use crate::suppliers::mapping::Mapping;
use crate::suppliers::model::{Supplier, SupplierState};
use crate::suppliers::store::{self, NewSupplier};
use crate::suppliers::tasks::SupplierPaused;
use crate::suppliers::{read, secret};

/// Connections that a seller may have.
const MOST: i64 = 100;

/// For how long the secret before counts too.
const OVERLAP: TimeDelta = TimeDelta::hours(24);

/// What a call may take when the seller does not say, seconds.
const TIMEOUT: i32 = 15;

/// A connection to be made.
#[derive(Clone)]
pub struct NewConnection {
    pub seller_id: SellerId,
    pub name: String,
    pub url: String,
    pub status_url: Option<String>,
    /// None: one is made.
    pub secret: Option<Secret>,
    pub currency: String,
    pub timeout_seconds: Option<i32>,
    pub mapping: Mapping,
}

/// What is changed of a connection; `None` leaves things as they are.
#[derive(Clone, Default)]
pub struct ConnectionEdit {
    pub name: Option<String>,
    pub url: Option<String>,
    /// The inner `None` takes it away.
    pub status_url: Option<Option<String>>,
    pub timeout_seconds: Option<i32>,
    pub mapping: Option<Mapping>,
    pub state: Option<SupplierState>,
    pub secret: Option<NewSecret>,
    /// The version that the editor saw.
    pub expected_version: Option<i32>,
}

/// Another signing secret.
#[derive(Clone)]
pub enum NewSecret {
    Made,
    Given(Secret),
}

/// A connection that was made or edited, with the secret if the program made one: it is shown this once.
pub struct Connected {
    pub supplier: Supplier,
    pub made: Option<Secret>,
}

/// `NOT_FOUND` for sellers whom the actor does not act for, `INVALID`, `URL_NOT_ALLOWED`, `SECRET_TOO_WEAK`,
/// `CURRENCY_NOT_SUPPORTED`, `TOO_MANY`.
pub async fn create(kit: &Kit, actor: &Actor, new: NewConnection) -> Outcome<Connected> {
    if !actor.sells_for(new.seller_id) {
        return Err(Refusal::new(ErrorCode::NotFound, "there is no such seller").at(["sellerId"]).into());
    }
    let currency = Currency::parse(&new.currency).ok().filter(Currency::is_listed);
    let unlisted = || Refusal::new(ErrorCode::CurrencyNotSupported, "this is no currency").at(["currency"]);
    let currency = currency.ok_or_else(unlisted)?;
    let name = clean(&new.name, "name", 120, false)?;
    check_urls(kit, Some(&new.url), new.status_url.as_deref())?;
    let timeout_seconds = checked_timeout(new.timeout_seconds.unwrap_or(TIMEOUT))?;
    new.mapping.check()?;
    let made = new.secret.is_none().then(webhook_signature::new_secret);
    let signing = made.clone().or(new.secret).unwrap_or_else(webhook_signature::new_secret);
    check_secret(&signing)?;
    let id = SupplierId(kit.clock.uuid());
    let mut tx = kit.db.begin().await?;
    if read::count(&mut tx, new.seller_id).await? >= MOST {
        let text = format!("a seller has at most {MOST} connections");
        return Err(Refusal::new(ErrorCode::TooMany, text).into());
    }
    let (data_key_id, sealed) = secret::seal(&mut tx, kit, (id, new.seller_id), None, &signing).await?;
    let row = NewSupplier {
        id,
        seller_id: new.seller_id,
        name: &name,
        url: new.url.trim(),
        status_url: new.status_url.as_deref().map(str::trim),
        currency: currency.as_str(),
        timeout_seconds,
        mapping: &new.mapping,
        data_key_id,
        secret: sealed,
    };
    let supplier = store::insert(&mut tx, row).await?;
    record(&mut tx, kit, actor, &supplier, SupplierEvent::Created, Effects::default()).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(Connected { supplier, made })
}

/// `NOT_FOUND`, `VERSION_CONFLICT`, and what [`create`] refuses. A secret that is replaced counts for a day more.
pub async fn update(kit: &Kit, actor: &Actor, id: SupplierId, edit: ConnectionEdit) -> Outcome<Connected> {
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such supplier").at(["supplierId"]);
    let mut tx = kit.db.begin().await?;
    let before = store::lock(&mut tx, id).await?.filter(|found| actor.sells_for(found.seller_id));
    let mut supplier = before.ok_or_else(missing)?;
    if edit.expected_version.is_some_and(|seen| seen != supplier.version) {
        let text = "somebody edited this connection meanwhile";
        return Err(Refusal::new(ErrorCode::VersionConflict, text).at(["expectedVersion"]).into());
    }
    let was = supplier.state;
    if let Some(name) = edit.name {
        supplier.name = clean(&name, "name", 120, false)?;
    }
    let status_url = edit.status_url.as_ref().and_then(Option::as_deref);
    check_urls(kit, edit.url.as_deref(), status_url)?;
    if let Some(url) = edit.url {
        supplier.url = url.trim().to_owned();
    }
    if let Some(status_url) = edit.status_url {
        supplier.status_url = status_url.map(|url| url.trim().to_owned());
    }
    if let Some(seconds) = edit.timeout_seconds {
        supplier.timeout_seconds = checked_timeout(seconds)?;
    }
    if let Some(mapping) = edit.mapping {
        mapping.check()?;
        supplier.mapping = mapping;
    }
    supplier.state = edit.state.unwrap_or(supplier.state);
    let mut supplier = store::advance(&mut tx, &supplier).await?;
    let mut effects = Effects::default();
    if was == SupplierState::Paused && supplier.state == SupplierState::Active {
        effects.over.push(SupplierPaused::over(id));
    }
    let mut made = None;
    if let Some(new) = edit.secret {
        let signing = match new {
            NewSecret::Made => made.insert(webhook_signature::new_secret()).clone(),
            NewSecret::Given(secret) => secret,
        };
        check_secret(&signing)?;
        let of = (id, supplier.seller_id);
        let (_, sealed) = secret::seal(&mut tx, kit, of, Some(supplier.data_key_id), &signing).await?;
        supplier = store::advance_secret(&mut tx, id, sealed, kit.clock.now() + OVERLAP).await?;
        let rotated = OfSupplier { name: supplier.name.clone(), version: supplier.version };
        let event = SupplierEvent::SecretRotated(id, rotated);
        effects.events.push(event.by(actor.label()).of_seller(supplier.seller_id));
    }
    record(&mut tx, kit, actor, &supplier, SupplierEvent::Updated, effects).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(Connected { supplier, made })
}

/// Asks the supplier about a purchase that there never was: it must answer, and believe our signature. `NOT_FOUND`,
/// `INVALID` for one that cannot be asked, `URL_UNREACHABLE`, `SUPPLIER_REFUSED`. Returns the status of its answer.
pub async fn test(kit: &Kit, actor: &Actor, id: SupplierId) -> Outcome<(Supplier, u16)> {
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such supplier").at(["supplierId"]);
    let mut conn = kit.db.conn().await?;
    let found = read::find(&mut conn, id).await?.filter(|found| actor.sells_for(found.seller_id));
    let supplier = found.ok_or_else(missing)?;
    let secrets = secret::opened(&mut conn, kit, &supplier).await?;
    drop(conn);
    match call::test(kit, &supplier, &secrets).await {
        None => {
            let text = "without a status address there is nothing to ask";
            Err(Refusal::new(ErrorCode::Invalid, text).at(["supplierId"]).into())
        }
        Some(Tested::Answers(status)) => Ok((supplier, status)),
        Some(Tested::Refuses(status)) => {
            let text = format!("the supplier answered with status {status}");
            Err(Refusal::new(ErrorCode::SupplierRefused, text).into())
        }
        Some(Tested::Silent(why)) => {
            let why: String = why.chars().take(300).collect();
            let text = format!("the supplier does not answer: {why}");
            Err(Refusal::new(ErrorCode::UrlUnreachable, text).into())
        }
    }
}

async fn record(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    supplier: &Supplier,
    made: fn(SupplierId, OfSupplier) -> SupplierEvent,
    mut effects: Effects,
) -> Result<(), Fault> {
    let body = OfSupplier { name: supplier.name.clone(), version: supplier.version };
    effects.events.push(made(supplier.id, body).by(actor.label()).of_seller(supplier.seller_id));
    Ok(effects.write(conn, &kit.clock).await?)
}

fn check_urls(kit: &Kit, url: Option<&str>, status_url: Option<&str>) -> Result<(), Refusal> {
    for (field, url) in [("url", url), ("statusUrl", status_url)] {
        let Some(url) = url.map(str::trim) else { continue };
        if url.len() > 1_000 {
            return Err(Refusal::new(ErrorCode::Invalid, "an address has at most 1,000 bytes").at([field]));
        }
        if field == "statusUrl" && !url.contains(PLACE) {
            let text = format!("a status address contains {PLACE}");
            return Err(Refusal::new(ErrorCode::Invalid, text).at([field]));
        }
        let called = url.replace(PLACE, "x");
        kit.outbound
            .may_call(&called)
            .map_err(|why| Refusal::new(ErrorCode::UrlNotAllowed, why).at([field]))?;
    }
    Ok(())
}

fn check_secret(secret: &Secret) -> Result<(), Refusal> {
    match webhook_signature::key_bytes(secret) {
        Some(_) => Ok(()),
        None => {
            let text = "a signing secret is `whsec_` and 24 to 64 random bytes in base64";
            Err(Refusal::new(ErrorCode::SecretTooWeak, text).at(["signingSecret"]))
        }
    }
}

fn checked_timeout(seconds: i32) -> Result<i32, Refusal> {
    match (1..=30).contains(&seconds) {
        true => Ok(seconds),
        false => Err(Refusal::new(ErrorCode::Invalid, "a call takes 1 to 30 seconds").at(["timeoutSeconds"])),
    }
}
