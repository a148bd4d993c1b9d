use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Object, SimpleObject};

use crate::catalogue::bundles::BundlePart;
use crate::catalogue::view::VariantView;
use crate::files::model;
use crate::goods;
use crate::graphql::catalogue::types::Variant;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Answer;
use crate::graphql::loaders;
use crate::graphql::scalars::{DateTime, Int64};

/// What is sold. `kind` is an open code: a client that does not know one still shows title and delivery.
#[allow(clippy::duplicated_attributes)] // Of the derive's own.
#[derive(Interface)]
#[graphql(
    field(name = "kind", ty = "String", desc = "Open code of the kind of goods."),
    field(name = "title", ty = "String", desc = "What the kind is called, ready to show."),
    field(name = "delivery", ty = "DeliveryPromise", desc = "What the buyer is promised.")
)]
pub enum Goods {
    KeyGoods(KeyGoods),
    FileGoods(FileGoods),
    SharedSecretGoods(SharedSecretGoods),
    ManualGoods(ManualGoods),
    SupplierGoods(SupplierGoods),
    BundleGoods(BundleGoods),
}

impl Goods {
    pub fn of(view: &Arc<VariantView>) -> Self {
        match goods::supply(&view.variant.kind) {
            Some(goods::Supply::Files) => Goods::FileGoods(FileGoods(view.clone())),
            Some(goods::Supply::Shared) => Goods::SharedSecretGoods(SharedSecretGoods(view.clone())),
            Some(goods::Supply::Person) => Goods::ManualGoods(ManualGoods(view.clone())),
            Some(goods::Supply::Supplier) => Goods::SupplierGoods(SupplierGoods(view.clone())),
            Some(goods::Supply::Parts) => Goods::BundleGoods(BundleGoods(view.clone())),
            Some(goods::Supply::Keys) | None => Goods::KeyGoods(KeyGoods(view.clone())),
        }
    }
}

/// How and when it is delivered.
#[derive(Clone, Debug, SimpleObject)]
pub struct DeliveryPromise {
    /// In the moment of payment, as far as there is stock.
    pub instant: bool,
    /// Within how many seconds; null when that is unknown.
    pub within_seconds: Option<i32>,
    /// Ready to show.
    pub text: String,
}

fn promise(view: &VariantView) -> DeliveryPromise {
    match view.promise() {
        Some(promise) => DeliveryPromise {
            instant: promise.instant,
            within_seconds: promise.within_seconds,
            text: promise.text.into(),
        },
        None => DeliveryPromise { instant: false, within_seconds: None, text: String::new() },
    }
}

fn title(view: &VariantView) -> String {
    goods::find(&view.variant.kind).map(|kind| kind.title(view.locale).to_owned()).unwrap_or_default()
}

