use dispense::vault::state::{BatchChange, BatchState, KeyChange, KeyState};
use regex::Regex;

use crate::architecture::sources;

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

#[test]
fn statements_take_the_moves_of_keys_from_the_machine() {
    let written =
        Regex::new(r"(?s)update\s+vault_key\s+(?:k\s+)?set\s+state = (?:case [^,]*)?'[a-z]+'").unwrap();
    for source in sources().iter().filter(|source| source.name.starts_with("vault/")) {
        let found: Vec<_> = written.find_iter(&source.code()).map(|m| m.as_str().to_owned()).collect();
        assert!(found.is_empty(), "{}: {found:?}", source.name);
    }
    assert!(written.is_match("update vault_key k set state = 'sold' from"), "a planted one is found");
    let case = "update vault_key k set state = case when s.unseen then 'available' else 'voided' end,";
    assert!(written.is_match(case), "and one of several");
}
