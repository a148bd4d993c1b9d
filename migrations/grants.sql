-- What the runtime role may do (K15). Run as the owner of the schema after the migrations; the program does so by
-- itself when it runs them. `dispense_app` stands for the runtime role.
grant usage on schema public to dispense_app;
grant select, insert, update, delete on all tables in schema public to dispense_app;
grant usage, select on all sequences in schema public to dispense_app;
grant execute on all functions in schema public to dispense_app;
-- What only grows.
revoke update, delete, truncate on ledger_entry, event_seq, event, event_default, staff_act, asked_trade,
  notice_body, notice_body_default, replacement, case_answer from dispense_app;
revoke insert, delete, truncate on event_head, readiness from dispense_app;
-- Months are reached by their table alone, and what left is written down by the functions that let it leave.
do $$
declare
  partition regclass;
begin
  for partition in select inhrelid from pg_inherits where inhparent in ('event'::regclass, 'notice_body'::regclass) loop
    execute format('revoke insert, update, delete, truncate on %s from dispense_app', partition);
  end loop;
end $$;
revoke insert, update, delete, truncate on retention_horizon from dispense_app;
revoke insert, truncate on notice_body_kept from dispense_app;
revoke delete, truncate on notice_repeat, retention_rule from dispense_app;
revoke delete, truncate on orders, order_gift, order_line, unit, payment, notice, refund, refund_unit, dispute, vault_key, data_key,
  key_batch, secret_version, unit_secret, supplier, supplier_purchase, supplier_quarantine, gateway_account, seller, order_reference, order_country, statement_run, statement_line, statement_difference,
  epoch, epoch_question, licence_activation, hook_endpoint, api_client, delivery_case, batch_recall, recall_piece,
  mail_suppression from dispense_app;
revoke all on __diesel_schema_migrations from dispense_app;
grant select on __diesel_schema_migrations to dispense_app;
