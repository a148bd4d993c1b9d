drop table staff_act;
alter table download_link drop column generation;
alter table order_line drop column limit_per_buyer;
alter table orders drop column limited, drop column device_key, drop column client_key, drop column mailbox_proven,
  drop column mailbox;
alter table email_code drop column client_key, drop column registration_id;
drop table registration;
