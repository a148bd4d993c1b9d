//! Payments: gateways and their accounts, notices in, money out.

pub mod accounts;
pub mod gateway;
pub mod gateways;
pub mod vectors;
