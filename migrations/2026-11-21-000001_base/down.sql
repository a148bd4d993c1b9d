drop table idempotency, task, job, event_head, event_seq, event, translation, setting, seller;
drop function make_partitions(text, text, int);
drop function refuse_change();
drop function app_now();
