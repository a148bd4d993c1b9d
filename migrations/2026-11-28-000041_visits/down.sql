drop table order_visit;