/// An object of the interface `Goods`: what all kinds say, and the kind's own fields.
macro_rules! goods {
    ($(#[doc = $doc:literal])* $name:ident { $($own:tt)* }) => {
        $(#[doc = $doc])*
        pub struct $name(Arc<VariantView>);

        $(#[doc = $doc])*
        #[Object]
        impl $name {
            /// Open code of the kind of goods.
            async fn kind(&self) -> String {
                self.0.variant.kind.clone()
            }

            /// What the kind is called, ready to show.
            async fn title(&self) -> String {
                title(&self.0)
            }

            /// What the buyer is promised.
            async fn delivery(&self) -> DeliveryPromise {
                promise(&self.0)
            }

            $($own)*
        }
    };
}

goods! {
    /// A unique secret each: a licence key, a voucher code.
    KeyGoods {
        /// For how many days a bad key is replaced; null when the seller gives no number.
        async fn warranty_days(&self) -> Option<i32> {
            self.0.variant.terms.warranty_days
        }

        /// How often one that does not work is replaced at most; null is as often as its seller likes.
        async fn replacement_limit(&self) -> Option<i32> {
            self.0.variant.terms.replacement_limit
        }

        /// Whether each key is a licence that is activated on devices.
        async fn licensing(&self) -> bool {
            self.0.variant.terms.licensing
        }

        /// On how many devices a licence is used at once; null is on any number, or these keys are no licences.
        async fn activation_limit(&self) -> Option<i32> {
            self.0.variant.terms.activation_limit
        }
    }
}

goods! {
    /// Files to download.
    FileGoods {
        /// The newest version of each file; at most 100.
        async fn files(&self, ctx: &Context<'_>) -> Answer<Vec<FileVersion>> {
            let files = loaders::newest_files(ctx, self.0.variant.id).await?;
            Ok(files.into_iter().map(FileVersion).collect())
        }

        /// Bytes of all of them together.
        async fn total_size(&self, ctx: &Context<'_>) -> Answer<Int64> {
            let files = loaders::newest_files(ctx, self.0.variant.id).await?;
            Ok(Int64(files.iter().map(|f| f.size).sum()))
        }

        /// How often each file may be downloaded; null is as often as one likes.
        async fn download_limit(&self) -> Option<i32> {
            self.0.variant.terms.download_limit
        }

        /// For how many days; null is for ever.
        async fn access_days(&self) -> Option<i32> {
            self.0.variant.terms.access_days
        }

        /// Whether later versions belong to the purchase.
        async fn updates_included(&self) -> bool {
            self.0.variant.terms.updates_included
        }
    }
}

goods! {
    /// One text for everybody who buys it: an account, a password, an address.
    SharedSecretGoods {
        /// Whether later versions belong to the purchase.
        async fn updates_included(&self) -> bool {
            self.0.variant.terms.updates_included
        }

        /// For how many days one that does not work is replaced; null when the seller gives no number.
        async fn warranty_days(&self) -> Option<i32> {
            self.0.variant.terms.warranty_days
        }

        /// How often one that does not work is replaced at most; null is as often as its seller likes.
        async fn replacement_limit(&self) -> Option<i32> {
            self.0.variant.terms.replacement_limit
        }
    }
}

goods! {
    /// What a person makes for each buyer.
    ManualGoods {
        /// For how many days one that does not work is replaced; null when the seller gives no number.
        async fn warranty_days(&self) -> Option<i32> {
            self.0.variant.terms.warranty_days
        }

        /// How often one that does not work is replaced at most; null is as often as its seller likes.
        async fn replacement_limit(&self) -> Option<i32> {
            self.0.variant.terms.replacement_limit
        }
    }
}

goods! {
    /// What is bought at a supplier for each buyer.
    SupplierGoods {
        /// For how many days one that does not work is replaced; null when the seller gives no number.
        async fn warranty_days(&self) -> Option<i32> {
            self.0.variant.terms.warranty_days
        }

        /// How often one that does not work is replaced at most; null is as often as its seller likes.
        async fn replacement_limit(&self) -> Option<i32> {
            self.0.variant.terms.replacement_limit
        }
    }
}

goods! {
    /// Several variants for one price, each delivered by itself.
    BundleGoods {
        /// What it consists of; at most 20. A part that is not on sale, without which the bundle cannot be bought, is shown to its
        /// seller and to staff alone.
        async fn items(&self, ctx: &Context<'_>) -> Answer<Vec<BundleItem>> {
            let item = |part: BundlePart| async move {
                let variant = loaders::variant(ctx, part.variant_id).await?;
                Ok(variant.map(|variant| BundleItem { variant, quantity: part.quantity }))
            };
            let items: Answer<Vec<Option<BundleItem>>> =
                futures::future::try_join_all(self.0.parts.iter().cloned().map(item)).await;
            Ok(items?.into_iter().flatten().collect())
        }
    }
}

/// A part of a bundle.
#[derive(SimpleObject)]
pub struct BundleItem {
    /// Which variant.
    variant: Variant,
    /// How many pieces of it are in one bundle.
    quantity: i32,
}

/// One version of a file that is sold.
#[derive(Clone, Debug)]
pub struct FileVersion(pub model::FileVersion);

/// One version of a file that is sold.
#[Object]
impl FileVersion {
    /// The version's id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The file's name, as it is saved.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The version, as its seller counts.
    async fn version(&self) -> &str {
        &self.0.version
    }

    /// Bytes.
    async fn size(&self) -> Int64 {
        Int64(self.0.size)
    }

    /// SHA-256 of the bytes, in hexadecimal.
    async fn sha256(&self) -> String {
        hex::encode(&self.0.sha256)
    }

    /// The media type it is sent as.
    async fn content_type(&self) -> &str {
        &self.0.content_type
    }

    /// When it could first be downloaded.
    async fn published_at(&self) -> DateTime {
        self.0.published_at.into()
    }

    /// When its seller withdrew it; null while it is offered. Visible to its seller and to staff alone.
    async fn yanked_at(&self, ctx: &Context<'_>) -> Option<DateTime> {
        let inside = ctx.actor().is_staff() || ctx.actor().sells_for(self.0.seller_id);
        self.0.yanked_at.filter(|_| inside).map(Into::into)
    }
}
