-- Contracts: who a gift was for is forgotten; what was mailed stays mailed.
drop table order_gift;
