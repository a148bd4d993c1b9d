drop table asked_trade;
alter table payment drop column returned_at;
