-- Contracts: tables of a kind that the program before does not sell.
drop index key_batch_of_supplier;
alter table key_batch drop column supplier_id, drop constraint key_batch_origin;
alter table key_batch add constraint key_batch_origin check (origin in ('import', 'generated'));
drop table supplier_quarantine;
drop table supplier_purchase;
drop table supplier_offer;
drop table supplier;
