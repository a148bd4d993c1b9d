drop table idempotency, task, job, event_seq, event, translation, setting, seller;
drop function refuse_change();
drop function app_now();
