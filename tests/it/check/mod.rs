mod asked;
mod attempts;
mod buyers;
mod clean;
mod goods;
pub mod planted;
mod records;
mod statements;
