mod address;
mod cors;
mod door;
mod health;
mod limits;
mod openapi;
mod raw;
