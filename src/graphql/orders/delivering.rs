use async_graphql::{Context, ID, InputObject, Object, OneofObject, SimpleObject};

use crate::base::error_code::ErrorCode;
use crate::base::ids::{GrantId, LineId, OrderId, UnitId};
use crate::base::outcome::Refusal;
use crate::base::page::{self, PageArgs};
use crate::delivery;
use crate::delivery::resend;
use crate::delivery::reveal::{self};
use crate::goods;
use crate::graphql::catalogue::FileVersion;
use crate::graphql::connection::PageInfo;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::orders::delivery::{DownloadGrant, SecretDelivery};
use crate::graphql::orders::line::OrderLine;
use crate::graphql::orders::load::{line_page, load_one};
use crate::graphql::orders::order::Order;
use crate::graphql::orders::reporting::{self, DeliveryReportInput, DeliveryReportPayload};
use crate::graphql::scalars::{DateTime, Url};
use crate::graphql::user_error::DeliveryError;
use crate::orders::access::{self, AccessLevel};
use crate::orders::gifts;
use crate::orders::store;
use crate::orders::unit::Target;
use crate::orders::visits::Visit;

/// Most secrets shown at once.
const MOST: i64 = 500;

/// What is to be shown: exactly one of these.
#[derive(OneofObject)]
pub enum DeliveryTarget {
    /// The pieces of a line that may be shown, in pages; of a bundle those of its parts.
    LineId(ID),
    /// These pieces of one order; at most 500.
    DeliveryIds(Vec<ID>),
}

/// Input of `deliveryReveal`.
#[derive(InputObject)]
pub struct DeliveryRevealInput {
    /// What is to be shown.
    target: DeliveryTarget,
    /// A guest's token.
    access_token: Option<String>,
    /// How many, 1 to 500.
    #[graphql(default = 100)]
    first: Option<i32>,
    /// Start after this row.
    after: Option<String>,
}

/// A secret in the clear: nowhere else than in this payload.
#[derive(SimpleObject)]
pub struct RevealedSecret {
    /// Which piece it belongs to.
    delivery: SecretDelivery,
    /// Its parts; a plain key has one.
    fields: Vec<SecretField>,
    /// The whole of it.
    text: String,
}

/// One part of a secret.
#[derive(SimpleObject)]
pub struct SecretField {
    /// Open code of the part.
    name: String,
    /// What it is called.
    label: String,
    /// The part itself.
    value: String,
}

/// Payload of `deliveryReveal`.
#[derive(Default, SimpleObject)]
pub struct DeliveryRevealPayload {
    /// The secrets.
    secrets: Vec<RevealedSecret>,
    /// Where this page lies.
    page_info: PageInfo,
    /// The line as it is now.
    line: Option<OrderLine>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<DeliveryError>,
}

/// Input of `downloadLinkCreate`.
#[derive(InputObject)]
pub struct DownloadLinkCreateInput {
    /// Which file.
    grant_id: ID,
    /// A guest's token.
    access_token: Option<String>,
    /// Within how many seconds the download begins: 60 to 86,400; by default 600.
    start_within_seconds: Option<i32>,
}

/// A link to download a file.
#[derive(SimpleObject)]
pub struct DownloadLink {
    /// The address.
    url: Url,
    /// Until when the download must have begun.
    start_before: DateTime,
    /// Until when a download that has begun can be resumed.
    resume_until: DateTime,
    /// Whether beginning counts as a download; false while one that was begun can still be resumed.
    counts_on_start: bool,
    /// The file one gets.
    file: FileVersion,
}

/// Payload of `downloadLinkCreate`.
#[derive(Default, SimpleObject)]
pub struct DownloadLinkCreatePayload {
    /// The link; making it counts nothing.
    link: Option<DownloadLink>,
    /// The grant as it is now.
    grant: Option<DownloadGrant>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<DeliveryError>,
}

/// Input of `deliveryResend`.
#[derive(InputObject)]
pub struct DeliveryResendInput {
    /// Which order.
    order_id: ID,
    /// A guest's token.
    access_token: Option<String>,
}

