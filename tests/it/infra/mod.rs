mod events;
mod seal;
