mod asked;
mod attempts;
mod buyers;
pub mod clean;
mod goods;
mod hooks;
pub mod planted;
mod records;
mod statements;
