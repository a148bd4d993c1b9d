-- Contracts: the lines of parts become lines of their own, with the amounts that they have.
drop index order_line_parent;
alter table order_line drop constraint order_line_part, drop constraint order_line_one_level,
  drop constraint order_line_amounts;
update order_line set parent_line_id = null, unit_minor = (total_minor + quantity - 1) / quantity,
  discount_minor = (total_minor + quantity - 1) / quantity * quantity - total_minor where parent_line_id is not null;
delete from order_line where part_count is not null;
alter table order_line drop column part_quantity, drop column part_count,
  add constraint order_line_amounts check (discount_minor between 0 and unit_minor * quantity
    and total_minor = unit_minor * quantity - discount_minor);
drop table bundle_part;
