-- Expands: tables, indexes, kinds of acts.
--
-- A piece that does not work is replaced: another row of `unit` takes its place, under the same number of the same line.
-- A program of the version before shows such a line by its successors alone.

-- A piece takes the place of one other.
create unique index unit_successor on unit (superseded_by) where superseded_by is not null;

create table replacement (
  -- The piece that does not work, and the one in its place.
  unit_id uuid primary key references unit,
  successor_id uuid not null references unit,
  seller_id uuid not null,
  line_id uuid not null,
  unit_no int not null,
  cause text not null constraint replacement_cause check (cause in ('warranty', 'recall')),
  -- Staff let it pass although the warranty was over or the number was reached.
  overridden boolean not null default false,
  made_by uuid references app_user,
  made_at timestamptz not null default app_now(),
  constraint replacement_successor unique (successor_id),
  constraint replacement_line_fkey foreign key (seller_id, line_id) references order_line (seller_id, id)
);
create index replacement_piece on replacement (line_id, unit_no);

-- What a buyer reported of a piece, until it is answered. Never the text of a key.
create table delivery_case (
  id uuid primary key,
  seller_id uuid not null,
  order_id uuid not null references orders,
  line_id uuid not null,
  unit_id uuid not null references unit,
  -- An open code.
  problem text not null constraint delivery_case_problem check (length(problem) between 1 and 64),
  wish text not null constraint delivery_case_wish check (wish in ('replace', 'refund', 'help')),
  text text,
  state text not null default 'open' constraint delivery_case_state check (state in ('open', 'answered', 'closed')),
  outcome text constraint delivery_case_outcome check (outcome in ('replaced', 'refunded', 'rejected')),
  opened_at timestamptz not null default app_now(),
  answered_at timestamptz,
  closed_at timestamptz,
  constraint delivery_case_closed check ((state = 'closed') = (closed_at is not null)
    and (state = 'closed') = (outcome is not null)),
  constraint delivery_case_answered check (state <> 'answered' or answered_at is not null),
  constraint delivery_case_line_fkey foreign key (seller_id, line_id) references order_line (seller_id, id)
);
-- One at a time waits for an answer.
create unique index delivery_case_open on delivery_case (unit_id) where state = 'open';
create index delivery_case_seller on delivery_case (seller_id, id);
create index delivery_case_line on delivery_case (line_id, id);
create index delivery_case_unanswered on delivery_case (opened_at) where state = 'open';

create table case_answer (
  id bigint generated always as identity primary key,
  case_id uuid not null references delivery_case,
  action text not null constraint case_answer_action check (action in ('replace', 'refund', 'reject', 'help')),
  text text not null constraint case_answer_text check (length(text) between 1 and 4000),
  answered_by uuid references app_user,
  by_staff boolean not null,
  successor_id uuid references unit,
  refund_id uuid references refund,
  answered_at timestamptz not null default app_now()
);
create index case_answer_case on case_answer (case_id, id);

-- What was reported before this and still waits for a person is a case now.
insert into delivery_case (id, seller_id, order_id, line_id, unit_id, problem, wish, text, opened_at)
select t.id, u.seller_id, u.order_id, u.line_id, u.id, coalesce(t.body ->> 'problem', 'other'),
    coalesce(t.body ->> 'wish', 'help'), t.body ->> 'text', t.created_at
  from task t join unit u on u.id::text = t.subject
 where t.kind = 'delivery_reported' and t.state <> 'resolved'
on conflict do nothing;

alter table staff_act drop constraint staff_act_kind, drop constraint staff_act_unit;
alter table staff_act
  add constraint staff_act_kind check (kind in ('delivery_shown', 'address_corrected', 'delivery_replaced')),
  add constraint staff_act_unit check ((kind in ('delivery_shown', 'delivery_replaced')) = (unit_id is not null));
