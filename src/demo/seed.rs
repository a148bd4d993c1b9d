//! Puts the demo shop's goods on sale, through the same actions that sellers use.

use bytes::Bytes;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{ProductId, SHOP, VariantId};
use crate::base::outcome::{Failure, Fault, Outcome};
use crate::catalogue::intake;
use crate::catalogue::prices::PriceInput;
use crate::catalogue::product::{self, NewProduct};
use crate::catalogue::review;
use crate::catalogue::texts::TextInput;
use crate::catalogue::variant::{self, VariantEdit};
use crate::demo::bundle;
use crate::files;
use crate::files::upload;
use crate::files::{NewUpload, NewVersion};
use crate::fulfilment::publish_file::publish_file;
use crate::fulfilment::restock;
use crate::goods;
use crate::infra::kit::Kit;
use crate::vault::batch::NewBatch;

/// Slugs of three products.
pub const KEY_PRODUCT: &str = "stargazer-pro";
pub const FILE_PRODUCT: &str = "night-sky-guide";
pub const FREE_PRODUCT: &str = "moon-calendar";

/// The files that are sold and given away.
pub const GUIDE: &[u8] = include_bytes!("goods/guide.txt");
const CALENDAR: &[u8] = include_bytes!("goods/calendar.txt");

const KEYS: i64 = 200;

pub(super) struct Good {
    pub slug: &'static str,
    pub kind: &'static str,
    pub tags: &'static [&'static str],
    pub texts: [(&'static str, &'static str, &'static str, &'static str); 2],
    pub variant: [(&'static str, &'static str); 2],
    pub prices: &'static [(&'static str, &'static str)],
    pub file: Option<(&'static str, &'static [u8])>,
}

const GOODS: [Good; 3] = [
    Good {
        slug: KEY_PRODUCT,
        kind: goods::KEY,
        tags: &["software", "astronomy"],
        texts: [
            (
                "en",
                "Stargazer Pro",
                "A licence key for the telescope software.",
                "One key for one person, on **three** devices. It is yours the moment you have paid.",
            ),
            (
                "zh",
                "观星者专业版",
                "望远镜软件的许可证密钥。",
                "一人一密钥，可用于**三**台设备。付款后立即交付。",
            ),
        ],
        variant: [("en", "Personal"), ("zh", "个人版")],
        prices: &[("USD", "19.00"), ("EUR", "18.00"), ("CNY", "128.00")],
        file: None,
    },
    Good {
        slug: FILE_PRODUCT,
        kind: goods::FILE,
        tags: &["book", "astronomy"],
        texts: [
            (
                "en",
                "The Little Guide to Night Skies",
                "A short guide to download.",
                "Four pieces of advice for a clear night. Downloads can be resumed.",
            ),
            ("zh", "夜空小指南", "可下载的短篇指南。", "晴夜观星的四条建议。支持断点续传。"),
        ],
        variant: [("en", "Text"), ("zh", "文本")],
        prices: &[("USD", "4.50"), ("EUR", "4.00"), ("CNY", "30.00")],
        file: Some(("night-sky-guide.txt", GUIDE)),
    },
    Good {
        slug: FREE_PRODUCT,
        kind: goods::FILE,
        tags: &["free", "astronomy"],
        texts: [
            (
                "en",
                "Moon Calendar",
                "Costs nothing.",
                "What costs nothing goes the same way as what is paid for.",
            ),
            ("zh", "月历", "免费。", "免费商品与付费商品走同一流程。"),
        ],
        variant: [("en", "Text"), ("zh", "文本")],
        prices: &[("USD", "0.00"), ("EUR", "0.00"), ("CNY", "0.00")],
        file: Some(("moon-calendar.txt", CALENDAR)),
    },
];

/// Makes what is not there yet; a second call changes nothing. Answers how many products it made.
pub async fn seed(kit: &Kit) -> Result<usize, Fault> {
    let mut made = 0;
    for good in &GOODS {
        made += usize::from(put(kit, good).await.map_err(|failure| of_seed(good.slug, failure))?);
    }
    made += usize::from(bundle::put(kit).await.map_err(|failure| of_seed("bundle of goods", failure))?);
    Ok(made)
}

