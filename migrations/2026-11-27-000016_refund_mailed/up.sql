-- Expands: a column with a default. A program of the version before leaves it as it is and mails by itself; it must not
-- run beside this one.

-- The buyer was mailed about this money, by this row or by the row of a sum that it explains. Stored, because a sum may be
-- reported while the refund behind it is open. Until now the mail went out with the success.
alter table refund add column mailed boolean not null default false;
update refund set mailed = true where state = 'succeeded' and counted_minor > 0;
