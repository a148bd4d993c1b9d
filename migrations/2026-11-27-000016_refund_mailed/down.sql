alter table refund drop column mailed;
