//! Places where a test kills the program. Absent from release builds.
//!
//! `DISPENSE_FAULT=settle.t3:2` ends the process with SIGKILL the second time `fault_point!("settle.t3")` is
//! reached: no destructor runs, nothing is flushed, as when the power goes.

#[macro_export]
macro_rules! fault_point {
    ($name:literal) => {
        #[cfg(debug_assertions)]
        $crate::infra::fault_points::reached($name);
    };
}

#[cfg(debug_assertions)]
pub fn reached(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static ARMED: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static HITS: AtomicU32 = AtomicU32::new(0);
    let armed = ARMED.get_or_init(|| {
        let text = std::env::var("DISPENSE_FAULT").ok()?;
        let (name, hit) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), hit.parse().ok()?))
    });
    if let Some((armed, hit)) = armed
        && armed == name
        && HITS.fetch_add(1, Ordering::SeqCst) + 1 == *hit
    {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
    }
}
