//! What statements say is kept once, whatever file, day or form says it, through the command line.

use std::os::unix::process::ExitStatusExt;
use std::process::Output;

use chrono::{NaiveDate, TimeDelta};
use dispense::base::actor::Actor;
use dispense::payments::refunds::request;

use super::street::{Street, refund, street};
use crate::harness::Setup;

/// One line of a Stripe report.
pub struct Line<'a> {
    pub category: &'a str,
    pub gross: &'a str,
    pub fee: &'a str,
    pub source: &'a str,
    pub intent: &'a str,
    pub number: &'a str,
    pub refund: &'a str,
}

pub const LINE: Line<'_> = Line {
    category: "charge",
    gross: "9.90",
    fee: "0.59",
    source: "ch_1",
    intent: "",
    number: "",
    refund: "",
};

/// Which columns an export has.
#[derive(Clone, Copy)]
pub enum Export {
    Whole,
    WithoutNumbers,
    WithoutFees,
    WithoutIds,
}

/// Yesterday noon: both that day's statement and the one of the day before may have it.
pub fn file(day: NaiveDate, export: Export, lines: &[Line<'_>]) -> String {
    let mut names = vec![
        "balance_transaction_id",
        "created_utc",
        "currency",
        "gross",
        "reporting_category",
        "payment_intent_id",
    ];
    let (numbers, fees, ids) = match export {
        Export::Whole => (true, true, true),
        Export::WithoutNumbers => (false, true, true),
        Export::WithoutFees => (true, false, true),
        Export::WithoutIds => (false, true, false),
    };
    names.extend(ids.then_some("source_id"));
    names.extend(fees.then_some("fee"));
    if numbers {
        names.extend(["payment_metadata[order_no]", "refund_metadata[refund_id]"]);
    }
    let mut text = names.join(",") + "\n";
    for (place, line) in lines.iter().enumerate() {
        let mut cells = vec![format!("txn_{place}"), format!("{day} 12:00:00"), "usd".to_owned()];
        cells.extend([line.gross, line.category, line.intent].map(str::to_owned));
        cells.extend(ids.then(|| line.source.to_owned()));
        cells.extend(fees.then(|| line.fee.to_owned()));
        if numbers {
            cells.extend([line.number, line.refund].map(str::to_owned));
        }
        text += &(cells.join(",") + "\n");
    }
    text
}

pub struct Desk {
    pub s: Street,
    setup: Setup,
    pub day: NaiveDate,
}

impl Desk {
    pub async fn open() -> Self {
        let s = street().await;
        let day = s.t.app.clock.now().date_naive() - TimeDelta::days(1);
        Self { setup: s.setup(), s, day }
    }

    fn write(&self, text: &str) -> String {
        let path =
            self.s.t.data.path().join(format!("{}.csv", hex::encode(dispense::base::clock::random::<6>())));
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn run(&self, setup: &Setup, day: NaiveDate, path: &str) -> Output {
        let day = day.to_string();
        setup
            .command(&["statements", "import", "--account", "stripe", "--date", &day, path])
            .output()
            .unwrap()
    }

    /// Imports it and gives back what was said; it must end well.
    pub fn import(&self, day: NaiveDate, text: &str) -> String {
        let output = self.run(&self.setup, day, &self.write(text));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    pub async fn one(&self, sql: &str) -> String {
        self.s.t.db.one(sql).await
    }

    pub async fn tasks(&self) -> String {
        self.one(
            "select coalesce(string_agg(kind || ' ' || split_part(subject, ':', 2), ', ' order by kind, subject), '') from task
               where kind like 'statement%' and state <> 'resolved'",
        )
        .await
    }

    /// Fees in the ledger, and how many entries there are of them.
    pub async fn fees(&self) -> String {
        self.one("select coalesce(sum(amount_minor), 0) || ' in ' || count(*) from ledger_entry where book = 'fees'").await
    }

    pub async fn clean(&self) {
        let report = dispense::check::run(&self.s.t.app.db, &self.s.t.app.config.secrets).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }

    /// A sale at Stripe of 9.90: its number and its trade there.
    pub async fn sale(&self) -> (String, String, dispense::base::ids::PaymentId) {
        let (placed, payment) = self.s.bought("stripe").await;
        let trade = self.s.payment(payment, "trade_no").await;
        (placed.order.number, trade, payment)
    }
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_charge_in_three_exports_of_two_days_has_one_fee_and_a_correction_replaces_it() {
    let desk = Desk::open().await;
    let (number, trade, _) = desk.sale().await;
    let charge = Line { intent: &trade, number: &number, ..LINE };
    let before = desk.day - TimeDelta::days(1);
    let said = desk.import(desk.day, &file(desk.day, Export::Whole, &[charge]));
    assert!(said.contains("1 lines, 1 new, 1 of these agree"), "{said}");
    for (day, export) in [
        (desk.day, Export::Whole),
        (before, Export::Whole),
        (desk.day, Export::WithoutNumbers),
        (before, Export::WithoutNumbers),
        (before, Export::WithoutFees),
        (desk.day, Export::WithoutIds),
    ] {
        desk.import(day, &file(desk.day, export, &[Line { intent: &trade, number: &number, ..LINE }]));
    }
    assert_eq!(desk.fees().await, "59 in 1");
    assert_eq!(desk.one("select count(*) || ' ' || min(outcome) from statement_fact").await, "1 matched");
    // The statement of the day says otherwise now; what another day's file said before is a repeat.
    let corrected = Line { fee: "0.69", intent: &trade, number: &number, ..LINE };
    desk.import(desk.day, &file(desk.day, Export::Whole, &[corrected]));
    assert_eq!(desk.fees().await, "69 in 2", "the ledger only grows");
    assert_eq!(desk.one("select fee_minor from payment where fee_minor is not null").await, "69");
    desk.import(before, &file(desk.day, Export::Whole, &[Line { intent: &trade, number: &number, ..LINE }]));
    assert_eq!(desk.fees().await, "69 in 2");
    assert_eq!(desk.tasks().await, "");
    desk.clean().await;
    desk.s.t.finish_with_jobs().await;
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_of_the_console_before_ours_is_a_difference_and_ours_agrees_in_both_days() {
    let desk = Desk::open().await;
    let (number, trade, payment) = desk.sale().await;
    let wish = refund(payment, "statement-refund", Some(400));
    let ours = request::request(&desk.s.t.app.payments, &Actor::system(), wish).await.unwrap();
    desk.s.settled().await;
    let there = desk.one("select gateway_refund_id from refund").await;
    let id = ours.id.to_string();
    let lines = || {
        [
            Line {
                category: "refund",
                gross: "-4.00",
                fee: "0.00",
                source: "re_console",
                intent: &trade,
                ..LINE
            },
            Line {
                category: "refund",
                gross: "-4.00",
                fee: "0.00",
                source: &there,
                intent: &trade,
                number: &number,
                refund: &id,
            },
            Line { intent: &trade, number: &number, ..LINE },
        ]
    };
    let before = desk.day - TimeDelta::days(1);
    let said = desk.import(desk.day, &file(desk.day, Export::Whole, &lines()));
    assert!(said.contains("3 lines, 3 new, 2 of these agree\nrefund_differs: 1"), "{said}");
    let said = desk.import(before, &file(desk.day, Export::Whole, &lines()));
    assert!(said.contains("3 lines, 0 new"), "{said}");
    desk.import(before, &file(desk.day, Export::WithoutNumbers, &lines()));
    desk.import(desk.day, &file(desk.day, Export::WithoutIds, &lines()));
    let facts = "select string_agg(stated || ' ' || coalesce(gateway_refund_id, '-') || ' ' || outcome || ' '
        || (our_refund is not null), ', ' order by id) from statement_fact";
    let wanted =
        format!("refund re_console differs false, refund {there} matched true, payment - matched false");
    assert_eq!(desk.one(facts).await, wanted);
    assert_eq!(desk.tasks().await, "statement_refund_differs re_console");
    assert_eq!(desk.fees().await, "59 in 1");
    desk.clean().await;

    // It came back: neither side has it any more, and the difference ends.
    let mut more = lines().into_iter().collect::<Vec<_>>();
    more.push(Line {
        category: "refund_failure",
        gross: "4.00",
        fee: "0.00",
        source: "re_console",
        intent: &trade,
        ..LINE
    });
    desk.import(desk.day, &file(desk.day, Export::Whole, &more));
    let open = "select count(*) from statement_difference where ended_at is null";
    assert_eq!(desk.one(open).await, "0", "{}", desk.one(facts).await);
    // And ours comes back too, which is not known here.
    more.push(Line {
        category: "refund_failure",
        gross: "4.00",
        fee: "0.00",
        source: &there,
        intent: &trade,
        refund: &id,
        ..LINE
    });
    let said = desk.import(desk.day, &file(desk.day, Export::Whole, &more));
    assert!(said.contains("refund_differs: 1"), "{said}");
    desk.clean().await;
    desk.s.t.finish_with_jobs().await;
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_without_any_id_are_matched_by_amount_once_each_and_names_learned_later_join_them() {
    let desk = Desk::open().await;
    let (number, trade, payment) = desk.sale().await;
    for key in ["first-of-two", "second-of-two"] {
        request::request(&desk.s.t.app.payments, &Actor::system(), refund(payment, key, Some(300)))
            .await
            .unwrap();
    }
    desk.s.settled().await;
    let ids = desk.one("select string_agg(gateway_refund_id, ' ' order by requested_at) from refund").await;
    let (first, second) = ids.split_once(' ').unwrap();
    let back =
        |source| Line { category: "refund", gross: "-3.00", fee: "0.10", source, intent: &trade, ..LINE };
    let lines = || [Line { intent: &trade, number: &number, ..LINE }, back(first), back(second), back("")];
    // Two of ours, and a third that nobody here knows.
    desk.import(desk.day, &file(desk.day, Export::WithoutIds, &lines()));
    let facts = "select count(*) || ' ' || count(our_refund) || ' ' || count(*) filter (where outcome = 'matched') from statement_fact";
    assert_eq!(desk.one(facts).await, "4 2 3");
    assert_eq!(desk.fees().await, "89 in 4");
    // The whole export names them: the same facts.
    desk.import(
        desk.day,
        &file(
            desk.day,
            Export::WithoutNumbers,
            &[back(second), back(first), Line { intent: &trade, ..LINE }],
        ),
    );
    assert_eq!(desk.one(facts).await, "4 2 3");
    assert_eq!(
        desk.one("select count(*) from statement_fact where gateway_refund_id is not null").await,
        "2"
    );
    assert_eq!(desk.fees().await, "89 in 4");
    desk.clean().await;
    desk.s.t.finish_with_jobs().await;
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_cannot_be_booked_is_a_task_and_the_lines_behind_it_get_their_verdict() {
    let desk = Desk::open().await;
    let (sold, other) = (desk.sale().await, desk.sale().await);
    let owner = tokio_postgres::connect(&desk.s.t.db.owner_url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(owner.1);
    owner
        .0
        .batch_execute("alter table payment add constraint no_such_fee check (fee_minor <> 77)")
        .await
        .unwrap();
    let lines = [
        Line { fee: "0.77", intent: &sold.1, number: &sold.0, ..LINE },
        Line { gross: "-9.90", fee: "0.00", intent: &other.1, number: &other.0, ..LINE },
        Line { gross: "5.00", intent: "pi_stranger", ..LINE },
    ];
    let said = desk.import(desk.day, &file(desk.day, Export::Whole, &lines));
    assert!(
        said.contains("not_booked: 1")
            && said.contains("amount_differs: 1")
            && said.contains("paid_there_only: 1"),
        "{said}"
    );
    let wanted = format!(
        "statement_amount_differs {}, statement_not_booked {}, statement_paid_there_only pi_stranger",
        other.1, sold.1
    );
    assert_eq!(desk.tasks().await, wanted);
    let there = "select there_minor from statement_difference where kind = 'amount_differs'";
    assert_eq!(desk.one(there).await, "-990", "signs are kept");
    let why = "select body ->> 'why' from task where kind = 'statement_not_booked'";
    assert!(desk.one(why).await.contains("no_such_fee"));
    assert_eq!(desk.one("select count(*) from statement_fact where outcome is null").await, "0");
    desk.clean().await;
    // Once it can be booked, the same file ends it.
    owner.0.batch_execute("alter table payment drop constraint no_such_fee").await.unwrap();
    desk.import(desk.day, &file(desk.day, Export::Whole, &lines));
    let open = "select string_agg(kind, ' ' order by kind) from statement_difference where ended_at is null";
    assert_eq!(desk.one(open).await, "amount_differs paid_there_only");
    assert_eq!(desk.fees().await, "77 in 1");
    desk.clean().await;
    desk.s.t.finish_with_jobs().await;
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_that_are_killed_repeated_and_run_beside_each_other_book_each_fee_once() {
    let desk = Desk::open().await;
    let sales = [desk.sale().await, desk.sale().await, desk.sale().await];
    let lines: Vec<Line<'_>> =
        sales.iter().map(|(number, trade, _)| Line { intent: trade, number, ..LINE }).collect();
    let path = desk.write(&file(desk.day, Export::Whole, &lines));
    for point in ["statement.kept", "statement.settled:2", "statement.compared:2"] {
        let armed = desk.setup.clone().env("DISPENSE_FAULT", point);
        assert_eq!(desk.run(&armed, desk.day, &path).status.signal(), Some(9), "{point}");
    }
    let numbers = desk.write(&file(desk.day, Export::WithoutNumbers, &lines));
    let before = desk.day - TimeDelta::days(1);
    std::thread::scope(|scope| {
        let runs = [(desk.day, &path), (before, &path), (desk.day, &numbers), (before, &numbers)];
        let all: Vec<_> = runs
            .map(|(day, path)| {
                let setup = desk.s.setup();
                scope.spawn(move || {
                    setup
                        .command(&[
                            "statements",
                            "import",
                            "--account",
                            "stripe",
                            "--date",
                            &day.to_string(),
                            path,
                        ])
                        .output()
                        .unwrap()
                })
            })
            .into_iter()
            .collect();
        for one in all {
            let output = one.join().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    });
    assert_eq!(desk.fees().await, "177 in 3");
    assert_eq!(desk.one("select count(*) || ' ' || min(outcome) from statement_fact").await, "3 matched");
    assert_eq!(desk.tasks().await, "");
    desk.clean().await;
    // The worker ends the runs that were killed.
    desk.s.t.advance(TimeDelta::minutes(11)).await;
    desk.s.settled().await;
    assert_eq!(desk.one("select count(*) from statement_run where state <> 'done'").await, "0");
    assert_eq!(desk.fees().await, "177 in 3");
    desk.s.t.finish_with_jobs().await;
}
