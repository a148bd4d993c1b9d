//! What was bought: shown, downloaded, mailed again, complained about, and what staff does with it.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::shop::{
    BOOK, BUYER, Shop, deliveries, denied, import, new_keys, once, order, pay, refusal, shop, sign_in,
};
use crate::harness::visitor::Visitor;

async fn states(shop: &Shop, bought: &super::shop::Bought) -> Vec<Value> {
    let order = shop.see(bought).await;
    let nodes = order["lines"][0]["deliveries"]["nodes"].as_array().unwrap().clone();
    nodes.into_iter().map(|node| node["state"].clone()).collect()
}

/// Rows: K6 (deliveryReveal), L1 (downloadLinkCreate).
/// Sends: deliveryReveal, downloadLinkCreate, myDownloads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buyers_see_their_keys_and_download_their_files_and_strangers_do_not() {
    let shop = shop().await;
    let t = shop.t();
    let seen = shop.see(&shop.by_guest).await;
    let line = seen["lines"][0]["id"].clone();
    let reveal = async |who: &Visitor, target: Value, token: &Value| {
        let input = json!({ "target": target, "accessToken": token });
        who.act("deliveryReveal", input, "secrets { text delivery { id } } line { id }").await
    };
    let (whole, token) = (json!({ "lineId": line }), &shop.by_guest.token);
    assert_eq!(refusal(&reveal(&shop.guest, whole.clone(), &Value::Null).await), "NOT_FOUND target");
    assert_eq!(refusal(&reveal(&shop.buyer, whole.clone(), &Value::Null).await), "NOT_FOUND target");
    let late = json!({ "lineId": shop.see(&shop.unpaid).await["lines"][0]["id"] });
    assert_eq!(refusal(&reveal(&shop.guest, late, &shop.unpaid.token).await), "NOT_PAID");
    let none = json!({ "deliveryIds": [] });
    assert_eq!(refusal(&reveal(&shop.guest, none, token).await), "INVALID target.deliveryIds");
    assert_eq!(states(&shop, &shop.by_guest).await, ["READY", "READY"]);
    let one = json!({ "deliveryIds": [deliveries(&seen, "key")[0]] });
    assert_eq!(reveal(&shop.guest, one, token).await["secrets"].as_array().unwrap().len(), 1);
    assert_eq!(states(&shop, &shop.by_guest).await, ["REVEALED", "READY"]);
    let all = reveal(&shop.guest, whole, token).await;
    assert_eq!(refusal(&all), "done");
    let texts: Vec<&str> =
        all["secrets"].as_array().unwrap().iter().map(|s| s["text"].as_str().unwrap()).collect();
    assert!(
        texts.len() == 2 && texts.iter().all(|text| text.starts_with("CANARY-KEY-")) && texts[0] != texts[1]
    );
    assert_eq!(states(&shop, &shop.by_guest).await, ["REVEALED", "REVEALED"]);

    let downloads =
        "{ myDownloads { totalCount nodes { kind order { number } grants { id canDownload used } } } }";
    assert_eq!(shop.guest.ask(downloads, json!({})).await["myDownloads"], Value::Null);
    let mine = async || shop.buyer.ask(downloads, json!({})).await["myDownloads"].clone();
    let list = mine().await;
    assert_eq!(
        (&list["totalCount"], &list["nodes"][0]["order"]["number"]),
        (&json!(2), &json!(shop.by_buyer.number))
    );
    let grant = |list: &Value| {
        let lines = list["nodes"].as_array().unwrap();
        lines.iter().find(|line| line["kind"] == "file").unwrap()["grants"][0].clone()
    };
    let file = grant(&list);
    assert_eq!((&file["used"], &file["canDownload"]), (&json!(0), &json!(true)));
    let link = async |who: &Visitor, id: &Value, within: i32| {
        let input = json!({ "grantId": id, "startWithinSeconds": within });
        who.act("downloadLinkCreate", input, "link { url countsOnStart file { version } } grant { used }")
            .await
    };
    assert_eq!(refusal(&link(&shop.guest, &file["id"], 600).await), "NOT_FOUND grantId");
    assert_eq!(refusal(&link(&shop.seller, &file["id"], 600).await), "NOT_FOUND grantId");
    assert_eq!(refusal(&link(&shop.buyer, &file["id"], 5).await), "INVALID startWithinSeconds");
    let made = link(&shop.buyer, &file["id"], 600).await;
    assert_eq!((refusal(&made).as_str(), &made["link"]["file"]["version"]), ("done", &json!("1")));
    assert_eq!(grant(&mine().await)["used"], 0, "a link counts nothing");
    let answer = t.http().get(made["link"]["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.bytes().await.unwrap()[..]), (200, BOOK));
    assert_eq!(grant(&mine().await)["used"], 1);
    shop.sound().await;
}

/// Sends: deliveryResend, deliveryReport.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_has_the_mail_sent_again_and_complains_about_a_key() {
    let shop = shop().await;
    let t = shop.t();
    let mails = async |who: &Visitor| {
        let order = shop.see_as(who, &shop.by_guest).await;
        let entries = order["timeline"].as_array().unwrap();
        entries.iter().filter(|e| e["source"] == "MAIL").count()
    };
    let resend = async |order: &str, token: &Value| {
        let input = json!({ "orderId": order, "accessToken": token });
        shop.guest.act("deliveryResend", input, "nextAllowedAt").await
    };
    let bought = &shop.by_guest;
    assert_eq!(refusal(&resend(&bought.id, &Value::Null).await), "NOT_FOUND orderId");
    assert_eq!(refusal(&resend(&shop.unpaid.id, &shop.unpaid.token).await), "NOT_PAID");
    let before = mails(&shop.support).await;
    t.advance(TimeDelta::hours(2)).await;
    let sent = resend(&bought.id, &bought.token).await;
    assert!(refusal(&sent) == "done" && sent["nextAllowedAt"].is_string(), "{sent}");
    assert_eq!(refusal(&resend(&bought.id, &bought.token).await), "RESEND_TOO_SOON");
    shop.street.settled().await;
    let support = sign_in(t, &shop.support.email).await;
    assert_eq!(mails(&support).await, before + 1);

    let seen = shop.see(bought).await;
    let piece = deliveries(&seen, "key")[0].clone();
    let key = once();
    let report = async |key: &str, token: &Value, problem: &str| {
        let input = json!({ "idempotencyKey": key, "deliveryId": piece, "accessToken": token, "problem": problem,
            "wish": "REPLACE", "text": "It says that the key is used." });
        shop.guest.act("deliveryReport", input, "line { id }").await
    };
    assert_eq!(refusal(&report(&key, &Value::Null, "ALREADY_USED").await), "NOT_FOUND deliveryId");
    assert_eq!(refusal(&report(&key, &bought.token, "not a code!").await), "INVALID problem");
    let done = report(&key, &bought.token, "ALREADY_USED").await;
    assert_eq!((refusal(&done).as_str(), &done["line"]["id"]), ("done", &seen["lines"][0]["id"]));
    assert_eq!(refusal(&report(&once(), &bought.token, "ALREADY_USED").await), "ALREADY_REPORTED");
    // Who sells it has two days to answer.
    t.advance(TimeDelta::days(3)).await;
    t.sweep().await;
    let support = sign_in(t, &shop.support.email).await;
    let query = "{ desk { tasks(filter: { kinds: [\"delivery_reported\"] }) { nodes { orderId lineId state detail } } } }";
    let tasks = support.ask(query, json!({})).await["desk"]["tasks"]["nodes"].clone();
    assert_eq!(tasks.as_array().unwrap().len(), 1);
    assert_eq!((&tasks[0]["orderId"], &tasks[0]["state"]), (&json!(bought.id), &json!("OPEN")));
    assert!(tasks[0]["detail"].as_str().unwrap().contains("It says that the key is used."), "{tasks}");
    shop.sound().await;
}

