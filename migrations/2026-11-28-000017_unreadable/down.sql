-- Contracts: what could not be read is no longer told of here; its tasks stay.
delete from statement_difference where kind = 'unreadable';
alter table statement_difference drop constraint statement_difference_kind,
  add constraint statement_difference_kind check (kind in ('paid_there_only', 'paid_here_only', 'amount_differs',
    'refund_differs', 'fee_differs', 'not_booked'));
