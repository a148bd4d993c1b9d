//! Keys: sealed, taken in, claimed, revealed.

mod claim;
mod fixture;
