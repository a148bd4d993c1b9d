//! Small records of ids, numbers and codes that are stored as JSON: the bodies of events and the payloads of jobs. Each
//! field has one form in the database, one for the world outside, and a description for the documentation.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::base::ids;
use crate::base::money::Currency;

/// What may be a field of a record.
pub trait Field: Sized {
    /// How the documentation calls its public form.
    fn form() -> String;

    fn stored(&self) -> Value;

    /// Reads the stored form; earlier programs stored some ids in their public form.
    fn read(value: Option<&Value>) -> Option<Self>;

    /// The public form: ids with their prefix.
    fn public(&self) -> Value {
        self.stored()
    }
}

/// A field with its name, its form and what it is, for the documentation.
#[derive(Clone, Copy, Debug)]
pub struct FieldDoc {
    pub name: &'static str,
    pub form: fn() -> String,
    pub doc: &'static str,
}

/// Fields under their names. Made by [`record!`].
pub trait Record: Sized {
    const FIELDS: &'static [FieldDoc];

    fn stored(&self) -> Value;

    /// None: a field is missing or is not what it should be.
    fn read(value: &Value) -> Option<Self>;

    fn public(&self) -> Value;
}

/// Declares records: structs of public fields with [`Record`] implemented.
#[macro_export]
macro_rules! record {
    ($($(#[doc = $doc:literal])* pub struct $name:ident {
        $($(#[doc = $field_doc:literal])* $field:ident: $kind:ty,)*
    })*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $($(#[doc = $field_doc])* pub $field: $kind,)* }

        impl $crate::infra::effects::record::Record for $name {
            const FIELDS: &'static [$crate::infra::effects::record::FieldDoc] = &[$(
                $crate::infra::effects::record::FieldDoc {
                    name: stringify!($field),
                    form: <$kind as $crate::infra::effects::record::Field>::form,
                    doc: concat!($($field_doc),*),
                },
            )*];

            fn stored(&self) -> serde_json::Value {
                let fields: Vec<(String, serde_json::Value)> = vec![$((
                    stringify!($field).to_owned(),
                    $crate::infra::effects::record::Field::stored(&self.$field),
                ),)*];
                serde_json::Value::Object(fields.into_iter().collect())
            }

            fn read(value: &serde_json::Value) -> Option<Self> {
                let _ = value;
                Some(Self { $($field: $crate::infra::effects::record::Field::read(value.get(stringify!($field)))?,)* })
            }

            fn public(&self) -> serde_json::Value {
                let fields: Vec<(String, serde_json::Value)> = vec![$((
                    stringify!($field).to_owned(),
                    $crate::infra::effects::record::Field::public(&self.$field),
                ),)*];
                serde_json::Value::Object(fields.into_iter().collect())
            }
        }
    )*};
}
pub use crate::record;

record! {
    /// Nothing beside the object.
    pub struct Nothing {}
}

macro_rules! plain {
    ($($kind:ty, $form:literal, $value:ident => $read:expr;)*) => {$(
        impl Field for $kind {
            fn form() -> String {
                $form.into()
            }

            fn stored(&self) -> Value {
                json!(self)
            }

            fn read(value: Option<&Value>) -> Option<Self> {
                let $value = value?;
                $read
            }
        }
    )*};
}

plain! {
    String, "text", value => value.as_str().map(str::to_owned);
    i64, "integer", value => value.as_i64();
    i32, "integer", value => value.as_i64().and_then(|n| n.try_into().ok());
    usize, "integer", value => value.as_u64().and_then(|n| n.try_into().ok());
    bool, "true or false", value => value.as_bool();
}

/// Of something that the world outside never names.
impl Field for Uuid {
    fn form() -> String {
        "UUID".into()
    }

    fn stored(&self) -> Value {
        json!(self)
    }

    fn read(value: Option<&Value>) -> Option<Self> {
        value?.as_str()?.parse().ok()
    }
}

impl Field for Currency {
    fn form() -> String {
        "currency code".into()
    }

    fn stored(&self) -> Value {
        json!(self.as_str())
    }

    fn read(value: Option<&Value>) -> Option<Self> {
        Self::parse(value?.as_str()?).ok()
    }
}

impl Field for DateTime<Utc> {
    fn form() -> String {
        "time (RFC 3339, UTC)".into()
    }

    fn stored(&self) -> Value {
        json!(self.to_rfc3339_opts(SecondsFormat::Micros, true))
    }

    fn read(value: Option<&Value>) -> Option<Self> {
        DateTime::parse_from_rfc3339(value?.as_str()?).ok().map(|at| at.to_utc())
    }
}

impl<T: Field> Field for Option<T> {
    fn form() -> String {
        format!("{}, or null", T::form())
    }

    fn stored(&self) -> Value {
        self.as_ref().map_or(Value::Null, Field::stored)
    }

    fn read(value: Option<&Value>) -> Option<Self> {
        match value {
            None | Some(Value::Null) => Some(None),
            Some(value) => T::read(Some(value)).map(Some),
        }
    }

    fn public(&self) -> Value {
        self.as_ref().map_or(Value::Null, Field::public)
    }
}

impl<T: Field> Field for Vec<T> {
    fn form() -> String {
        format!("list of: {}", T::form())
    }

    fn stored(&self) -> Value {
        self.iter().map(Field::stored).collect()
    }

    fn read(value: Option<&Value>) -> Option<Self> {
        value?.as_array()?.iter().map(|item| T::read(Some(item))).collect()
    }

    fn public(&self) -> Value {
        self.iter().map(Field::public).collect()
    }
}

/// An id of the world's objects: stored as a UUID, public with its prefix.
pub trait PublicId: Copy {
    const PREFIX: &'static str;
    fn uuid(self) -> Uuid;
    fn from_uuid(uuid: Uuid) -> Self;
}

macro_rules! id_fields {
    ($($name:ident),*) => {$(
        impl PublicId for ids::$name {
            const PREFIX: &'static str = ids::$name::PREFIX;

            fn uuid(self) -> Uuid {
                self.0
            }

            fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl Field for ids::$name {
            fn form() -> String {
                format!("id `{}_…`", ids::$name::PREFIX)
            }

            fn stored(&self) -> Value {
                json!(self.0)
            }

            fn read(value: Option<&Value>) -> Option<Self> {
                let text = value?.as_str()?;
                text.parse().ok().map(Self).or_else(|| Self::parse(text).ok())
            }

            fn public(&self) -> Value {
                json!(self.to_string())
            }
        }
    )*};
}
ids::for_each_id!(id_fields);
