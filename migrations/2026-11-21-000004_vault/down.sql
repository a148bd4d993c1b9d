drop table vault_key, key_batch_problem, key_batch, data_key;
