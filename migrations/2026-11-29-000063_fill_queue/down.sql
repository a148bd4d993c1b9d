drop index unit_queue;
alter table unit drop column paid_at;
