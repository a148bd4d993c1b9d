mod jobs;
mod sweeps;
mod waiting;
mod wake;
