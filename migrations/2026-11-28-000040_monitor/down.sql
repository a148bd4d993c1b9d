alter table file_version drop column looked_at, drop column missing_since;
drop index orders_undelivered, unit_waits, payment_uncertain, refund_open, message_undelivered, job_dead, key_batch_running,
  batch_recall_running, task_subject;
