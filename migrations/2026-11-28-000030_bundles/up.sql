-- Expands: a table, columns, an index, and a constraint that holds for fewer rows.
--
-- Bundles: variants that consist of other variants of their seller. The line of a bundle has a line per part.

create table bundle_part (
  bundle_id uuid not null,
  part_id uuid not null,
  seller_id uuid not null,
  position int not null,
  -- Pieces of it in one bundle.
  quantity int not null constraint bundle_part_quantity check (quantity between 1 and 100),
  primary key (bundle_id, part_id),
  constraint bundle_part_position unique (bundle_id, position),
  constraint bundle_part_other check (bundle_id <> part_id),
  constraint bundle_part_bundle_fkey foreign key (seller_id, bundle_id) references variant (seller_id, id),
  constraint bundle_part_part_fkey foreign key (seller_id, part_id) references variant (seller_id, id)
);
create index bundle_part_part on bundle_part (part_id);

alter table order_line
  -- Of the line of a bundle: how many lines its parts are.
  add column part_count int constraint order_line_part_count check (part_count >= 1),
  -- Of a part's line: how many pieces of it were in one bundle.
  add column part_quantity int constraint order_line_part_quantity check (part_quantity >= 1),
  -- No line had a parent before this, so there is nothing to be looked through.
  add constraint order_line_part check ((parent_line_id is null) = (part_quantity is null)) not valid,
  add constraint order_line_one_level check (parent_line_id is null or part_count is null) not valid,
  drop constraint order_line_amounts,
  -- A part's total is its share of the bundle's price, whatever it costs by itself.
  add constraint order_line_amounts check (case when parent_line_id is null
    then discount_minor between 0 and unit_minor * quantity and total_minor = unit_minor * quantity - discount_minor
    else discount_minor >= 0 and total_minor >= 0 end) not valid;
create index order_line_parent on order_line (parent_line_id) where parent_line_id is not null;
