alter table vault_key drop constraint vault_key_unit_fkey;
drop table unit, order_line, orders;
drop sequence order_number;
