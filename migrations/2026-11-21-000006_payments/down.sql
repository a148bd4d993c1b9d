drop table ledger_entry;
drop function ledger_must_balance();
drop table refund_unit, refund, notice_body, notice, payment, gateway_account;
