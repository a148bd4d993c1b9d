//! Places where a test kills the program, or stops it. Absent from release builds.
//!
//! `DISPENSE_FAULT=settle.t3:2` ends the process with SIGKILL the second time `fault_point!("settle.t3")` is
//! reached: no destructor runs, nothing is flushed, as when the power goes. With `DISPENSE_FAULT_SIGNAL=STOP` beside it
//! the process is stopped there until SIGCONT, as a machine that was suspended.

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

    use nix::sys::signal::{Signal, kill};

    static ARMED: OnceLock<Option<(String, u32, Signal)>> = OnceLock::new();
    static HITS: AtomicU32 = AtomicU32::new(0);
    let armed = ARMED.get_or_init(|| {
        let text = std::env::var("DISPENSE_FAULT").ok()?;
        let (name, hit) = text.split_once(':').unwrap_or((&text, "1"));
        let stops = std::env::var("DISPENSE_FAULT_SIGNAL").is_ok_and(|signal| signal == "STOP");
        Some((name.to_owned(), hit.parse().ok()?, if stops { Signal::SIGSTOP } else { Signal::SIGKILL }))
    });
    if let Some((armed, hit, signal)) = armed
        && armed == name
        && HITS.fetch_add(1, Ordering::SeqCst) + 1 == *hit
    {
        let _ = kill(nix::unistd::Pid::this(), *signal);
    }
}
