-- Expands: earlier programs leave the new columns at their defaults and `fp_next` null, which the sweep fills.

-- How far the file of an import was read, so that the rest can be told from another file.
alter table key_batch
  add column bytes bigint not null default 0 constraint key_batch_bytes check (bytes >= 0),
  -- Keyed, of all lines read so far.
  add column digest bytea constraint key_batch_digest_length check (length(digest) = 32),
  add column encoding text constraint key_batch_encoding check (encoding in ('utf-8', 'utf-16le', 'utf-16be'));

-- Keys whose fingerprint under the present definition of a key's text is still to be computed. Empty after that.
create index vault_key_fp_next_missing on vault_key (variant_id, id) where fp_next is null;
