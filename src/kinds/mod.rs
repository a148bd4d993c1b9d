//! All kinds of events and tasks, gathered from the features that declare them, in the form that the world outside sees.

pub mod events;
pub mod tasks;

use crate::infra::effects::record::FieldDoc;

/// A cell of documentation: each field with its form and what it is.
fn fields(fields: &[FieldDoc]) -> String {
    let field = |field: &FieldDoc| match field.doc.trim() {
        "" => format!("`{}`: {}", field.name, (field.form)()),
        doc => format!("`{}`: {}. {doc}", field.name, (field.form)()),
    };
    match fields {
        [] => "–".into(),
        fields => fields.iter().map(field).collect::<Vec<_>>().join("<br>"),
    }
}
