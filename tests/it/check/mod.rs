mod asked;
mod attempts;
mod clean;
mod goods;
pub mod planted;
mod records;
mod statements;
