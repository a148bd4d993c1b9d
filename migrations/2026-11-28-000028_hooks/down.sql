-- Contracts: tables that the program before does not know.
delete from event_cursor where consumer = 'hooks';
drop table hook_attempt, hook_delivery, hook_endpoint;
