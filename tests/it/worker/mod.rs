mod jobs;
mod waiting;
mod wake;
