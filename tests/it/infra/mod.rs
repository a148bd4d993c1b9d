mod durable;
mod embedded;
mod events;
mod seal;
