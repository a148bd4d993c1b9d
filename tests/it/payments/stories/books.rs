//! The gateway's books and the shop's side by side.

use serde_json::Value;

use super::shop::{Bought, Shop, cents};

/// What one capture came to, by the gateway's books.
#[derive(Debug)]
struct Taken {
    captured: i64,
    given_back: i64,
    lost: i64,
    disputed: bool,
    /// Something went back at some time, whatever came after.
    ever: bool,
    /// All that ever was on its way back or disputed.
    most_gone: i64,
}

fn rows<'a>(of: &'a Value, key: &str) -> &'a Vec<Value> {
    of[key].as_array().unwrap_or_else(|| panic!("no {key} in {of}"))
}

fn number(of: &Value, key: &str) -> i64 {
    of[key].as_i64().unwrap_or_else(|| panic!("no {key} in {of}"))
}

fn taken(payment: &Value) -> Vec<Taken> {
    let of = |capture: &Value| {
        let mine = |row: &&Value| row["trade_no"] == capture["trade_no"];
        let refunds = || rows(payment, "refunds").iter().filter(mine);
        let disputes = || rows(payment, "disputes").iter().filter(mine);
        Taken {
            captured: number(capture, "amount"),
            given_back: refunds().filter(|r| r["status"] == "succeeded").map(|r| number(r, "amount")).sum(),
            lost: disputes().map(|d| number(d, "taken")).sum(),
            // PayPal withholds the money while buyer and seller talk; at Stripe an inquiry moves nothing.
            disputed: disputes().any(|d| {
                d["status"] == "opened" || (d["status"] == "inquiry" && payment["side"] == "paypal")
            }),
            most_gone: refunds().map(|r| number(r, "amount")).sum::<i64>()
                + disputes().map(|d| number(d, "amount")).sum::<i64>(),
            ever: refunds().any(|r| !r["succeeded_at"].is_null())
                || disputes().any(|d| d["status"] == "lost" || d["status"] == "won_after_lost"),
        }
    };
    rows(payment, "captures").iter().map(of).collect()
}

/// Where the shop's books differ from the gateway's; nothing when they are equal.
pub async fn differences(shop: &Shop, bought: &Bought) -> Vec<String> {
    let there = shop.there(bought)["payment"].clone();
    let page = shop.page(bought).await;
    let mut found = Vec::new();
    let mut compare = |what: &str, theirs: String, ours: String| {
        if theirs != ours {
            found.push(format!(
                "{} of {}: {what}: the gateway {theirs}, the shop {ours}",
                bought.gateway, bought.number
            ));
        }
    };
    let theirs = taken(&there);
    let ours: Vec<&Value> = rows(&page, "payments")
        .iter()
        .filter(|p| {
            let state = p["state"].as_str().unwrap();
            ["CAPTURED", "PARTIALLY_REFUNDED", "REFUNDED", "DISPUTED", "LOST"].contains(&state)
        })
        .collect();
    let sorted = |mut list: Vec<(i64, i64)>| {
        list.sort_unstable();
        format!("{list:?}")
    };
    compare(
        "captured and gone",
        sorted(theirs.iter().map(|t| (t.captured, t.given_back + t.lost)).collect()),
        sorted(
            ours.iter().map(|p| (cents(&p["amount"]["amount"]), cents(&p["refunded"]["amount"]))).collect(),
        ),
    );
    let disputed = ours.iter().filter(|p| p["state"] == "DISPUTED").count();
    // What is lost to the last cent cannot be disputed any further.
    let all_lost = |t: &&Taken| t.lost > 0 && t.given_back + t.lost == t.captured;
    compare(
        "payments disputed",
        theirs.iter().filter(|t| t.disputed && !all_lost(t)).count().to_string(),
        disputed.to_string(),
    );
    let open = rows(&page, "refunds").iter().filter(|r| {
        let state = r["state"].as_str().unwrap();
        ["REQUESTED", "PENDING", "UNKNOWN"].contains(&state)
    });
    // What the gateway does not say in a way that can be believed goes to a person.
    let (open, unclear) = (open.count(), shop.has_task(bought, "refund_unclear").await);
    if open == 0 || !unclear {
        compare("refunds on their way", "0".into(), open.to_string());
        // The doors are shut for as long as a refund is open.
        goods(shop, bought, &theirs, &mut compare).await;
    }
    mails(shop, bought, &there, &mut compare).await;
    found
}

/// Nobody keeps goods that nobody paid for, and nobody loses goods that are paid.
async fn goods(
    shop: &Shop,
    bought: &Bought,
    theirs: &[Taken],
    compare: &mut impl FnMut(&str, String, String),
) {
    let shown = shop.reveal(bought).await;
    let kept: i64 = theirs.iter().map(|t| t.captured - t.given_back - t.lost).sum();
    let disputed = theirs.iter().any(|t| t.disputed);
    let touched = theirs.iter().any(|t| t.ever || t.disputed);
    if theirs.is_empty() || kept == 0 || (disputed && theirs.len() == 1) {
        let said = shown.map_or_else(|_| "no key".to_owned(), |keys| format!("{keys} keys"));
        compare("keys shown", "no key".into(), if said == "0 keys" { "no key".into() } else { said });
    } else if !touched {
        compare("keys shown", format!("{:?}", Ok::<i32, String>(bought.units)), format!("{shown:?}"));
    } else if let [all] = theirs
        && all.most_gone < all.captured
    {
        // The whole of the money was never gone: only units that refunds named are.
        let least = usize::try_from(bought.units).unwrap() - shop.named_units(bought).await;
        let shown = shown.unwrap_or(0);
        if shown < least {
            compare("keys shown", format!("{least} at least"), shown.to_string());
        }
    }
}

/// Once each time that a refund was made: one that failed in between is reported again, and so is one of which the buyer read
/// that it failed because the news came in another order. Where refunds are not named, or what was reported of them came late,
/// at least once and not more often.
async fn mails(shop: &Shop, bought: &Bought, there: &Value, compare: &mut impl FnMut(&str, String, String)) {
    let refunds = rows(there, "refunds");
    let made: usize = refunds.iter().map(|r| usize::try_from(number(r, "successes")).unwrap()).sum();
    let standing = refunds.iter().filter(|r| r["status"] == "succeeded").count();
    let sent = shop.mails(bought, "refund_made").await;
    // A sum that was weighed while one of the refunds in it had failed unheard is written of in two parts.
    let unheard = refunds.iter().filter(|r| r["succeeded_at"].is_null() && r["status"] == "failed").count();
    let parts = if bought.gateway == "stripe" { unheard } else { 0 };
    let most = made + parts + shop.mails(bought, "refund_failed").await;
    let least = standing.min(1);
    if sent > most || sent < least {
        compare("mails of refunds", format!("{least} to {most}"), sent.to_string());
    }
}