/// Sends: deliveryRevealForStaff, deliveryCorrectAddress.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn support_looks_at_a_key_and_corrects_an_address_with_a_reason() {
    let shop = shop().await;
    let bought = &shop.by_guest;
    let seen = shop.see(bought).await;
    let show = async |who: &Visitor, target: Value, reason: &str| {
        let input = json!({ "target": target, "reason": reason });
        who.act("deliveryRevealForStaff", input, "secrets { text } timesShown").await
    };
    let target = json!({ "deliveryIds": [deliveries(&seen, "key")[0]] });
    let input = json!({ "target": target, "reason": "curious" });
    assert_eq!(denied(&shop.buyer, "deliveryRevealForStaff", input).await, "FORBIDDEN");
    assert_eq!(refusal(&show(&shop.support, target.clone(), " ").await), "REASON_REQUIRED reason");
    assert_eq!(
        refusal(&show(&shop.support, json!({ "lineId": "nonsense" }), "asked").await),
        "NOT_FOUND target"
    );
    let shown = show(&shop.support, target, "the buyer asked on the phone").await;
    assert_eq!((refusal(&shown).as_str(), &shown["timesShown"]), ("done", &json!("1")));
    assert!(shown["secrets"][0]["text"].as_str().unwrap().starts_with("CANARY-KEY-"));
    let timeline = shop.see_as(&shop.support, bought).await["timeline"].clone();
    assert!(timeline.as_array().unwrap().iter().any(|e| e["source"] == "STAFF"), "{timeline}");
    assert_eq!(states(&shop, bought).await, ["READY", "READY"], "the buyer has not seen it");

    let correct = async |who: &Visitor, order: &str, email: &str, reason: &str| {
        let input = json!({ "orderId": order, "email": email, "reason": reason });
        who.act("deliveryCorrectAddress", input, "order { email }").await
    };
    let input = json!({ "orderId": bought.id, "email": "new@people.example", "reason": "x" });
    assert_eq!(denied(&shop.guest, "deliveryCorrectAddress", input).await, "FORBIDDEN");
    let (support, right) = (&shop.support, "new@people.example");
    assert_eq!(refusal(&correct(support, &bought.id, right, " ").await), "REASON_REQUIRED reason");
    assert_eq!(
        refusal(&correct(support, &bought.id, "no address", "typed wrong").await),
        "EMAIL_INVALID email"
    );
    assert_eq!(refusal(&correct(support, "nonsense", right, "typed wrong").await), "NOT_FOUND orderId");
    assert_eq!(correct(support, &bought.id, right, "typed wrong").await["order"]["email"], right);
    shop.street.settled().await;
    assert_eq!(shop.see(bought).await, Value::Null, "the old token opens nothing");
    assert_eq!(shop.see_as(support, bought).await["email"], right);
    shop.sound().await;
}

