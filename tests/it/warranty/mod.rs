//! What buyers get who were sold something bad: replacements, answers to their reports, recalls.

mod cases;
mod limits;
mod money;
mod planted;
mod races;
mod recall;
mod recall_kills;
mod recall_races;
mod replace;
pub mod shop;
mod waiting;
