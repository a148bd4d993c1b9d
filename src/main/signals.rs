//! What the operating system signals to the program.

use std::future::Future;
use std::io::{IsTerminal, stdin};

use dispense::base::outcome::Fault;
use tokio::signal::unix::{Signal, SignalKind, signal};

fn listen(kind: SignalKind) -> Result<Signal, Fault> {
    signal(kind).map_err(|e| Fault::setup(format!("cannot listen for signals: {e}")))
}

/// Done at the first SIGTERM or SIGINT, or when the terminal it was started on is gone. Listened for from the start, so
/// that one that comes early is not lost.
pub fn stop() -> Result<impl Future<Output = ()> + Send, Fault> {
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let mut hangup = hangup()?;
    let on_terminal = stdin().is_terminal();
    Ok(async move {
        let deserted = async {
            while hangup.recv().await.is_some() {
                if on_terminal && !stdin().is_terminal() {
                    return;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = deserted => {}
        }
    })
}

/// SIGHUP, which asks for the configuration to be read again.
pub fn hangup() -> Result<Signal, Fault> {
    listen(SignalKind::hangup())
}
