//! What was asked and what came out.

use std::fmt;

/// A question whose SQL returns one text column, `counter`: a row for each counter-example. It names ids, states and
/// numbers, never a secret.
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
pub struct Verdict {
    pub number: u8,
    pub title: &'static str,
    /// How many questions were asked.
    pub asked: usize,
    pub findings: Vec<Finding>,
}

/// The whole outcome, printed as the command prints it.
#[derive(Clone, Debug)]
pub struct Report {
    pub verdicts: Vec<Verdict>,
    /// Keys that were opened, events whose seal was recomputed.
    pub opened: usize,
    pub sealed_events: usize,
}

impl Report {
    /// Whether everything holds.
    pub fn is_clean(&self) -> bool {
        self.findings().next().is_none()
    }

    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.verdicts.iter().flat_map(|v| &v.findings)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for verdict in &self.verdicts {
            let word = if verdict.findings.is_empty() { "ok      " } else { "VIOLATED" };
            writeln!(f, "{word} {:>2}. {} ({} questions)", verdict.number, verdict.title, verdict.asked)?;
            for finding in &verdict.findings {
                writeln!(f, "             {}", finding.question)?;
                writeln!(f, "             first of {}: {}", finding.count, finding.first)?;
            }
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
