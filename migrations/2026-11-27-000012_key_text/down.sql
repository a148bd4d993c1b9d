drop index vault_key_fp_next_missing;
alter table key_batch drop column bytes, drop column digest, drop column encoding;