/// Payload of `deliveryResend`.
#[derive(Default, SimpleObject)]
pub struct DeliveryResendPayload {
    /// The order as it is now.
    order: Option<Order>,
    /// When the mail may be asked for again.
    next_allowed_at: Option<DateTime>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<DeliveryError>,
}

/// Seeing, downloading and mailing again what was bought, and telling that it does not work.
#[derive(Default)]
pub struct DeliveryMutation;

fn target(target: &DeliveryTarget) -> Result<Target, Refusal> {
    Ok(match target {
        DeliveryTarget::LineId(line) => Target::Line(id::read(line, "target", LineId::parse)?),
        DeliveryTarget::DeliveryIds(ids) => {
            if ids.is_empty() || ids.len() as i64 > MOST {
                let text = format!("name 1 to {MOST} deliveries");
                return Err(Refusal::new(ErrorCode::Invalid, text).at(["target", "deliveryIds"]));
            }
            let units: Result<_, _> =
                ids.iter().map(|unit| id::read(unit, "target", UnitId::parse)).collect();
            Target::Units(units?)
        }
    })
}

/// Name of the list that a target's secrets are.
fn list_of(target: &DeliveryTarget) -> String {
    match target {
        DeliveryTarget::LineId(line) => format!("reveal {}", line.as_str()),
        DeliveryTarget::DeliveryIds(_) => "reveal".into(),
    }
}

