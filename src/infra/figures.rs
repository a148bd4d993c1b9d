//! THE table of the process's figures: what each means, and which of them are there from the start. A figure that only
//! appears with its first event cannot be alerted on: nobody sees it rise from nothing.

use metrics::{Label, counter, describe_counter, describe_gauge, describe_histogram};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureKind {
    Counter,
    Gauge,
    Histogram,
}

/// A label and the values it can have; none where they are not known here.
type LabelValues = (&'static str, &'static [&'static str]);

/// One figure.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    pub name: &'static str,
    pub kind: FigureKind,
    pub help: &'static str,
    pub labels: &'static [LabelValues],
}

const fn count(name: &'static str, labels: &'static [LabelValues], help: &'static str) -> Figure {
    Figure { name, kind: FigureKind::Counter, help, labels }
}

const fn gauge(name: &'static str, labels: &'static [LabelValues], help: &'static str) -> Figure {
    Figure { name, kind: FigureKind::Gauge, help, labels }
}

const fn spread(name: &'static str, labels: &'static [LabelValues], help: &'static str) -> Figure {
    Figure { name, kind: FigureKind::Histogram, help, labels }
}

const LISTENER: LabelValues = ("listener", &[]);
const ACCOUNT: LabelValues = ("account", &[]);
const PURPOSE: LabelValues = ("purpose", &["requests", "reports", "background", "notices"]);
const LANE: LabelValues = ("lane", &["notices", "background"]);
const SWEEP: LabelValues = ("sweep", &[]);
const TABLE: LabelValues = ("table", &[]);
const TRANSPORT: LabelValues = ("transport", &["sse", "websocket"]);

/// Every figure.
pub const FIGURES: &[Figure] = &[
    gauge("dispense_connections_open", &[LISTENER], "Connections open now."),
    gauge("dispense_connections_limit", &[LISTENER], "Connections that may be open at once."),
    count(
        "dispense_connections_refused_total",
        &[LISTENER, ("reason", &[])],
        "Connections refused: as many open as may be in all (total) or of one address, or no open files left.",
    ),
    count("dispense_connections_closed_total", &[LISTENER, ("reason", &[])], "Connections closed, by why."),
    count(
        "dispense_requests_refused_total",
        &[("reason", &["in_flight", "lasting", "slow_body"])],
        "Requests refused: too many of one client in flight, no place for another transfer, a body too slow.",
    ),
    gauge("dispense_open_files_limit", &[], "Files the system lets the program have open."),
    gauge("dispense_http_requests_running", &[], "Requests whose answer is being made."),
    count(
        "dispense_http_requests_total",
        &[("route", &[])],
        "Requests answered, by method, route and class of status.",
    ),
    spread("dispense_http_request_seconds", &[("route", &[])], "Time from a request's head to its answer's."),
    gauge("dispense_live_streams", &[TRANSPORT], "Sockets and event streams open now."),
    count("dispense_live_slow_readers_total", &[TRANSPORT], "Streams closed whose client did not read."),
    count("dispense_live_turns_total", &[], "Turns of followers that were woken."),
    count("dispense_live_looks_total", &[], "Looks at what new events are about."),
    count(
        "dispense_notices_total",
        &[ACCOUNT, ("verdict", &[])],
        "Notices of gateways that were authentic, by verdict.",
    ),
    count(
        "dispense_notices_refused_total",
        &[ACCOUNT, ("stage", &[]), ("reason", &[])],
        "Notices of gateways that were refused, by stage and reason.",
    ),
    gauge("dispense_notices_held", &[], "Notices that wait because somebody holds their order."),
    spread("dispense_slice_words", &[], "Notices settled by one transaction."),
    count(
        "dispense_statement_differences_total",
        &[ACCOUNT, ("kind", &[])],
        "Differences found between gateways' statements and the books.",
    ),
    count("dispense_jobs_total", &[("kind", &[]), ("outcome", &[])], "Jobs that ran, by how they ended."),
    count("dispense_jobs_dead_total", &[("kind", &[])], "Jobs given up after their last attempt."),
    count("dispense_jobs_rescued_total", &[], "Jobs taken back from workers that went away."),
    spread("dispense_sweep_seconds", &[("sweep", &[])], "Time of a sweep."),
    gauge("dispense_waiting", &[("code", &[])], "Things that wait for somebody or something."),
    gauge("dispense_waiting_oldest_seconds", &[("code", &[])], "Age of the oldest of them."),
    count("dispense_neglected_lines_total", &[], "Waiting lines found by the sweep that nobody had queued."),
    count(
        "dispense_defects_total",
        &[("kind", &["message_without_job", "unbought", "paid_unassigned", "refunds_not_read"])],
        "States that should not be, found and mended.",
    ),
    count(
        "dispense_mail_attempts_total",
        &[("outcome", &["sent", "retry", "refused", "unknown", "suppressed"])],
        "Attempts to send a mail.",
    ),
    count(
        "dispense_mail_failures_total",
        &[("reason", &["dns", "refused", "tls", "auth", "timeout", "rejected", "broken", "local"])],
        "Attempts that failed before a mail was spoken of, by what is the matter with the mail server.",
    ),
    gauge(
        "dispense_mail_failing",
        &[],
        "1 while several mails in a row could not be handed to their server.",
    ),
    count(
        "dispense_mail_reports_total",
        &[("kind", &["bounce", "complaint", "delivered"])],
        "Reports of mail services.",
    ),
    count(
        "dispense_hook_attempts_total",
        &[("outcome", &["delivered", "refused", "no_answer", "unreachable", "event_gone"])],
        "Attempts to send an event to a hook endpoint.",
    ),
    spread("dispense_hook_seconds", &[], "Time a hook endpoint took to answer."),
    count(
        "dispense_captchas_total",
        &[("outcome", &["passed", "failed", "let_through", "unavailable"])],
        "Answers to captchas that were verified.",
    ),
    count("dispense_secrets_shown_to_staff_total", &[], "Keys and secrets shown to staff."),
    gauge(
        "dispense_config_faults",
        &[],
        "Faults of the configuration that was read last and is not in force.",
    ),
    count(
        "dispense_retention_rows_total",
        &[TABLE],
        "Rows that left because they were as old as they may be.",
    ),
    count("dispense_retention_partitions_total", &[TABLE], "Partitions of months that left."),
    gauge("dispense_retention_oldest_seconds", &[TABLE], "Age of the oldest row that will leave."),
    spread("dispense_db_wait_seconds", &[PURPOSE], "Time a task waited for a connection to the database."),
    count(
        "dispense_db_refused_total",
        &[PURPOSE],
        "Tasks that got no connection to the database in their time.",
    ),
    gauge("dispense_gateway_calls", &[ACCOUNT, LANE], "Calls of gateways under way."),
    count(
        "dispense_gateway_calls_put_off_total",
        &[ACCOUNT, LANE, ("why", &["share", "silent"])],
        "Calls of gateways that were not made: the account's share was used (share), or it does not answer (silent).",
    ),
    gauge("dispense_gateway_silent", &[ACCOUNT], "1: the gateway does not answer and is left alone."),
    gauge(
        "dispense_clock_difference_seconds",
        &[],
        "How far the database's clock is ahead of this machine's.",
    ),
    spread("dispense_sweep_late_seconds", &[SWEEP], "How much later than it was due a sweep began."),
    spread("dispense_sweep_seconds", &[SWEEP], "Time a sweep took."),
];

/// Describes every figure, and begins the counters whose labels are known with 0.
pub fn begin() {
    for figure in FIGURES {
        match figure.kind {
            FigureKind::Counter => describe_counter!(figure.name, figure.help),
            FigureKind::Gauge => describe_gauge!(figure.name, figure.help),
            FigureKind::Histogram => describe_histogram!(figure.name, figure.help),
        }
        let mut rows: Vec<Vec<Label>> = vec![Vec::new()];
        for (label, values) in figure.labels {
            let with = |row: &Vec<Label>| {
                let row = row.clone();
                values.iter().map(move |value| [row.clone(), vec![Label::new(*label, *value)]].concat())
            };
            rows = rows.iter().flat_map(with).collect();
        }
        for labels in rows {
            match figure.kind {
                FigureKind::Counter => counter!(figure.name, labels).increment(0),
                FigureKind::Gauge => metrics::gauge!(figure.name, labels).increment(0.0),
                FigureKind::Histogram => {}
            }
        }
    }
}
