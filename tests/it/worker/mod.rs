mod jobs;
mod wake;
