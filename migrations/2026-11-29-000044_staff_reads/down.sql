drop index if exists app_user_name_part, app_user_email_part, app_user_email_normalised_part;
drop index vault_key_expiring;
drop index orders_given_up;
drop index orders_placed;
drop index vault_key_taken;
drop extension if exists pg_trgm;
