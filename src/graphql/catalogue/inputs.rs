use async_graphql::{Enum, ID, InputObject, MaybeUndefined, SimpleObject};

use crate::base::ids::VariantId;
use crate::catalogue::bundles::PartInput;
use crate::catalogue::model;
use crate::catalogue::prices;
use crate::catalogue::texts;
use crate::catalogue::variant::VariantEdit;
use crate::graphql::catalogue::types::{Product, Variant};
use crate::graphql::scalars::{CurrencyCode, DateTime, Decimal, LocaleTag, Markdown};
use crate::graphql::user_error::CatalogueError;
use crate::vault::KeyFormat;

/// Texts in one language. What is left out stays as it is.
#[derive(InputObject)]
pub struct TextInput {
    /// Which language.
    locale: LocaleTag,
    /// What it is called.
    name: Option<String>,
    /// A sentence or two; empty takes it away.
    summary: Option<String>,
    /// The whole description; empty removes it.
    description: Option<Markdown>,
}

/// The texts of an input.
pub fn texts(inputs: Option<Vec<TextInput>>) -> Vec<texts::TextInput> {
    let read = |input: TextInput| texts::TextInput {
        locale: input.locale.0,
        name: input.name,
        summary: input.summary,
        description: input.description.map(|d| d.0),
    };
    inputs.unwrap_or_default().into_iter().map(read).collect()
}

/// A price of one unit.
#[derive(InputObject)]
pub struct PriceInput {
    /// In which currency.
    currency: CurrencyCode,
    /// From this quantity on; 1 is the plain price.
    #[graphql(default = 1)]
    min_quantity: i32,
    /// What each unit costs.
    unit: Decimal,
    /// From when on; at once when left out.
    valid_from: Option<DateTime>,
    /// Until when; for ever when left out.
    valid_to: Option<DateTime>,
}

/// How precisely buyers see the stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::StockDisplay")]
pub enum StockDisplay {
    /// The number, up to 1,000.
    Exact,
    /// That little is left.
    Low,
    /// In or out, nothing else.
    InOut,
}

/// What the mail of a delivery carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::MailPolicy")]
pub enum MailPolicy {
    /// The key itself.
    Key,
    /// Only the way to it.
    Link,
}

/// How generated keys look.
#[derive(InputObject)]
pub struct KeyFormatInput {
    /// Precedes the first group, `VC-` for instance.
    #[graphql(default)]
    prefix: String,
    /// 10 to 62 different letters and digits; by default 27 that are not taken for each other.
    alphabet: Option<String>,
    /// How many groups.
    #[graphql(default = 4)]
    groups: i32,
    /// Characters of a group.
    #[graphql(default = 5)]
    group_length: i32,
    /// Whether the last character is computed from the others, so that typing mistakes are noticed.
    #[graphql(default)]
    check: bool,
    /// Whether each key is a signed text instead, which says itself what it is good for, so that software believes it without
    /// asking: a JSON Web Signature by a key of `GET /licences/public-keys`. The other members are left out then.
    #[graphql(default)]
    signed: bool,
}

impl From<KeyFormatInput> for KeyFormat {
    fn from(input: KeyFormatInput) -> Self {
        let byte = |n: i32| u8::try_from(n).unwrap_or(u8::MAX);
        Self {
            prefix: input.prefix,
            alphabet: input.alphabet.unwrap_or_else(|| KeyFormat::default().alphabet),
            groups: byte(input.groups),
            group_length: byte(input.group_length),
            check: input.check,
            signed: input.signed,
        }
    }
}

