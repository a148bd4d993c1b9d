drop table recall_piece, batch_recall;
drop index key_batch_of_supplier;
alter table key_batch drop column recalled_at;
create unique index key_batch_of_supplier on key_batch (variant_id, supplier_id) where supplier_id is not null;
