drop function settled_until();
drop table persisted_query;
drop table order_reference;
