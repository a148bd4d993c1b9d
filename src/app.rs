//! Everything built once from the configuration; used by serve, work, demo and tests alike.
