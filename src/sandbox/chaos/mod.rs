//! Random stories about payments: refunds, disputes, repeated, delayed and shuffled notices. A seed decides
//! all of it, so that a story that a shop did not survive can be played again.

mod moves;

use std::sync::Arc;
use std::time::Duration;

use poem::http::StatusCode;
use poem::web::{Data, Json, Path};
use poem::{IntoResponse, Response, handler};
use serde::Deserialize;
use serde_json::{Value, json};

use super::acts;
use super::chance::Chance;
use super::notices;
use super::simulator::Desk;
use moves::Move;

/// Steps of a story when nobody says how many.
const STEPS: u64 = 12;

/// Most payments of one story.
const PAYMENTS: usize = 3;

/// How long a story waits before its next step when it is played by itself.
const GAP: Duration = Duration::from_secs(1);

/// One story on its way.
pub(super) struct Story {
    seed: u64,
    chance: Chance,
    /// The payments' ids.
    payments: Vec<String>,
    /// Steps before it is brought to its end.
    left: u64,
    played: u64,
    /// Whose notices were all repeated at the end.
    repeated: usize,
    /// Disputes that are still open at the end.
    spared: Vec<String>,
    over: bool,
}

/// All stories since the start.
#[derive(Default)]
pub(super) struct Stories(Vec<Story>);

/// Begins a story about payments that the shop has started.
pub(super) fn start(desk: &Desk, seed: u64, payments: &[String], steps: u64) -> Result<usize, String> {
    if payments.is_empty() || payments.len() > PAYMENTS {
        return Err(format!("a story is about one to {PAYMENTS} payments"));
    }
    let now = desk.clock.unix();
    let find = |id: &String| {
        let found = desk.change(|book| book.payment(id, now).map(|p| p.id.clone()));
        found.ok_or_else(|| format!("no such payment: {id}"))
    };
    let payments = payments.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let (chance, left) = (Chance::of(seed), steps);
    let mut stories = desk.stories();
    stories.0.push(Story {
        seed,
        chance,
        payments,
        left,
        played: 0,
        repeated: 0,
        spared: Vec::new(),
        over: false,
    });
    Ok(stories.0.len() - 1)
}

/// Plays the next step: what was done, to which payment, and what the gateway said to it.
pub(super) fn next(desk: &Arc<Desk>, story: usize) -> Result<Value, String> {
    let chosen = {
        let mut stories = desk.stories();
        let story = stories.0.get_mut(story).ok_or("no such story")?;
        let chosen = story.choose(desk);
        story.played += 1;
        story.over = chosen.is_none();
        chosen.map(|(payment, chosen)| (payment, chosen, story.seed, story.played))
    };
    let Some((id, Move { act, input, .. }, seed, step)) = chosen else {
        return Ok(json!({ "over": true }));
    };
    let now = desk.clock.unix();
    let number = desk.change(|book| book.payment(&id, now).map(|p| p.number.clone()));
    let given = serde_json::from_value(input.clone()).map_err(|e| e.to_string())?;
    let refused = acts::act(desk, &id, act, &given).err().map(|refusal| refusal.message);
    let done = json!({ "over": false, "step": step, "payment": number, "act": act, "input": input,
        "refused": refused });
    desk.change(|book| {
        book.write("chaos", &id, now, json!({ "seed": seed, "step": step, "act": act, "refused": refused }));
    });
    Ok(done)
}

impl Story {
    /// The payment and the move of the next step; none at the end.
    fn choose(&mut self, desk: &Desk) -> Option<(String, Move)> {
        let now = desk.clock.unix();
        let look = |id: &String| desk.change(|book| book.payment(id, now).cloned());
        if self.left > 0 {
            self.left -= 1;
            let id = self.chance.pick(&self.payments)?.clone();
            let payment = look(&id)?;
            let can = desk.side(&payment.side)?.can();
            let sent = notices::of(desk, &id);
            let chosen = moves::choose(&payment, can, &sent, &mut self.chance);
            return Some((id, chosen));
        }
        for (index, id) in self.payments.clone().iter().enumerate() {
            let Some(payment) = look(id) else { continue };
            let Some(side) = desk.side(&payment.side) else { continue };
            if let Some(last) = moves::wind_up(&payment, side.can(), &mut self.spared, &mut self.chance) {
                return Some((id.clone(), last));
            }
            if self.repeated <= index {
                self.repeated = index + 1;
                if self.chance.percent(60) && !notices::of(desk, id).is_empty() {
                    return Some((id.clone(), moves::repeat_all(&mut self.chance)));
                }
            }
        }
        None
    }
}

/// Plays stories with whatever is paid from now on.
pub(super) fn unleash(desk: &Arc<Desk>, seed: u64) {
    let desk = desk.clone();
    notices::background(&desk, async move |desk| {
        let mut chance = Chance::of(seed);
        let mut begun = 0;
        loop {
            tokio::time::sleep(GAP).await;
            let known: Vec<String> = desk.stories().0.iter().flat_map(|s| s.payments.clone()).collect();
            let fresh: Vec<String> = desk.read(|book| {
                let paid = book.payments.iter().filter(|p| !p.captures.is_empty() && !known.contains(&p.id));
                paid.map(|p| p.id.clone()).collect()
            });
            for few in fresh.chunks(PAYMENTS) {
                let steps = 4 + chance.below(12);
                if let Err(error) = start(&desk, seed.wrapping_add(begun), few, steps) {
                    tracing::warn!(error, "a story could not begin");
                }
                begun += 1;
            }
            let open: Vec<usize> = {
                let stories = desk.stories();
                stories.0.iter().enumerate().filter(|(_, s)| !s.over).map(|(index, _)| index).collect()
            };
            for story in open {
                match next(&desk, story) {
                    Ok(done) => tracing::info!(story, %done, "chaos"),
                    Err(error) => tracing::warn!(error, "a story stopped"),
                }
            }
        }
    });
}

/// What a story is to be about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChaosWish {
    seed: u64,
    payments: Vec<String>,
    steps: Option<u64>,
}

fn answered(done: Result<Value, String>) -> Response {
    match done {
        Ok(done) => Json(done).into_response(),
        Err(error) => Json(json!({ "error": error })).with_status(StatusCode::NOT_FOUND).into_response(),
    }
}

/// `POST /sandbox/chaos`.
#[handler]
pub(super) fn begin(desk: Data<&Arc<Desk>>, wish: Json<ChaosWish>) -> Response {
    let begun = start(&desk, wish.seed, &wish.payments, wish.steps.unwrap_or(STEPS));
    answered(begun.map(|story| json!({ "story": story, "seed": wish.seed })))
}

/// `POST /sandbox/chaos/{story}/next` plays one step, `…/play` all that are left, without waiting between them.
#[handler]
pub(super) fn go_on(desk: Data<&Arc<Desk>>, Path((story, how)): Path<(usize, String)>) -> Response {
    match how.as_str() {
        "next" => answered(next(&desk, story)),
        "play" => answered(play(&desk, story)),
        _ => answered(Err("a story goes on by `next` or `play`".into())),
    }
}

fn play(desk: &Arc<Desk>, story: usize) -> Result<Value, String> {
    let mut steps = Vec::new();
    loop {
        let done = next(desk, story)?;
        if done["over"] == true {
            return Ok(json!({ "steps": steps }));
        }
        steps.push(done);
    }
}
