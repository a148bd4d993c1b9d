//! Ids the world sees: a prefix that names the kind, an underscore, and a UUIDv7 in 26 characters of
//! Crockford's base 32 (the TypeID form). All prefixes are in this one file.

use std::fmt;

use thiserror::Error;
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("this is no id of the expected kind")]
pub struct IdError;

/// `prefix_` and 26 characters.
pub fn encode(prefix: &str, uuid: Uuid) -> String {
    let value = uuid.as_u128();
    let mut text = String::with_capacity(prefix.len() + 27);
    text.push_str(prefix);
    text.push('_');
    for index in (0..26).rev() {
        text.push(ALPHABET[((value >> (index * 5)) & 31) as usize] as char);
    }
    text
}

/// Splits an id of any kind into its prefix and UUID.
pub fn decode(text: &str) -> Result<(&str, Uuid), IdError> {
    let (prefix, digits) = text.rsplit_once('_').ok_or(IdError)?;
    if digits.len() != 26 || digits.as_bytes()[0] > b'7' {
        return Err(IdError);
    }
    let mut value: u128 = 0;
    for byte in digits.bytes() {
        let digit = ALPHABET.iter().position(|a| *a == byte).ok_or(IdError)?;
        value = (value << 5) | digit as u128;
    }
    Ok((prefix, Uuid::from_u128(value)))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// Parses the public form; an id of another kind is refused.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                match decode(text)? {
                    ($prefix, uuid) => Ok(Self(uuid)),
                    _ => Err(IdError),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode($prefix, self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }
    )*

    /// Calls `$go!` with every id type, for the layer that teaches them to the database driver.
    macro_rules! for_each_id {
        ($go:ident) => { $go!($($name),*); };
    }
    pub(crate) use for_each_id;
    };
}

ids! {
    /// A device on which a licence is used.
    ActivationId = "act";
    ApiClientId = "cli";
    BatchId = "bat";
    CaseId = "cas";
    CategoryId = "cat";
    FileId = "fil";
    FileVersionId = "fiv";
    GrantId = "grt";
    /// One event for one endpoint; the receiver knows it by this id.
    HookDeliveryId = "hkd";
    HookEndpointId = "hke";
    /// A file of keys that somebody asked for.
    KeyExportId = "kex";
    KeyId = "key";
    LineId = "lin";
    /// A buyer whose orders are looked at before anything leaves.
    BlockId = "blk";
    LinkId = "lnk";
    MessageId = "msg";
    OrderId = "ord";
    PaymentId = "pay";
    ProductId = "prd";
    /// The recall of a batch of keys.
    RecallId = "rcl";
    RefundId = "ref";
    SecretVersionId = "scv";
    SellerId = "sel";
    /// A sign-in of a person on a device: the family of its refresh tokens.
    SessionId = "ses";
    DisputeId = "dsp";
    DownloadSessionId = "dls";
    StatementRunId = "stm";
    /// An address that no mail is sent to.
    SuppressionId = "msp";
    SupplierId = "sup";
    /// A piece that is bought at a supplier for one unit.
    SupplierPurchaseId = "spu";
    TaskId = "tsk";
    /// One piece sold; the API calls it a delivery.
    UnitId = "dlv";
    UploadId = "upl";
    UserId = "usr";
    VariantId = "var";
}

/// The shop itself, which is also a seller. It owns orders, payments and people.
pub const SHOP: SellerId = SellerId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
