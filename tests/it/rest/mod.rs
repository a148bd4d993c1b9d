mod keys;
mod pay;
mod resume;
