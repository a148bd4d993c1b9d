use std::collections::BTreeMap;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};

/// Rewritten by `UPDATE_SCHEMA=1`.
#[test]
fn schema_graphql_is_what_the_program_prints() {
    let printed = dispense::graphql::sdl();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write("schema.graphql", &printed).unwrap();
    }
    let kept = std::fs::read_to_string("schema.graphql").unwrap_or_default();
    assert!(kept == printed, "schema.graphql is stale: run with UPDATE_SCHEMA=1");
}

#[test]
fn every_type_field_and_argument_is_described() {
    let document = parse_schema(dispense::graphql::sdl()).unwrap();
    let mut bare = Vec::new();
    for definition in document.definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let definition = definition.node;
        let name = definition.name.node.as_str();
        if definition.description.is_none() {
            bare.push(name.to_owned());
        }
        let fields = match &definition.kind {
            TypeKind::Object(object) => &object.fields,
            TypeKind::Interface(interface) => &interface.fields,
            TypeKind::InputObject(input) => {
                for field in input.fields.iter().filter(|f| f.node.description.is_none()) {
                    bare.push(format!("{name}.{}", field.node.name.node));
                }
                continue;
            }
            TypeKind::Enum(values) => {
                for value in values.values.iter().filter(|v| v.node.description.is_none()) {
                    bare.push(format!("{name}.{}", value.node.value.node));
                }
                continue;
            }
            _ => continue,
        };
        for field in fields {
            let field = &field.node;
            if field.description.is_none() {
                bare.push(format!("{name}.{}", field.name.node));
            }
            for argument in field.arguments.iter().filter(|a| a.node.description.is_none()) {
                bare.push(format!("{name}.{}({})", field.name.node, argument.node.name.node));
            }
        }
    }
    assert!(bare.is_empty(), "without a description: {bare:#?}");
}

#[test]
fn members_of_an_interface_agree_on_the_type_of_every_field_name_they_share() {
    let document = parse_schema(dispense::graphql::sdl()).unwrap();
    let mut fields: BTreeMap<(String, String), (String, String)> = BTreeMap::new();
    for definition in document.definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let TypeKind::Object(object) = definition.node.kind else { continue };
        for interface in object.implements.iter().filter(|i| i.node != "Node") {
            for field in &object.fields {
                // Lists of errors are of one group's type, so nobody asks for `code` on the interface's members at once.
                if interface.node == "UserError" && field.node.name.node == "code" {
                    continue;
                }
                let key = (interface.node.to_string(), field.node.name.node.to_string());
                let own = (definition.node.name.node.to_string(), field.node.ty.node.to_string());
                let first = fields.entry(key.clone()).or_insert_with(|| own.clone());
                assert_eq!(first.1, own.1, "{key:?} in {} and {}", first.0, own.0);
            }
        }
    }
}

/// `Int` has 32 bits by the specification; nothing larger may be declared as one.
#[test]
fn no_float_stands_in_the_schema() {
    assert!(!dispense::graphql::sdl().contains("Float"), "money and sizes are strings, never Float");
}
