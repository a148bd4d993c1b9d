mod keys;
mod pay;
