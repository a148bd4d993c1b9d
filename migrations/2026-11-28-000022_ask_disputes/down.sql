drop index dispute_undecided;
alter table dispute drop column asked_at;
