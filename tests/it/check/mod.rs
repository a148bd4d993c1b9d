mod attempts;
mod clean;
mod goods;
mod planted;
mod records;
