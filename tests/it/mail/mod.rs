mod addresses;
mod attempts;
mod bounces;
mod dkim;
mod files;
mod state;
mod texts;
