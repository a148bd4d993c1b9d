mod grants;
mod shop;
