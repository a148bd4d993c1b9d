//! Which fact each line of a statement is about, and what it changes there. Pure: no database, no clock.
//!
//! A line that was read before is a repeat and changes nothing, unless the same day's statement says something else
//! meanwhile: the last reading of a statement counts. What a line leaves out (an export without our number, without
//! fees) takes nothing away from what others said.

use std::collections::HashMap;

use chrono::NaiveDate;

use crate::payments::gateways::gateway::StatementLine;
use crate::payments::statements::model::Fact;

/// A fact that is stored, and the ids of the refund of ours that it was found to be.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub fact: Fact,
    pub ours: Option<String>,
    pub theirs: Option<String>,
}

/// A line of a statement that is being read.
pub(super) struct Read<'a> {
    pub line: &'a StatementLine,
    /// The fact of one like it that was read before, whatever the file or day.
    pub seen: Option<i64>,
}

/// A fact as this statement leaves it.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// Its id is 0 when it is new.
    pub fact: Fact,
    was: Option<Fact>,
    ours: Option<String>,
    theirs: Option<String>,
    /// A line of this file is about it.
    taken: bool,
}

impl Draft {
    pub fn is_new(&self) -> bool {
        self.was.is_none()
    }

    /// It is stored and is different now.
    pub fn is_changed(&self) -> bool {
        self.was.as_ref().is_some_and(|was| *was != self.fact)
    }
}

/// The facts that a statement names, and for each of its lines the place of its fact among them.
#[derive(Default)]
pub(super) struct Sorted {
    pub drafts: Vec<Draft>,
    pub of_line: Vec<usize>,
    by_trade: HashMap<String, Vec<usize>>,
}

/// Sorts the lines of one statement into the facts that are known of its trades.
pub(super) fn sort(known: Vec<Known>, lines: &[Read<'_>], day: NaiveDate) -> Sorted {
    let mut sorted = Sorted::default();
    for Known { fact, ours, theirs } in known {
        sorted.add(Draft { was: Some(fact.clone()), fact, ours, theirs, taken: false });
    }
    for read in lines {
        let place = match sorted.find(read) {
            Some(place) => place,
            None => {
                let fact = sorted.fresh(read.line, day);
                sorted.add(Draft { fact, was: None, ours: None, theirs: None, taken: false })
            }
        };
        let draft = &mut sorted.drafts[place];
        draft.taken = true;
        merge(&mut draft.fact, read, day);
        sorted.of_line.push(place);
    }
    sorted
}

impl Sorted {
    fn add(&mut self, draft: Draft) -> usize {
        self.by_trade.entry(draft.fact.trade_no.clone()).or_default().push(self.drafts.len());
        self.drafts.push(draft);
        self.drafts.len() - 1
    }

    fn of_trade(&self, line: &StatementLine) -> impl Iterator<Item = (usize, &Draft)> {
        let places = self.by_trade.get(&line.trade_no).map_or(&[][..], Vec::as_slice);
        let stated = line.stated;
        places
            .iter()
            .map(|place| (*place, &self.drafts[*place]))
            .filter(move |(_, d)| d.fact.stated == stated)
    }

    /// The fact that a line is about. A refund is known by the gateway's id, else by ours; a line without any id is what one
    /// like it was before, whatever became of that since, else the one of this amount and time; no other line of its
    /// file is it.
    fn find(&self, read: &Read<'_>) -> Option<usize> {
        let line = read.line;
        if !line.stated.is_one_refund() {
            return self.of_trade(line).next().map(|(place, _)| place);
        }
        let (theirs, ours) = (line.gateway_refund_id.as_deref(), line.refund_id.as_deref());
        let by = |is: &dyn Fn(&Draft) -> bool| {
            self.of_trade(line).find(|(_, draft)| is(draft)).map(|(place, _)| place)
        };
        let there = |draft: &Draft| {
            let stored = draft.fact.gateway_refund_id.as_deref().or(draft.theirs.as_deref());
            theirs.is_some() && stored == theirs
        };
        let here = |draft: &Draft| {
            let stored = [draft.fact.refund_id.as_deref(), draft.ours.as_deref()];
            let other =
                matches!((draft.fact.gateway_refund_id.as_deref(), theirs), (Some(a), Some(b)) if a != b);
            ours.is_some() && stored.contains(&ours) && !other
        };
        let before = |draft: &Draft| {
            read.seen == Some(draft.fact.id) && !draft.taken && theirs.is_none() && ours.is_none()
        };
        let alike = |draft: &Draft| {
            let fact = &draft.fact;
            let same =
                (fact.amount_minor, fact.currency, fact.at) == (line.amount_minor, line.currency, line.at);
            same && !draft.taken && (fact.is_unnamed() || (theirs.is_none() && ours.is_none()))
        };
        by(&there).or_else(|| by(&here)).or_else(|| by(&before)).or_else(|| by(&alike))
    }

    fn fresh(&self, line: &StatementLine, day: NaiveDate) -> Fact {
        let nameless =
            line.stated.is_one_refund() && line.refund_id.is_none() && line.gateway_refund_id.is_none();
        let unnamed = nameless.then(|| {
            let start = format!("{}:{}:", line.amount_minor, line.at.timestamp());
            // Some of those before may have got names since: behind the last, not as many as there are.
            let place =
                |draft: &Draft| draft.fact.unnamed.as_ref()?.strip_prefix(&start)?.parse::<usize>().ok();
            let last = self.of_trade(line).filter_map(|(_, draft)| place(draft)).max();
            format!("{start}{}", last.unwrap_or(0).saturating_add(1))
        });
        Fact {
            id: 0,
            day,
            stated: line.stated,
            trade_no: line.trade_no.clone(),
            number: None,
            refund_id: line.refund_id.clone(),
            gateway_refund_id: line.gateway_refund_id.clone(),
            unnamed,
            amount_minor: line.amount_minor,
            fee_minor: line.fee_minor,
            currency: line.currency,
            at: line.at,
            outcome: None,
            our_refund: None,
            booked_minor: None,
        }
    }
}

fn merge(fact: &mut Fact, read: &Read<'_>, day: NaiveDate) {
    let line = read.line;
    let number = line.number.clone().filter(|number| !number.is_empty());
    fact.number = fact.number.take().or(number);
    fact.refund_id = fact.refund_id.take().or_else(|| line.refund_id.clone());
    fact.gateway_refund_id = fact.gateway_refund_id.take().or_else(|| line.gateway_refund_id.clone());
    if !fact.is_unnamed() {
        fact.unnamed = None;
    }
    let fee = line.fee_minor.or(fact.fee_minor);
    let differs =
        (fact.amount_minor, fact.currency, fact.fee_minor) != (line.amount_minor, line.currency, fee);
    if differs && (read.seen.is_none() || fact.day == day) {
        fact.amount_minor = line.amount_minor;
        fact.currency = line.currency;
        fact.fee_minor = fee;
        fact.at = line.at;
        fact.day = day;
        fact.outcome = None;
    } else {
        fact.fee_minor = fact.fee_minor.or(line.fee_minor);
    }
}
