//! Kinds of jobs that only tests have.

use dispense::infra::effects::jobs::Payload;

dispense::payloads! {
    /// Whatever the test's table of reactions does with it.
    "test.job" pub struct Some { n: i32, }
    /// Another one.
    "test.late" pub struct Late {}
    /// Ends well.
    "test.fine" pub struct Fine { n: i32, }
    /// Is refused.
    "test.refused" pub struct Refused {}
    /// Asks to come back later.
    "test.later" pub struct Later {}
    /// Never ends.
    "test.hangs" pub struct Hangs {}
}

dispense::record! {
    /// Returns an error.
    pub struct Fails {}
    /// Panics.
    pub struct Panics {}
}

impl Payload for Fails {
    const KIND: &'static str = "test.fails";
    const ATTEMPTS: i32 = 3;
}

impl Payload for Panics {
    const KIND: &'static str = "test.panics";
    const ATTEMPTS: i32 = 3;
}
