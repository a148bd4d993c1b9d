mod keys;
mod links;
mod pay;
