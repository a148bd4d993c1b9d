//! What leaves by age, and what does not.

mod document;
mod months;
mod repeats;
mod requests;
mod rows;
