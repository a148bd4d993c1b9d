use std::fmt::Write;

use dispense::people::state::{UserChange, UserState};

/// Rows: C5.
#[test]
fn every_change_of_every_state_of_a_person_is_decided() {
    let mut grid = String::new();
    for state in UserState::ALL {
        for change in UserChange::ALL {
            let after = state.after(change).map_or("-", UserState::as_str);
            writeln!(grid, "{:<10} {change:<10?} {after}", state.as_str()).unwrap();
        }
    }
    insta::assert_snapshot!(grid);
}
