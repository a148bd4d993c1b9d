drop index notice_ignored;
alter table notice drop column names;
drop table stuck_row;
