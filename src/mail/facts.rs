//! What a mail reports, before it is turned into text. Holds secrets and therefore has no `Debug`.

use chrono::{DateTime, Utc};

use crate::base::ids::LineId;
use crate::base::secret::Secret;
use crate::base::text::Locale;
use crate::delivery::cases::CaseAction;
use crate::goods;

/// How the buyer finds the order again.
pub struct Access {
    pub number: String,
    /// For guests; people with an account sign in.
    pub token: Option<Secret>,
}

pub struct FileLink {
    pub name: String,
    pub url: Secret,
    pub expires_at: DateTime<Utc>,
}

pub struct DeliveredLine {
    pub id: LineId,
    /// Code of the kind of goods.
    pub kind: String,
    pub title: String,
    pub keys: Vec<Secret>,
    pub files: Vec<FileLink>,
    /// Pieces that the order page shows and this mail does not.
    pub on_the_page: usize,
    pub waiting: i64,
}

impl DeliveredLine {
    /// What its texts are called.
    pub fn label(&self, locale: Locale) -> &'static str {
        goods::find(&self.kind).and_then(|kind| kind.secret(locale)).map(|(_, name)| name).unwrap_or_default()
    }
}

/// A mail's content.
pub enum Content {
    OrderDelivered {
        access: Access,
        lines: Vec<DeliveredLine>,
        again: bool,
    },
    /// The goods of a gift, for its recipient: who gets it, who gives it, the giver's words.
    GiftDelivered {
        name: String,
        giver: Option<String>,
        message: Option<String>,
        token: Secret,
        lines: Vec<DeliveredLine>,
        again: bool,
    },
    /// That they went, for its buyer: to whom, and the address masked.
    GiftSent {
        access: Access,
        name: String,
        email: String,
    },
    /// Titles with how many pieces are still to come.
    OrderAwaitingStock {
        access: Access,
        lines: Vec<(String, i64)>,
    },
    /// The same for what only a person of the shop can deliver.
    OrderAwaitingPerson {
        access: Access,
        lines: Vec<(String, i64)>,
    },
    /// What takes the place of pieces that do not work is there.
    DeliveryReplaced {
        access: Access,
        lines: Vec<DeliveredLine>,
    },
    /// It is to come. Titles with how many pieces.
    ReplacementAwaited {
        access: Access,
        lines: Vec<(String, i64)>,
    },
    /// For those who sell the piece: codes and the buyer's words, which hold no key.
    CaseOpened {
        number: String,
        case: String,
        title: String,
        problem: String,
        wish: String,
        text: Option<String>,
    },
    /// What the buyer reported is answered.
    CaseAnswered {
        access: Access,
        title: String,
        action: CaseAction,
        text: String,
    },
    /// `amount` as in `12.50 EUR`.
    RefundMade {
        access: Access,
        amount: String,
    },
    /// A refund that was announced did not reach the buyer.
    RefundFailed {
        access: Access,
        amount: String,
    },
    OrderAccessCode {
        code: Secret,
    },
    /// Proves a guest's address at checkout.
    EmailCode {
        code: Secret,
    },
    ConfirmEmail {
        code: Secret,
    },
    AlreadyRegistered,
    PasswordReset {
        code: Secret,
    },
    PasswordChanged,
    /// For staff: codes and ids only.
    TaskOpened {
        kind: String,
        task: String,
        number: Option<String>,
    },
}
