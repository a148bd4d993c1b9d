use dispense::catalogue::state::{ProductChange, ProductState, VariantChange, VariantState};

/// Rows: C6.
#[test]
fn the_way_of_a_product_is_this_table() {
    let mut grid = String::new();
    for state in ProductState::ALL {
        for change in ProductChange::ALL {
            let to = state.after(change).map_or("-".into(), |to| format!("{to:?}"));
            grid += &format!("{state:?} + {change:?} = {to}\n");
        }
    }
    insta::assert_snapshot!(grid);
}

/// Rows: C1.
#[test]
fn the_way_of_a_variant_is_this_table() {
    let mut grid = String::new();
    for state in VariantState::ALL {
        for change in VariantChange::ALL {
            let to = state.after(change).map_or("-".into(), |to| format!("{to:?}"));
            grid += &format!("{state:?} + {change:?} = {to}\n");
        }
    }
    insta::assert_snapshot!(grid);
}

/// Rows: C6.
#[test]
fn states_read_back_from_their_text() {
    assert!(ProductState::ALL.into_iter().all(|s| ProductState::parse(s.as_str()) == Some(s)));
    assert!(VariantState::ALL.into_iter().all(|s| VariantState::parse(s.as_str()) == Some(s)));
}