fn of_seed(what: &str, failure: Failure) -> Fault {
    match failure {
        Failure::Refused(refusal) => {
            Fault::bug(format!("the demo shop's `{what}`: {} ({})", refusal.message, refusal.code))
        }
        Failure::Fault(fault) => fault,
    }
}

/// Whether the product was made. One whose making was interrupted stays a draft and is left to its seller.
async fn put(kit: &Kit, good: &Good) -> Outcome<bool> {
    let actor = Actor::system();
    let Some((product, variant)) = draft(kit, &actor, good).await? else { return Ok(false) };
    match good.file {
        Some((name, bytes)) => publish(kit, &actor, variant, name, bytes).await?,
        None => {
            let batch = intake::open_batch(kit, &actor, NewBatch::generate(variant, KEYS, None)).await?;
            restock::generate(kit, &actor, batch.id).await?;
        }
    }
    show(kit, &actor, product).await?;
    Ok(true)
}

/// A product with its variant, without goods; none when it was made before.
pub(super) async fn draft(kit: &Kit, actor: &Actor, good: &Good) -> Outcome<Option<(ProductId, VariantId)>> {
    let new = NewProduct {
        seller_id: SHOP,
        slug: good.slug.into(),
        default_locale: Some("en".into()),
        tags: good.tags.iter().map(|t| (*t).into()).collect(),
        texts: good
            .texts
            .iter()
            .map(|(locale, name, summary, description)| TextInput {
                locale: (*locale).into(),
                name: Some((*name).into()),
                summary: Some((*summary).into()),
                description: Some((*description).into()),
            })
            .collect(),
    };
    let product = match product::create(kit, actor, new).await {
        Ok(product) => product.id,
        Err(Failure::Refused(refusal)) if refusal.code == ErrorCode::SlugTaken => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let variant = make_variant(kit, actor, product, good).await?;
    Ok(Some((product, variant)))
}

/// Puts a draft on sale.
pub(super) async fn show(kit: &Kit, actor: &Actor, product: ProductId) -> Outcome<()> {
    review::submit(kit, actor, product).await?;
    review::approve(kit, actor, product, None).await?;
    Ok(())
}

async fn make_variant(kit: &Kit, actor: &Actor, product: ProductId, good: &Good) -> Outcome<VariantId> {
    let sold = |currency: &str| kit.config.shop.currencies.iter().any(|c| c == currency);
    let new = VariantEdit {
        kind: Some(good.kind.into()),
        texts: good.variant.iter().map(|(locale, name)| TextInput::named(locale, name)).collect(),
        prices: Some(
            good.prices
                .iter()
                .filter(|(currency, _)| sold(currency))
                .map(|(currency, unit)| PriceInput::plain(currency, unit))
                .collect(),
        ),
        sku: Some(Some(good.slug.to_uppercase())),
        ..Default::default()
    };
    Ok(variant::create(kit, actor, product, new).await?.id)
}

async fn publish(
    kit: &Kit,
    actor: &Actor,
    variant_id: VariantId,
    name: &str,
    bytes: &'static [u8],
) -> Outcome<()> {
    let new = NewUpload {
        seller_id: SHOP,
        name: name.into(),
        content_type: Some("text/plain".into()),
        size: bytes.len() as u64,
    };
    let announced = files::create_upload(kit, actor, new).await?;
    let body = futures::stream::iter([Ok::<_, std::convert::Infallible>(Bytes::from_static(bytes))]);
    let upload = upload::receive_upload(kit, actor, announced.id, body).await?;
    let version = NewVersion {
        variant_id,
        upload_id: upload.id,
        file_id: None,
        name: None,
        version: "1.0".into(),
        notes: None,
    };
    publish_file(kit, actor, version).await?;
    Ok(())
}
