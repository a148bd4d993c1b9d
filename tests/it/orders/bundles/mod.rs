//! Bundles: made by a seller, bought, delivered part by part, limited, given back.

mod buying;
mod crowds;
mod making;
mod money;
mod rights;
mod shop;
mod supplied;