/// Sends: deliveryRetry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn support_has_a_delivery_tried_again_that_waits_for_keys() {
    let shop = shop().await;
    let t = shop.t();
    // Somebody buys all keys before the first order is paid.
    let rest =
        order(&shop.street, &shop.guest, &[(&shop.keys, 7)], "87.50", Some("all@people.example")).await;
    pay(&shop.street, &rest).await;
    pay(&shop.street, &shop.unpaid).await;
    let waiting = shop.see(&shop.unpaid).await;
    assert_eq!((&waiting["state"], &waiting["stage"]), (&json!("PAID"), &json!("DELIVERING")), "{waiting}");
    let piece = |order: &Value| order["lines"][0]["deliveries"]["nodes"][0]["id"].clone();
    let retry = async |ids: Value| {
        let fields = "results { deliveryId queued userErrors { code field } }";
        shop.support.act("deliveryRetry", json!({ "deliveryIds": ids }), fields).await
    };
    let ids = json!([piece(&waiting), piece(&shop.see(&rest).await), "nonsense"]);
    assert_eq!(denied(&shop.seller, "deliveryRetry", json!({ "deliveryIds": ids })).await, "FORBIDDEN");
    assert_eq!(refusal(&retry(json!([])).await), "INVALID deliveryIds");
    let due = async || shop.desk("health { jobsDue deliveriesWaiting }").await["health"].clone();
    assert_eq!(due().await, json!({ "jobsDue": "0", "deliveriesWaiting": "1" }));
    let tried = retry(ids).await;
    let results: Vec<String> = tried["results"].as_array().unwrap().iter().map(refusal).collect();
    assert_eq!(results, ["done", "ALREADY_DELIVERED", "NOT_FOUND"], "{tried}");
    assert_eq!(due().await["jobsDue"], "1", "another try is queued");
    shop.street.settled().await;
    assert_eq!(shop.see(&shop.unpaid).await["stage"], "DELIVERING", "there are still no keys");
    import(t, &shop.seller, &shop.keys.variant, &new_keys(t, 1)).await;
    shop.street.settled().await;
    assert_eq!(shop.see(&shop.unpaid).await["stage"], "DELIVERED");
    assert_eq!(due().await["deliveriesWaiting"], "0");
    assert_eq!(shop.buyer.ask("{ me { email } }", json!({})).await["me"]["email"], BUYER);
    shop.sound().await;
}

