//! A kind of event that only tests have.

use dispense::base::ids::TaskId;
use dispense::infra::effects::events::{Event, NewEvent};

use super::TestApp;

dispense::record! {
    pub struct Counted {
        n: i64,
        text: String,
    }
}

dispense::event_kinds! {
    pub enum TestEvent {
        /// Happens in tests.
        "test.happened" Happened(TaskId, Counted),
    }
}

pub fn event(t: &TestApp, n: i64) -> NewEvent {
    TestEvent::Happened(TaskId(t.app.clock.uuid()), Counted { n, text: "数 \"x\"".into() }).by("system")
}
