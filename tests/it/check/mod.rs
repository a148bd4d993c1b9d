mod asked;
mod attempts;
mod buyers;
pub mod clean;
mod goods;
pub mod planted;
mod records;
mod statements;
