alter table refund drop column mailed_by_sum;
