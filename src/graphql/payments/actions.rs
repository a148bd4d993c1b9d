use async_graphql::{Enum, Interface, SimpleObject};

use crate::graphql::context::GraphqlBackend;
use crate::graphql::scalars::{DateTime, Markdown, Url};
use crate::payments::attempts::hosted;
use crate::payments::attempts::start::StartOptions;
use crate::payments::gateways::gateway::{Action, ActionKind};
use crate::payments::model;

/// What a client must be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum PaymentActionKind {
    /// Open an address.
    Redirect,
    /// Show a QR code.
    QrCode,
    /// Post a form from a browser.
    Form,
    /// Call the gateway's own software.
    Sdk,
    /// Show text.
    Instructions,
}

impl From<ActionKind> for PaymentActionKind {
    fn from(kind: ActionKind) -> Self {
        match kind {
            ActionKind::Redirect => Self::Redirect,
            ActionKind::Qr => Self::QrCode,
            ActionKind::Form => Self::Form,
            ActionKind::Sdk => Self::Sdk,
            ActionKind::Instructions => Self::Instructions,
        }
    }
}

impl PaymentActionKind {
    /// The word of the payments feature.
    pub fn word(self) -> &'static str {
        match self {
            Self::Redirect => ActionKind::Redirect,
            Self::QrCode => ActionKind::Qr,
            Self::Form => ActionKind::Form,
            Self::Sdk => ActionKind::Sdk,
            Self::Instructions => ActionKind::Instructions,
        }
        .as_str()
    }
}

/// A name and its value.
#[derive(Clone, Debug, SimpleObject)]
pub struct Attribute {
    /// The name.
    pub key: String,
    /// The value.
    pub value: String,
}

/// What the buyer's client has to do next. `hostedUrl` is a page of ours that performs any action: old clients use it
/// for what they do not know.
#[derive(Interface)]
#[graphql(
    field(name = "kind", ty = "&PaymentActionKind", desc = "What the client must be able to do."),
    field(name = "hosted_url", ty = "&Url", desc = "Our own page that performs the action; always works."),
    field(
        name = "expires_at",
        ty = "&Option<DateTime>",
        desc = "When it cannot be paid any more; null when that is unknown."
    )
)]
pub enum PaymentAction {
    Redirect(RedirectAction),
    QrCode(QrCodeAction),
    Form(FormAction),
    Sdk(SdkAction),
    Instructions(InstructionsAction),
}

/// Open the address in a browser.
#[derive(SimpleObject)]
pub struct RedirectAction {
    /// What the client must be able to do.
    kind: PaymentActionKind,
    /// Our own page that performs the action; always works.
    hosted_url: Url,
    /// When it cannot be paid any more; null when that is unknown.
    expires_at: Option<DateTime>,
    /// Where to send the buyer.
    url: Url,
}

/// Show the code to be scanned.
#[derive(SimpleObject)]
pub struct QrCodeAction {
    /// What the client must be able to do.
    kind: PaymentActionKind,
    /// Our own page that performs the action; always works.
    hosted_url: Url,
    /// When it cannot be paid any more; null when that is unknown.
    expires_at: Option<DateTime>,
    /// The text in the code.
    qr_text: String,
    /// The code as a picture (SVG) of ours.
    image_url: Url,
    /// The text in the code, where it is an address that can be opened on the buyer's own phone; null where it is none.
    open_url: Option<Url>,
}

/// Post the fields from a browser.
#[derive(SimpleObject)]
pub struct FormAction {
    /// What the client must be able to do.
    kind: PaymentActionKind,
    /// Our own page that performs the action; always works.
    hosted_url: Url,
    /// When it cannot be paid any more; null when that is unknown.
    expires_at: Option<DateTime>,
    /// Where to post.
    url: Url,
    /// What to post.
    fields: Vec<Attribute>,
}

/// Call the gateway's own software.
#[derive(SimpleObject)]
pub struct SdkAction {
    /// What the client must be able to do.
    kind: PaymentActionKind,
    /// Our own page that performs the action; always works.
    hosted_url: Url,
    /// When it cannot be paid any more; null when that is unknown.
    expires_at: Option<DateTime>,
    /// Which software, as an open code.
    sdk: String,
    /// What it is called with.
    parameters: Vec<Attribute>,
}

/// Show the text; the buyer does the rest elsewhere.
#[derive(SimpleObject)]
pub struct InstructionsAction {
    /// What the client must be able to do.
    kind: PaymentActionKind,
    /// Our own page that performs the action; always works.
    hosted_url: Url,
    /// When it cannot be paid any more; null when that is unknown.
    expires_at: Option<DateTime>,
    /// What to do.
    instructions: Markdown,
    /// What the buyer gives as the reference.
    reference: String,
}

fn attributes(parameters: serde_json::Value) -> Vec<Attribute> {
    let serde_json::Value::Object(map) = parameters else { return Vec::new() };
    map.into_iter()
        .map(|(key, value)| Attribute {
            key,
            value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        })
        .collect()
}

/// The action of a payment that can still be paid.
pub fn of(backend: &GraphqlBackend, payment: &model::Payment) -> Option<PaymentAction> {
    if !payment.state.is_open() {
        return None;
    }
    let action: Action = serde_json::from_value(payment.action.clone()?).ok()?;
    let hosted_url = Url(hosted::url(&backend.payments, payment.id));
    let options: StartOptions = serde_json::from_value(payment.options.clone()).unwrap_or_default();
    // What the client did not list it never gets: our page does it instead.
    let listed =
        options.accepts.is_empty() || options.accepts.iter().any(|kind| *kind == action.kind().as_str());
    let action = if listed { action } else { Action::Redirect { url: hosted_url.0.clone() } };
    let expires_at: Option<DateTime> = payment.expires_at.map(Into::into);
    Some(match action {
        Action::Redirect { url } => {
            let kind = PaymentActionKind::Redirect;
            PaymentAction::Redirect(RedirectAction { kind, hosted_url, expires_at, url: Url(url) })
        }
        Action::Qr { text } => {
            let kind = PaymentActionKind::QrCode;
            let image_url = Url(hosted::picture_url(&hosted_url.0));
            let open_url = url::Url::parse(&text).is_ok().then(|| Url(text.clone()));
            PaymentAction::QrCode(QrCodeAction {
                kind,
                hosted_url,
                expires_at,
                qr_text: text,
                image_url,
                open_url,
            })
        }
        Action::Form { url, fields } => {
            let fields = fields.into_iter().map(|(key, value)| Attribute { key, value }).collect();
            let kind = PaymentActionKind::Form;
            PaymentAction::Form(FormAction { kind, hosted_url, expires_at, url: Url(url), fields })
        }
        Action::Sdk { name, parameters } => PaymentAction::Sdk(SdkAction {
            kind: PaymentActionKind::Sdk,
            hosted_url,
            expires_at,
            sdk: name,
            parameters: attributes(parameters),
        }),
        Action::Instructions { text } => PaymentAction::Instructions(InstructionsAction {
            kind: PaymentActionKind::Instructions,
            hosted_url,
            expires_at,
            instructions: Markdown(text),
            reference: payment.gateway_number.clone().unwrap_or_default(),
        }),
    })
}
