//! The rows of docs/FAULTS.md that are played by real processes: tables of what goes wrong and what is promised.
//! `dispense check` is run after each row.

mod gateways;
mod hands;
mod inventory;
mod jobs;
mod mails;
mod notices;
mod sockets;
mod stock;
