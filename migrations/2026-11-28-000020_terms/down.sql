-- Contracts: the single columns hold the same, but for what only the newer program knows.
drop trigger order_line_terms_in_step on order_line;
drop function order_line_terms_in_step();
drop trigger variant_terms_in_step on variant;
drop function variant_terms_in_step();
alter table order_line drop column terms;
alter table variant drop column terms;
