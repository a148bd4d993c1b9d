-- Expands: an index.
--
-- The last event of an object that is no order, by which jobs are followed. Orders have `event_order`; what a sale writes is
-- not in this index.

create index event_object on event (object_id, id) where order_id is null;
