drop table download_stream;
alter table download_session drop column reserved_bytes;
