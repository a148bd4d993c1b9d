//! Every operation of the API over HTTP, against a shop that has goods, people and orders in it: what each refuses, and
//! what it does as another operation shows it. `rows.rs` lists the operations with their tests.

mod access;
mod buying;
mod catalogue;
mod delivery;
mod desk;
mod evidence;
mod goods;
mod made;
mod money;
mod passwords;
mod people;
pub mod shop;
