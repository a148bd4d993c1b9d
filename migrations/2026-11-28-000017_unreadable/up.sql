-- Expands: one more kind of difference. A program of the version before shows it as it shows the others and writes none.

alter table statement_difference drop constraint statement_difference_kind,
  add constraint statement_difference_kind check (kind in ('paid_there_only', 'paid_here_only', 'amount_differs',
    'refund_differs', 'fee_differs', 'not_booked', 'unreadable'));
