drop table statement_difference, statement_line, statement_run;
drop table ledger_entry;
drop function ledger_must_balance();
drop table refund_unit, refund, refused_tally, refused_body, notice_body, notice, payment, gateway_account;
