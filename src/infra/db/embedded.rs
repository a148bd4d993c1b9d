//! A PostgreSQL cluster of our own in the data folder.