/// The fields of a variant. What is left out stays as it is; null takes a value away.
#[derive(InputObject)]
pub struct VariantFields {
    /// Names in several languages.
    texts: Option<Vec<TextInput>>,
    /// All prices together; they replace those before.
    prices: Option<Vec<PriceInput>>,
    /// The seller's own number for it.
    sku: MaybeUndefined<String>,
    /// Its place among the product's variants.
    position: Option<i32>,
    /// How precisely buyers see the stock.
    stock_display: Option<StockDisplay>,
    /// At how many left the stock level is low.
    low_stock_threshold: Option<i32>,
    /// How many are bought at least.
    min_quantity: Option<i32>,
    /// How many are bought at once at most.
    max_quantity: MaybeUndefined<i32>,
    /// How many one buyer gets in all.
    limit_per_buyer: MaybeUndefined<i32>,
    /// Whether a line may get some of its units while the others wait.
    partial_delivery: Option<bool>,
    /// What the mail of a delivery carries.
    mail_policy: Option<MailPolicy>,
    /// Whether keys that differ in upper and lower case are the same.
    fold_case: Option<bool>,
    /// How generated keys look.
    key_format: MaybeUndefined<KeyFormatInput>,
    /// How often each file may be downloaded.
    download_limit: MaybeUndefined<i32>,
    /// For how many days.
    access_days: MaybeUndefined<i32>,
    /// Whether later versions of a file belong to the purchase.
    updates_included: Option<bool>,
    /// Whether a download link works only in the network it was made in.
    bind_address: Option<bool>,
    /// For how many days a bad key is replaced.
    warranty_days: MaybeUndefined<i32>,
    /// How often a piece that does not work is replaced at most; null is as often as its seller likes. A recall counts for
    /// nothing.
    replacement_limit: MaybeUndefined<i32>,
    /// Of a shared secret: how many pieces are sold at most.
    sale_cap: MaybeUndefined<i32>,
    /// Of what is bought at suppliers: whether it is sold while none of them answers; true unless it is changed.
    sold_while_down: Option<bool>,
    /// Of keys: whether the seller's own software asks for them at `/licences`, so that each is a licence for devices.
    /// Turned off, it takes the limit away.
    licensing: Option<bool>,
    /// Of licences: on how many devices one is used at once; null is on any number.
    activation_limit: MaybeUndefined<i32>,
    /// Whether a refunded key that nobody saw goes back to stock.
    restock_unseen: Option<bool>,
    /// Of keys: for how many minutes, 1 to 1440, placing an order holds them for it; null: they are taken when it is paid.
    reservation_minutes: MaybeUndefined<i32>,
    /// Of keys: at how many left an alert is given, once until there are more again; null: never.
    low_stock_alert: MaybeUndefined<i32>,
    /// Of keys and shared secrets: when new stock is expected, a time to come; null: unknown. Buyers see it while there is none.
    restock_expected_at: MaybeUndefined<DateTime>,
    /// Of a bundle: all parts together, 1 to 20, with at most 100 pieces; they replace those before. Orders keep theirs.
    parts: Option<Vec<BundlePartInput>>,
}

/// A part of a bundle.
#[derive(InputObject)]
pub struct BundlePartInput {
    /// Which variant of the same seller; no bundle.
    variant_id: ID,
    /// How many pieces of it are in one bundle.
    #[graphql(default = 1)]
    quantity: i32,
}

fn inner<T>(value: MaybeUndefined<T>) -> Option<Option<T>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

impl VariantFields {
    pub fn edit(self, kind: Option<String>, expected_version: Option<i32>) -> VariantEdit {
        let price = |input: PriceInput| prices::PriceInput {
            currency: input.currency.0.to_string(),
            min_quantity: input.min_quantity,
            unit: input.unit.0,
            valid_from: input.valid_from.map(|d| d.0),
            valid_to: input.valid_to.map(|d| d.0),
        };
        // An id that is none of a variant's is treated as that of a variant that does not exist.
        let part = |input: BundlePartInput| PartInput {
            variant_id: VariantId::parse(&input.variant_id).unwrap_or(VariantId(uuid::Uuid::nil())),
            quantity: input.quantity,
        };
        VariantEdit {
            kind,
            texts: texts(self.texts),
            prices: self.prices.map(|list| list.into_iter().map(price).collect()),
            position: self.position,
            sku: inner(self.sku),
            stock_display: self.stock_display.map(Into::into),
            low_stock_threshold: self.low_stock_threshold,
            min_quantity: self.min_quantity,
            max_quantity: inner(self.max_quantity),
            limit_per_buyer: inner(self.limit_per_buyer),
            partial_delivery: self.partial_delivery,
            mail_policy: self.mail_policy.map(Into::into),
            fold_case: self.fold_case,
            key_format: inner(self.key_format).map(|format| format.map(Into::into)),
            download_limit: inner(self.download_limit),
            access_days: inner(self.access_days),
            updates_included: self.updates_included,
            bind_address: self.bind_address,
            warranty_days: inner(self.warranty_days),
            replacement_limit: inner(self.replacement_limit),
            sale_cap: inner(self.sale_cap),
            sold_while_down: self.sold_while_down,
            licensing: self.licensing,
            activation_limit: inner(self.activation_limit),
            restock_unseen: self.restock_unseen,
            reservation_minutes: inner(self.reservation_minutes),
            low_stock_alert: inner(self.low_stock_alert),
            restock_expected_at: inner(self.restock_expected_at).map(|at| at.map(|at| at.0)),
            parts: self.parts.map(|list| list.into_iter().map(part).collect()),
            expected_version,
        }
    }
}

