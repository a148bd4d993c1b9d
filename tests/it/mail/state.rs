use dispense::mail::state::{MessageChange, MessageState};

/// Rows: O3.
#[test]
fn the_life_of_a_message_is_this_table() {
    let mut table = String::new();
    for state in MessageState::ALL {
        for change in MessageChange::ALL {
            let after = state.after(change).map_or("–", |s| s.as_str());
            table.push_str(&format!("{:16} {:10} {after}\n", state.as_str(), format!("{change:?}")));
        }
    }
    insta::assert_snapshot!(table);
}
