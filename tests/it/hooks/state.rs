//! The machine of an event on its way, and who sees which events.

use std::collections::BTreeSet;

use dispense::hooks::state::{HookChange, HookState};
use dispense::infra::effects::events::Audience;
use dispense::kinds::events;

#[test]
fn an_event_on_its_way_moves_only_along_its_machine() {
    let mut grid = String::new();
    for from in HookState::ALL {
        for change in HookChange::ALL {
            let after = from.after(change).map_or("-", HookState::as_str);
            grid.push_str(&format!("{:<16} {:<9?} {after}\n", from.as_str(), change));
        }
        assert_eq!(HookState::parse(from.as_str()), Some(from));
    }
    insta::assert_snapshot!("hook", grid);
}

#[test]
fn what_is_about_people_and_the_shop_itself_is_for_administrators_alone() {
    let words = |audience| -> BTreeSet<&str> {
        events::seen_by(audience).iter().map(|kind| kind.split('.').next().unwrap()).collect()
    };
    let (all, sellers, clients) = (words(Audience::Staff), words(Audience::Seller), words(Audience::Client));
    assert!(clients.is_subset(&sellers) && sellers.is_subset(&all));
    for word in ["user", "session", "api_client", "task", "statement", "shop", "notice", "message"] {
        assert!(all.contains(word) && !sellers.contains(word), "{word}");
    }
    for word in ["supplier", "purchase", "key", "keys", "product", "hook", "stock"] {
        assert!(sellers.contains(word) && !clients.contains(word), "{word}");
    }
    assert!(clients.contains("order") && clients.contains("refund"));
    // `dispense check` goes by the first word.
    for seen in [&sellers, &clients] {
        let whole = all.iter().filter(|word| seen.contains(*word)).count();
        assert_eq!(whole, seen.len());
    }
    for kind in events::seen_by(Audience::Staff) {
        let word = kind.split('.').next().unwrap();
        assert_eq!(events::seen_by(Audience::Seller).contains(kind), sellers.contains(word), "{kind}");
        assert_eq!(events::seen_by(Audience::Client).contains(kind), clients.contains(word), "{kind}");
    }
}
