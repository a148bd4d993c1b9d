-- Contracts: addresses that mail came back from are written to again; messages that came back stay with a person.
drop table mail_suppression;
drop table mail_report;
update message_attempt set outcome = 'refused' where outcome = 'suppressed';
alter table message_attempt
  drop constraint message_attempt_outcome,
  add constraint message_attempt_outcome check (outcome in ('sent', 'retry', 'refused', 'unknown'));
alter table message drop column bounced_at;
