-- Expands: a new nullable column and a new table, which older programs do not look at.
-- When the buyer last came back from the gateway: clients look more often for a while.
alter table payment add column returned_at timestamptz;

-- Trades that a gateway was asked about because a refund or dispute named them and nobody here knows them: our number in
-- what the gateway keeps of the trade, null when there is none. Written once, so that nobody asks again.
create table asked_trade (
  account_id text not null references gateway_account,
  trade_no text not null,
  number text,
  asked_at timestamptz not null default app_now(),
  primary key (account_id, trade_no)
);
