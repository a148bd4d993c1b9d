mod durable;
mod embedded;
mod events;
mod queue;
mod seal;
mod sequence;
