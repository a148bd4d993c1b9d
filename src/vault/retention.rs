//! What leaves by age: which lines of an import were refused. How many stays with the import.

use crate::infra::retention::{Leaves, Rule};

/// Rules of the tables of the vault.
pub const RETENTION: &[Rule] = &[Rule {
    table: "key_batch_problem",
    days: |config| config.retention.import_problem_days,
    // Ids of batches begin with their time (UUIDv7), so that the primary key finds the oldest.
    leaves: Leaves::Rows {
        delete: "with past as materialized (select app_now() - make_interval(days => $1) as past, $2::bigint as most), \
             gone as (delete from key_batch_problem where (batch_id, line) in ( \
               select p.batch_id, p.line from key_batch_problem p join key_batch b on b.id = p.batch_id \
               where p.batch_id < (select (lpad(to_hex((extract(epoch from past) * 1000)::bigint), 12, '0') \
                   || repeat('0', 20))::uuid from past) \
                 and b.finished_at < (select past from past) \
               order by p.batch_id, p.line limit (select most from past)) returning 1) \
             select count(*) as count from gone",
        oldest: "select b.created_at as oldest from key_batch_problem p join key_batch b on b.id = p.batch_id \
             order by p.batch_id limit 1",
    },
}];
