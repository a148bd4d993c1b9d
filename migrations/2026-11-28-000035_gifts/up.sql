-- Expands: a table.
--
-- Orders whose goods go to somebody else than their buyer. A program of the version before mails such goods to the buyer:
-- none is placed before all servers are of this one.

create table order_gift (
  order_id uuid primary key references orders,
  -- Who gets it, and who gives it as its reader reads it.
  name text not null constraint order_gift_name check (char_length(name) between 1 and 100),
  giver text constraint order_gift_giver check (char_length(giver) between 1 and 100),
  email text not null,
  email_normalised text not null,
  -- The mailbox as limits see it.
  mailbox text not null,
  message text constraint order_gift_message check (char_length(message) between 1 and 500),
  created_at timestamptz not null default app_now()
);
create index order_gift_email on order_gift (email_normalised);
create index order_gift_mailbox on order_gift (mailbox, created_at);
