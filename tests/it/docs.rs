//! Documents that are generated from the code. `UPDATE_DOCS=1` writes them anew.

use std::fmt::Write as _;

use dispense::orders::{OrderChange, OrderState, UnitChange, UnitState};
use dispense::payments::disputes::{DisputeChange, DisputeState};
use dispense::payments::statements::state::{RunChange, RunState};
use dispense::payments::{PaymentChange, PaymentState, RefundChange, RefundState};
use dispense::vault::state::{KeyChange, KeyState};

const STATES: &str = "docs/ORDER_STATES.md";

macro_rules! grid {
    ($out:ident, $title:literal, $state:ident, $change:ident) => {{
        writeln!($out, "## {}\n", $title).unwrap();
        write!($out, "| from |").unwrap();
        for change in $change::ALL {
            write!($out, " {change:?} |").unwrap();
        }
        writeln!($out, "\n|---|{}", "---|".repeat($change::ALL.len())).unwrap();
        for state in $state::ALL {
            write!($out, "| `{}` |", state.as_str()).unwrap();
            for change in $change::ALL {
                match state.after(change) {
                    Ok(after) if after == state => write!($out, " = |").unwrap(),
                    Ok(after) => write!($out, " `{}` |", after.as_str()).unwrap(),
                    Err(_) => write!($out, " – |").unwrap(),
                }
            }
            writeln!($out).unwrap();
        }
        writeln!($out).unwrap();
    }};
}

fn states() -> String {
    let mut out = String::from(
        "# States\n\nGenerated from the transition tables in the code (`UPDATE_DOCS=1 cargo test --test it docs`); \
         do not edit.\nA row is the state before, a column what happens, a cell the state after. `=` is a repeat that \
         changes nothing, `–` is refused.\n\n",
    );
    grid!(out, "Order", OrderState, OrderChange);
    grid!(out, "Unit: one piece of an order's line", UnitState, UnitChange);
    grid!(out, "Payment: one attempt to pay", PaymentState, PaymentChange);
    grid!(out, "Refund", RefundState, RefundChange);
    grid!(out, "Dispute", DisputeState, DisputeChange);
    grid!(out, "Statement: one reading of a gateway's day", RunState, RunChange);
    grid!(out, "Key", KeyState, KeyChange);
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

pub fn is_fresh(path: &str, wanted: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == wanted, "{path} is stale: run the test with UPDATE_DOCS=1");
}

#[test]
fn the_document_of_events_is_what_the_code_says() {
    let mut kinds: Vec<&str> = dispense::kinds::events::kinds().map(|kind| kind.kind).collect();
    let all = kinds.len();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), all, "each kind is declared once");
    is_fresh("docs/EVENTS.md", &dispense::kinds::events::documentation());
}

#[test]
fn the_document_of_tasks_is_what_the_code_says() {
    let mut kinds: Vec<&str> = dispense::kinds::tasks::kinds().map(|kind| kind.kind).collect();
    let all = kinds.len();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), all, "each kind is declared once");
    is_fresh("docs/TASKS.md", &dispense::kinds::tasks::documentation());
}

#[test]
fn the_document_of_states_is_what_the_code_says() {
    is_fresh(STATES, &states());
}
