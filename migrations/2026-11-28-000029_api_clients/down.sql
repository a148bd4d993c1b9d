drop index orders_api_client;
alter table api_client
  drop constraint api_client_scopes, drop constraint api_client_old_secret, drop constraint api_client_secret,
  drop column version, drop column old_secret_until, drop column old_secret_digest;
