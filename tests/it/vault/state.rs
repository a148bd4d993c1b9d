use dispense::vault::state::{BatchChange, BatchState, KeyChange, KeyState};

/// Rows: K5.
#[test]
fn the_life_of_a_key_is_this_table() {
    let mut grid = String::new();
    for state in KeyState::ALL {
        for change in KeyChange::ALL {
            let to = state.after(change).map_or("-".into(), |to| format!("{to:?}"));
            grid += &format!("{state:?} + {change:?} = {to}\n");
        }
    }
    insta::assert_snapshot!(grid);
}

/// Rows: K2.
#[test]
fn the_life_of_a_batch_is_this_table() {
    let mut grid = String::new();
    for state in BatchState::ALL {
        for change in BatchChange::ALL {
            let to = state.after(change).map_or("-".into(), |to| format!("{to:?}"));
            grid += &format!("{state:?} + {change:?} = {to}\n");
        }
    }
    insta::assert_snapshot!(grid);
}

/// Rows: K5.
#[test]
fn states_read_back_from_their_text() {
    assert!(KeyState::ALL.into_iter().all(|s| KeyState::parse(s.as_str()) == Some(s)));
    assert!(BatchState::ALL.into_iter().all(|s| BatchState::parse(s.as_str()) == Some(s)));
    assert_eq!(KeyState::parse("stolen"), None);
}
