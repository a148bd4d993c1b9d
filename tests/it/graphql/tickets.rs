//! Tokens beside the request, and tickets that show a state and can do nothing else.

use serde_json::{Value, json};

use super::stocked::Stocked;
use super::wire::Wire;

const STATUS: &str =
    "query($t: String!) { orderStatus(ticket: $t) { __typename number stage total { amount currency }
    live { cursor pollAfterSeconds watchTicket watchTicketExpiresAt } whyNotDelivered { code } } }";

/// Rows: C7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_ticket_shows_how_far_its_order_is_and_is_refused_by_all_else() {
    let shop = Stocked::open().await;
    let guest = Wire::new(&shop.t);
    let waiting = shop.t.order(shop.keys, 1).await;
    let token = waiting.access_token.expose();
    let see = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { id live { watchTicket } payments { id } lines { id } } }";
    let number = &waiting.order.number;
    let order = guest.data(see, json!({ "n": number, "t": token })).await["order"].clone();
    let ticket = order["live"]["watchTicket"].as_str().unwrap().to_owned();
    let status = guest.data(STATUS, json!({ "t": ticket })).await["orderStatus"].clone();
    assert_eq!(
        (&status["__typename"], &status["number"], &status["stage"], &status["total"]),
        (
            &json!("OrderStatus"),
            &json!(number),
            &json!("AWAITING_PAYMENT"),
            &json!({ "amount": "12.50", "currency": "USD" })
        )
    );
    assert_eq!(status["live"]["watchTicket"], json!(ticket), "using it does not prolong it");
    let by_get = guest.get(&[("query", STATUS), ("variables", &json!({ "t": ticket }).to_string())]).await;
    assert_eq!(by_get.json()["data"]["orderStatus"]["number"], json!(number), "it may stand in a URL");
    let secret = guest.get(&[("query", STATUS), ("variables", &json!({ "t": token }).to_string())]).await;
    assert_eq!(secret.code(), "SECRET_IN_URL", "a token may not");
    for nonsense in [
        "",
        "wat_",
        "wat_1_ab",
        "wat_00000000000000000000000000_1_ab",
        token,
        &ticket[..ticket.len() - 1],
        &format!("{ticket}0"),
    ] {
        assert_eq!(
            guest.data(STATUS, json!({ "t": nonsense })).await["orderStatus"],
            Value::Null,
            "{nonsense}"
        );
    }
    // Not the order itself, by its number, as a node, or by the header.
    let beside = guest.with("dispense-order-token", &ticket);
    assert_eq!(guest.data(see, json!({ "n": number, "t": ticket })).await["order"], Value::Null);
    assert_eq!(beside.data(see, json!({ "n": number })).await["order"], Value::Null);
    for id in [&order["id"], &order["lines"][0]["id"], &order["payments"][0]["id"]] {
        assert_eq!(
            beside.data("query($i: ID!) { node(id: $i) { id } }", json!({ "i": id })).await["node"],
            Value::Null
        );
    }
    // No mutation takes it, except the one that asks the gateway.
    let (id, line) = (order["id"].as_str().unwrap(), order["lines"][0]["id"].as_str().unwrap());
    let unit = dispense::base::ids::UnitId(
        shop.t
            .db
            .one(&format!("select id from unit where order_id = '{}'", waiting.order.id.0))
            .await
            .parse()
            .unwrap(),
    );
    let mutations = [
        ("orderCancel", format!("{{orderId: \"{id}\", accessToken: $t}}")),
        (
            "paymentStart",
            format!(
                "{{idempotencyKey: \"a key of this test\", orderId: \"{id}\", accessToken: $t, options: {{methodId: \"mth_generic\", accepts: []}}}}"
            ),
        ),
        ("deliveryReveal", format!("{{target: {{lineId: \"{line}\"}}, accessToken: $t}}")),
        ("deliveryResend", format!("{{orderId: \"{id}\", accessToken: $t}}")),
        (
            "deliveryReport",
            format!(
                "{{idempotencyKey: \"a key of this test\", deliveryId: \"{unit}\", accessToken: $t, problem: \"X\", wish: HELP}}"
            ),
        ),
    ];
    for (name, input) in &mutations {
        let query = format!("mutation($t: String) {{ {name}(input: {input}) {{ userErrors {{ code }} }} }}");
        for (client, given) in [(&guest, json!({ "t": ticket })), (&beside, json!({}))] {
            let code = client.data(&query, given).await[name]["userErrors"][0]["code"].clone();
            assert!(code == "NOT_FOUND" || code == "FORBIDDEN", "{name}: {code}");
        }
    }
    let download = guest
        .data(
            "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { live { watchTicket } lines { grants { id } } } }",
            json!({ "n": shop.download.order.number, "t": shop.download.access_token.expose() }),
        )
        .await["order"]
        .clone();
    let link = guest
        .data(
            "mutation($g: ID!, $t: String) { downloadLinkCreate(input: {grantId: $g, accessToken: $t}) { link { url } userErrors { code } } }",
            json!({ "g": download["lines"][0]["grants"][0]["id"], "t": download["live"]["watchTicket"] }),
        )
        .await["downloadLinkCreate"]
        .clone();
    assert_eq!((&link["link"], &link["userErrors"][0]["code"]), (&Value::Null, &json!("FORBIDDEN")));
    let check = "mutation($p: ID!, $t: String) { paymentCheck(input: {paymentId: $p, accessToken: $t}) { payment { state action { hostedUrl } } order { id } userErrors { code } } }";
    let payment = &order["payments"][0]["id"];
    let checked = guest.data(check, json!({ "p": payment, "t": ticket })).await["paymentCheck"].clone();
    assert_eq!((&checked["payment"]["action"], &checked["order"]), (&Value::Null, &Value::Null), "{checked}");
    assert!(checked["payment"]["state"].is_string(), "{checked}");
    let foreign = guest.data(check, json!({ "p": payment, "t": download["live"]["watchTicket"] })).await;
    assert_eq!(foreign["paymentCheck"]["userErrors"][0]["code"], "NOT_FOUND");
    // Its hour ends.
    shop.t.advance(chrono::TimeDelta::minutes(71)).await;
    assert_eq!(guest.data(STATUS, json!({ "t": ticket })).await["orderStatus"], Value::Null);
    shop.finish().await;
}