/// What is to be shown, how many, and after which number.
pub fn page_of(
    wanted: &DeliveryTarget,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<(Target, i64, i32), Refusal> {
    let found = target(wanted)?;
    let args = PageArgs::read(&list_of(wanted), first, after, None, None, 100, MOST)?;
    let from = args.from.and_then(|keys| keys.first()?.parse().ok()).unwrap_or(0);
    let size = if matches!(found, Target::Units(_)) { MOST } else { args.size };
    Ok((found, size, from))
}

/// Where a page of secrets lies.
pub fn page_info(
    target: &DeliveryTarget,
    last: Option<i32>,
    has_next: bool,
    after: Option<&str>,
) -> PageInfo {
    PageInfo {
        has_next_page: has_next,
        has_previous_page: after.is_some(),
        start_cursor: None,
        end_cursor: last.map(|no| page::encode(&list_of(target), &[no.to_string()])),
    }
}

/// Secrets with the lines they belong to, and the line that was meant, or the first of these.
pub async fn secrets(
    ctx: &Context<'_>,
    (order, meant): (OrderId, &Target),
    secrets: Vec<reveal::RevealedSecret>,
    access_level: AccessLevel,
) -> Answer<(Vec<RevealedSecret>, Option<OrderLine>)> {
    let wanted = secrets.iter().map(|s| (order, s.unit.line_id)).collect();
    let lines = line_page(ctx, wanted, access_level).await?;
    let line = lines.first().cloned().map(|line| match meant {
        Target::Line(id) => line.or_bundle(*id),
        Target::Units(_) => line,
    });
    let secret = |(secret, line): (reveal::RevealedSecret, OrderLine)| {
        let text = secret.text.expose().to_owned();
        let fields = goods::find(&line.line().line.kind).and_then(|kind| kind.secret(ctx.locale()));
        let fields = fields.map(|(name, label)| SecretField {
            name: name.into(),
            label: label.into(),
            value: text.clone(),
        });
        let fields = fields.into_iter().collect();
        RevealedSecret { delivery: SecretDelivery::of(line, secret.unit), fields, text }
    };
    Ok((secrets.into_iter().zip(lines).map(secret).collect(), line))
}

#[Object]
impl DeliveryMutation {
    /// Shows secrets in the clear and records the first time. A second time shows the same.
    async fn delivery_reveal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be shown.")] input: DeliveryRevealInput,
    ) -> Answer<DeliveryRevealPayload> {
        let after = input.after.as_deref();
        let done = async {
            let (target, size, from) = page_of(&input.target, input.first, after)?;
            let token = input.access_token.as_deref();
            let visit = Visit::of(ctx.caller());
            let shown =
                reveal::reveal(ctx.backend(), ctx.actor(), &target, token, size, from, Some(&visit)).await?;
            Ok((target, shown))
        };
        let (target, revealed) = match split(done.await)? {
            Ok(shown) => shown,
            Err(refusal) => {
                let user_errors = ctx.user_errors(refusal)?;
                return Ok(DeliveryRevealPayload { user_errors, ..DeliveryRevealPayload::default() });
            }
        };
        let (order, last) = (revealed.order.id, revealed.last_unit_no);
        let level = if revealed.is_gift { AccessLevel::Recipient } else { AccessLevel::Buyer };
        let (secrets, line) = secrets(ctx, (order, &target), revealed.secrets, level).await?;
        let line = line.filter(|_| !revealed.is_gift);
        let page_info = page_info(&input.target, last, revealed.has_next, after);
        Ok(DeliveryRevealPayload { secrets, page_info, line, user_errors: Vec::new() })
    }

    /// Gives a link to download a file. Making it counts nothing; the first byte does.
    async fn download_link_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which file.")] input: DownloadLinkCreateInput,
    ) -> Answer<DownloadLinkCreatePayload> {
        let backend = ctx.backend();
        let done = async {
            let grant = id::read(&input.grant_id, "grantId", GrantId::parse)?;
            let missing = || Refusal::new(ErrorCode::NotFound, "there is no such download").at(["grantId"]);
            {
                let mut conn = backend.db.conn().await?;
                let standing = delivery::read::find_standing(&mut conn, grant).await?.ok_or_else(missing)?;
                let order = store::find(&mut conn, standing.order_id).await?.ok_or_else(missing)?;
                match access::access_level(backend, ctx.actor(), &order, input.access_token.as_deref()) {
                    Some(AccessLevel::Recipient) => {}
                    Some(AccessLevel::Buyer) => gifts::refuse_buyer(&mut conn, &order).await?,
                    Some(AccessLevel::Staff)
                        if order.user_id.is_some() && order.user_id == ctx.actor().user_id() =>
                    {
                        gifts::refuse_buyer(&mut conn, &order).await?;
                    }
                    Some(_) => {
                        return Err(Refusal::new(ErrorCode::Forbidden, "only its buyer downloads it").into());
                    }
                    None => return Err(missing().into()),
                }
            }
            let within = input.start_within_seconds.map(i64::from);
            delivery::link::create_download_link(backend, grant, within, Some(ctx.caller().address)).await
        };
        let link = match split(done.await)? {
            Ok(link) => link,
            Err(refusal) => {
                let user_errors = ctx.user_errors(refusal)?;
                return Ok(DownloadLinkCreatePayload { user_errors, ..DownloadLinkCreatePayload::default() });
            }
        };
        let grant = {
            let mut conn = backend.db.conn().await.map_err(crate::graphql::error::fault)?;
            delivery::read::find_standing(&mut conn, link.grant_id)
                .await
                .map_err(|e| crate::graphql::error::fault(e.into()))?
        };
        Ok(DownloadLinkCreatePayload {
            link: Some(DownloadLink {
                url: Url(link.url),
                start_before: link.start_before.into(),
                resume_until: link.resume_until.into(),
                counts_on_start: link.counts_on_start,
                file: FileVersion(link.file),
            }),
            grant: grant.map(DownloadGrant),
            user_errors: Vec::new(),
        })
    }

    /// Mails what was delivered again, to the order's own address.
    async fn delivery_resend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order.")] input: DeliveryResendInput,
    ) -> Answer<DeliveryResendPayload> {
        let done = async {
            let order = id::read(&input.order_id, "orderId", OrderId::parse)?;
            resend::resend(ctx.backend(), ctx.actor(), order, input.access_token.as_deref()).await
        };
        Ok(match split(done.await)? {
            Ok((order, next)) => DeliveryResendPayload {
                order: load_one(ctx, order, AccessLevel::Buyer).await?,
                next_allowed_at: Some(next.into()),
                user_errors: Vec::new(),
            },
            Err(refusal) => DeliveryResendPayload {
                user_errors: ctx.user_errors(refusal)?,
                ..DeliveryResendPayload::default()
            },
        })
    }

    /// Reports that something delivered does not work. A person looks at it; access stays as it is.
    async fn delivery_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What does not work.")] input: DeliveryReportInput,
    ) -> Answer<DeliveryReportPayload> {
        reporting::report(ctx, input).await
    }
}