/// Input of `productCreate`.
#[derive(InputObject)]
pub struct ProductCreateInput {
    /// For which seller; by default the caller's own.
    pub seller_id: Option<ID>,
    /// Part of web addresses: lower-case letters, digits, single hyphens.
    pub slug: String,
    /// The language texts fall back to; by default the shop's own.
    pub default_locale: Option<LocaleTag>,
    /// Words to find it by; at most 20.
    pub tags: Option<Vec<String>>,
    /// Names and descriptions.
    pub texts: Option<Vec<TextInput>>,
}

/// Input of `productUpdate`. What is left out stays as it is.
#[derive(InputObject)]
pub struct ProductUpdateInput {
    /// Which product.
    pub product_id: ID,
    /// The version the editor saw; another one is a `VERSION_CONFLICT`.
    pub expected_version: Option<i32>,
    /// Part of web addresses.
    pub slug: Option<String>,
    /// The language texts fall back to.
    pub default_locale: Option<LocaleTag>,
    /// All words to find it by.
    pub tags: Option<Vec<String>>,
    /// Names and descriptions that change.
    pub texts: Option<Vec<TextInput>>,
}

/// Input of `productSubmit`.
#[derive(InputObject)]
pub struct ProductSubmitInput {
    /// Which product.
    pub product_id: ID,
}

/// Input of `productApprove`.
#[derive(InputObject)]
pub struct ProductApproveInput {
    /// Which product.
    pub product_id: ID,
    /// The version the reviewer saw; another one is a `VERSION_CONFLICT`.
    pub expected_version: Option<i32>,
}

/// Input of `productReject`.
#[derive(InputObject)]
pub struct ProductRejectInput {
    /// Which product.
    pub product_id: ID,
    /// What the seller has to mend.
    pub reason: String,
}

/// Input of `productRetire`.
#[derive(InputObject)]
pub struct ProductRetireInput {
    /// Which product.
    pub product_id: ID,
}

/// Input of `productPause`.
#[derive(InputObject)]
pub struct ProductPauseInput {
    /// Which product.
    pub product_id: ID,
    /// Why, for buyers to read; at most 500 characters.
    pub reason: String,
}

/// Input of `productResume`.
#[derive(InputObject)]
pub struct ProductResumeInput {
    /// Which product.
    pub product_id: ID,
}

/// Payload of the mutations of a product.
#[derive(Default, SimpleObject)]
pub struct ProductPayload {
    /// The product as it is now.
    pub product: Option<Product>,
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<CatalogueError>,
}

/// Input of `variantCreate`.
#[derive(InputObject)]
pub struct VariantCreateInput {
    /// Of which product.
    pub product_id: ID,
    /// What is delivered: `key`, `file`, `secret`, `manual`, `supplier`, `bundle`.
    pub kind: String,
    /// Its fields.
    pub fields: Option<VariantFields>,
}

/// Input of `variantUpdate`.
#[derive(InputObject)]
pub struct VariantUpdateInput {
    /// Which variant.
    pub variant_id: ID,
    /// The version the editor saw; another one is a `VERSION_CONFLICT`.
    pub expected_version: Option<i32>,
    /// What changes.
    pub fields: VariantFields,
}

/// Input of `variantRetire`.
#[derive(InputObject)]
pub struct VariantRetireInput {
    /// Which variant.
    pub variant_id: ID,
}

/// Payload of the mutations of a variant.
#[derive(Default, SimpleObject)]
pub struct VariantPayload {
    /// The variant as it is now.
    pub variant: Option<Variant>,
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<CatalogueError>,
}
