drop index orders_closing;
alter table orders drop column closing_from;
