alter table gateway_account drop column paused_because, drop column paused_at;
alter table product drop column paused_because, drop column paused_at;
