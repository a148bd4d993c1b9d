mod addresses;
mod attempts;
mod bounces;
mod dkim;
mod failing;
mod files;
mod state;
mod texts;
