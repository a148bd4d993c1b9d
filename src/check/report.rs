//! What was asked and what came out.

use std::fmt;

/// A question whose SQL returns one text column, `counter`: a row for each counter-example. It names ids, states and
/// numbers, never a secret. `{keys}`, `{files}`, `{shared}` and `{person}` are the kinds of goods whose pieces come from there,
/// `{goods_mails}` the kinds of mails that have goods in them. `{events_kept}`
/// and `{attempts_kept}`: since when events and attempts to send messages are kept.
pub(super) struct Question {
    pub name: &'static str,
    pub sql: &'static str,
}

/// What must always hold, and the questions that would show that it does not.
pub(super) struct Invariant {
    pub number: u8,
    pub title: &'static str,
    pub questions: &'static [Question],
}

/// A broken promise: which, how often, and the first example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub question: &'static str,
    pub count: i64,
    pub first: String,
}

/// What became of one invariant.
#[derive(Clone, Debug)]
pub struct CheckVerdict {
    pub number: u8,
    pub title: &'static str,
    /// How many questions were asked.
    pub asked: usize,
    pub findings: Vec<Finding>,
}

/// The whole outcome, printed as the command prints it.
#[derive(Clone, Debug)]
pub struct CheckReport {
    pub verdicts: Vec<CheckVerdict>,
    /// Keys that were opened, events whose seal was recomputed.
    pub opened: usize,
    pub sealed_events: usize,
    /// What came of asking the gateways; none when they were not asked.
    pub asked: Option<AskedReport>,
}

/// How far gateways could be asked about payments.
#[derive(Clone, Debug, Default)]
pub struct AskedReport {
    /// Payments that were compared with their gateway's answer.
    pub payments: usize,
    /// Those of them of which the answer does not say how much went back; their refunds were asked about one by one.
    pub sums_not_told: usize,
    pub not_asked: Vec<NotAsked>,
}

/// Payments of an account that were not compared, and why.
#[derive(Clone, Debug)]
pub struct NotAsked {
    pub account: String,
    pub why: &'static str,
    /// Ids of the payments.
    pub payments: Vec<String>,
}

/// Payments named of those that were not asked about.
const MOST_NAMED: usize = 10;

impl CheckReport {
    /// Whether everything holds.
    pub fn is_clean(&self) -> bool {
        self.findings().next().is_none()
    }

    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.verdicts.iter().flat_map(|v| &v.findings)
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for verdict in &self.verdicts {
            let word = if verdict.findings.is_empty() { "ok      " } else { "VIOLATED" };
            writeln!(f, "{word} {:>2}. {} ({} questions)", verdict.number, verdict.title, verdict.asked)?;
            for finding in &verdict.findings {
                writeln!(f, "             {}", finding.question)?;
                writeln!(f, "             first of {}: {}", finding.count, finding.first)?;
            }
        }
        if let Some(asked) = &self.asked {
            asked.fmt(f)?;
        }
        let broken = self.verdicts.iter().filter(|v| !v.findings.is_empty()).count();
        write!(
            f,
            "{} invariants, {broken} violated; {} sealed values opened, {} events of the audit chain recomputed",
            self.verdicts.len(),
            self.opened,
            self.sealed_events
        )
    }
}

impl fmt::Display for AskedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left: usize = self.not_asked.iter().map(|one| one.payments.len()).sum();
        write!(f, "gateways were asked about {} payments, {left} were not asked about", self.payments)?;
        match self.sums_not_told {
            0 => writeln!(f)?,
            sums => writeln!(f, "; of {sums} only single refunds could be compared")?,
        }
        for NotAsked { account, why, payments } in &self.not_asked {
            let named = payments.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if payments.len() > MOST_NAMED { ", …" } else { "" };
            writeln!(f, "not asked    {} of {account}, {why}: {named}{more}", payments.len())?;
        }
        Ok(())
    }
}
