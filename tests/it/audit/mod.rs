mod pull;
mod verify;
