mod keys;
mod links;
mod pay;
mod resume;
