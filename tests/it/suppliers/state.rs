//! The machine of a purchase.

use dispense::suppliers::state::{PurchaseChange, PurchaseState};

#[test]
fn a_purchase_moves_only_along_its_machine() {
    let mut grid = String::new();
    for from in PurchaseState::ALL {
        for change in PurchaseChange::ALL {
            let after = from.after(change).map_or("-", PurchaseState::as_str);
            grid.push_str(&format!("{:<12} {:<10?} {after}\n", from.as_str(), change));
        }
    }
    insta::assert_snapshot!("purchase", grid);
    let sent = [PurchaseState::Sending, PurchaseState::Pending, PurchaseState::Unknown];
    for state in sent {
        assert!(state.after(PurchaseChange::Abandon).is_err(), "what may have been bought is never given up");
        assert!(state.after(PurchaseChange::Send).is_err(), "nor sent again without a question");
    }
    for state in PurchaseState::ALL {
        assert_eq!(PurchaseState::parse(state.as_str()), Some(state));
    }
}
