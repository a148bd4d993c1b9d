drop index payment_open;
drop index orders_expiry;
alter table orders drop column next_expiry_at, drop column expiry_tries;
drop index vault_key_epoch;
alter table vault_key drop constraint vault_key_frozen_by_epoch, drop column frozen_by_epoch;
drop table epoch_question;
drop table epoch;
