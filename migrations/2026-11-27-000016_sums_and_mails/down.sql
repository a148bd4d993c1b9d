alter table payment drop constraint payment_told_sum_heard;
alter table payment drop column told_sum_asked, drop column told_sum_heard_at;
alter table refund drop column ever_succeeded, drop column heard_at, drop column mailed_minor;