/// Rows: L4 (grantExtend, grantRevoke).
/// Sends: grantExtend, grantRevoke, downloadLinkCreate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn support_extends_a_right_to_download_and_revokes_it() {
    let shop = shop().await;
    let t = shop.t();
    let own = "{ myDownloads { nodes { kind grants { id state remaining expiresAt } } } }";
    let mine = async || {
        let lines = shop.buyer.ask(own, json!({})).await["myDownloads"]["nodes"].clone();
        let book = lines.as_array().unwrap().iter().find(|line| line["kind"] == "file").unwrap();
        book["grants"][0].clone()
    };
    let before = mine().await;
    let id = before["id"].clone();
    let fields = "grant { id state remaining expiresAt }";
    let extend = async |input: Value| shop.support.act("grantExtend", input, fields).await;
    for who in [&shop.buyer, &shop.seller] {
        let input = json!({ "grantId": id, "moreDownloads": 1 });
        assert_eq!(denied(who, "grantExtend", input).await, "FORBIDDEN");
        assert_eq!(denied(who, "grantRevoke", json!({ "grantId": id })).await, "FORBIDDEN");
    }
    assert_eq!(
        refusal(&extend(json!({ "grantId": "nonsense", "moreDownloads": 1 })).await),
        "NOT_FOUND grantId"
    );
    assert_eq!(refusal(&extend(json!({ "grantId": id })).await), "INVALID moreDownloads");
    assert_eq!(
        refusal(&extend(json!({ "grantId": id, "moreDownloads": 1_001 })).await),
        "INVALID moreDownloads"
    );
    let end = (t.app.clock.now() + TimeDelta::days(3)).format("%Y-%m-%dT00:00:00Z").to_string();
    let done = extend(json!({ "grantId": id, "moreDownloads": 2, "expiresAt": end })).await;
    assert_eq!((refusal(&done).as_str(), &done["grant"]), ("done", &mine().await));
    let more = before["remaining"].as_i64().map(|left| left + 2);
    assert_eq!((done["grant"]["remaining"].as_i64(), &done["grant"]["expiresAt"]), (more, &json!(end)));

    let link = async || {
        let input = json!({ "grantId": id, "startWithinSeconds": 600 });
        shop.buyer.act("downloadLinkCreate", input, "link { url }").await
    };
    let url = link().await["link"]["url"].as_str().unwrap().to_owned();
    let revoke = async || shop.support.act("grantRevoke", json!({ "grantId": id }), fields).await;
    for _ in 0..2 {
        let done = revoke().await;
        assert_eq!((refusal(&done).as_str(), &done["grant"]["state"]), ("done", &json!("REVOKED")));
    }
    assert_eq!(mine().await["state"], "REVOKED");
    assert_eq!(refusal(&link().await), "REVOKED");
    assert_eq!(t.http().get(url).send().await.unwrap().status(), 403, "a link made before opens nothing");
    assert_eq!(
        refusal(&extend(json!({ "grantId": id, "moreDownloads": 1 })).await),
        "ILLEGAL_TRANSITION grantId"
    );
    shop.sound().await;
}