/// Rows: C7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_header_with_order_tokens_opens_what_the_argument_opens() {
    let shop = Stocked::open().await;
    let guest = Wire::new(&shop.t);
    shop.buyer().await;
    let other = shop.t.paid_order(shop.keys, 7).await;
    let (one, two) = (shop.guest.access_token.expose(), other.access_token.expose());
    let find =
        "query($a: String!, $b: String!) { a: order(number: $a) { number } b: order(number: $b) { number } }";
    let numbers = json!({ "a": shop.guest.order.number, "b": other.order.number });
    let both = json!({ "a": { "number": shop.guest.order.number }, "b": { "number": other.order.number } });
    for client in [
        guest.with("dispense-order-token", one).with("Dispense-Order-Token", two),
        guest.with("dispense-order-token", &format!("nonsense, {one} ,{two},,")),
    ] {
        assert_eq!(client.data(find, numbers.clone()).await, both);
    }
    let single = guest.with("dispense-order-token", two);
    assert_eq!(single.data(find, numbers.clone()).await["a"], Value::Null);
    assert_eq!(guest.data(find, numbers).await, json!({ "a": null, "b": null }));
    // Nodes, and pages of a part that a cache refetches by its id alone.
    let line =
        shop.t.db.one(&format!("select id from order_line where order_id = '{}'", other.order.id.0)).await;
    let line = dispense::base::ids::LineId(line.parse().unwrap()).to_string();
    let refetch = "query($i: ID!, $a: String) { node(id: $i) { ... on OrderLine { deliveries(first: 5, after: $a) { nodes { ... on SecretDelivery { id masked } } pageInfo { endCursor } } } } }";
    let page = single.data(refetch, json!({ "i": line })).await["node"]["deliveries"].clone();
    let rest = single.data(refetch, json!({ "i": line, "a": page["pageInfo"]["endCursor"] })).await;
    let rest = rest["node"]["deliveries"]["nodes"].as_array().unwrap().clone();
    assert_eq!((page["nodes"].as_array().unwrap().len(), rest.len()), (5, 2));
    assert!(rest[0]["masked"].as_str().unwrap().contains('*'));
    assert_eq!(guest.data(refetch, json!({ "i": line })).await["node"], Value::Null);
    for (name, id, _) in shop.nodes().await.into_iter().filter(|(_, _, public)| !public) {
        let own = guest
            .with("dispense-order-token", shop.order.access_token.expose())
            .with("dispense-order-token", shop.download.access_token.expose());
        let seen =
            own.data("query($i: ID!) { node(id: $i) { id } }", json!({ "i": id })).await["node"].clone();
        let of_order = !["User", "Session", "KeyBatch", "Task"].contains(&name);
        assert_eq!(seen, if of_order { json!({ "id": id }) } else { Value::Null }, "{name}");
    }
    // And what is done to an order.
    let reveal = "mutation($l: ID!) { deliveryReveal(input: {target: {lineId: $l}}) { secrets { text } userErrors { code } } }";
    assert_eq!(
        guest.data(reveal, json!({ "l": line })).await["deliveryReveal"]["userErrors"][0]["code"],
        "NOT_FOUND"
    );
    let shown = single.data(reveal, json!({ "l": line })).await["deliveryReveal"].clone();
    assert_eq!(shown["secrets"].as_array().unwrap().len(), 7, "{shown}");
    // A guest's order joins the account of its own address.
    let claim = "mutation($o: ID!, $t: String) { orderClaim(input: {orderId: $o, accessToken: $t}) { order { id } userErrors { code } } }";
    let id = other.order.id.to_string();
    let owner = other.order.email.clone().unwrap();
    shop.t.buyer(&owner).await;
    let owner = Wire::signed_in(&shop.t, &owner).await;
    let refused = owner.data(claim, json!({ "o": id })).await;
    assert_eq!(refused["orderClaim"]["userErrors"][0]["code"], "NOT_FOUND");
    let (ticket, _) =
        dispense::orders::access::watch_ticket(&shop.t.app, other.order.id, other.order.access_generation);
    let by_ticket = owner.data(claim, json!({ "o": id, "t": ticket })).await;
    assert_eq!(by_ticket["orderClaim"]["userErrors"][0]["code"], "NOT_FOUND");
    let watched = guest.data(STATUS, json!({ "t": ticket })).await["orderStatus"].clone();
    assert_eq!(watched["number"], json!(other.order.number));
    let claimed = owner.with("dispense-order-token", two).data(claim, json!({ "o": id })).await;
    assert_eq!(claimed["orderClaim"], json!({ "order": { "id": id }, "userErrors": [] }));
    let watched = guest.data(STATUS, json!({ "t": ticket })).await["orderStatus"].clone();
    assert_eq!(watched, Value::Null, "the guest's ticket ended with the guest's token");
    shop.finish().await;
}
