mod addresses;
mod attempts;
mod files;
mod state;
mod texts;
