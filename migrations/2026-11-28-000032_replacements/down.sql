delete from staff_act where kind = 'delivery_replaced';
alter table staff_act drop constraint staff_act_kind, drop constraint staff_act_unit;
alter table staff_act
  add constraint staff_act_kind check (kind in ('delivery_shown', 'address_corrected')),
  add constraint staff_act_unit check ((kind = 'delivery_shown') = (unit_id is not null));
drop table case_answer, delivery_case, replacement;
drop index unit_successor;
