//! (m) Whether the time of an answer discloses if an address is known: for each door that takes an address, requests about known
//! and unknown ones, one after the other, compared by the Mann-Whitney test.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::admin::Admin;
use crate::client::{self, Connection};
use crate::shop::{self, SHOP, Shop};

/// Samples of each kind.
const SAMPLES: usize = 200;
/// Below, two kinds of addresses are told apart by their times.
const WANTED: f64 = 0.01;

/// A door: its name, the mutation, and the input for an address.
type TimedDoor = (&'static str, &'static str, fn(&str) -> Value);

const DOORS: [TimedDoor; 5] = [
    (
        "sessionCreate",
        "mutation($i: SessionCreateInput!) { sessionCreate(input: $i) { userErrors { code } } }",
        |email| json!({ "email": email, "password": "a wrong password of some length" }),
    ),
    (
        "userRegister",
        "mutation($i: UserRegisterInput!) { userRegister(input: $i) { userErrors { code } } }",
        |email| json!({ "email": email, "password": "one more password for the bench" }),
    ),
    (
        "passwordResetRequest",
        "mutation($i: PasswordResetRequestInput!) { passwordResetRequest(input: $i) { userErrors { code } } }",
        |email| json!({ "email": email }),
    ),
    (
        "emailConfirmationResend",
        "mutation($i: EmailConfirmationResendInput!) { emailConfirmationResend(input: $i) { userErrors { code } } }",
        |email| json!({ "email": email }),
    ),
    (
        "orderAccessRequest",
        "mutation($i: OrderAccessRequestInput!) { orderAccessRequest(input: $i) { userErrors { code } } }",
        |email| json!({ "email": email }),
    ),
];

pub async fn measure() {
    println!(
        "\n(m) what the time of an answer discloses, {SAMPLES} known and {SAMPLES} unknown addresses at each door"
    );
    let home = shop::folder();
    let shop = Shop::start(home.path());
    seed(&shop, home.path()).await;
    for (name, query, input) in DOORS {
        let mut connection = Connection::open(&shop.address).await;
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for n in 0..SAMPLES {
            // Who goes first changes, so that neither kind has the colder turn.
            let mut kinds = [("known", &mut known), ("unknown", &mut unknown)];
            if n % 2 == 1 {
                kinds.swap(0, 1);
            }
            for (kind, times) in kinds {
                let input = input(&format!("{kind}-{n}@people.example"));
                let body = json!({ "query": query, "variables": { "i": input } }).to_string();
                let request = client::post("/graphql", &[], &body);
                let began = Instant::now();
                let (status, answer) = connection.ask(&request).await;
                times.push(began.elapsed().as_secs_f64() * 1_000.0);
                let answer = String::from_utf8_lossy(&answer);
                assert!(status == 200 && !answer.contains("RATE_LIMITED"), "{name}: {answer}");
            }
        }
        let p = mann_whitney(&known, &unknown);
        let verdict = if p > WANTED { "met" } else { "MISSED" };
        println!(
            "    {name:24} known {:.2} ms, unknown {:.2} ms, p = {p:.3} (wanted above {WANTED}: {verdict})",
            crate::median(known),
            crate::median(unknown)
        );
    }
    shop.stop();
}

/// People and orders of the known addresses.
async fn seed(shop: &Shop, home: &Path) {
    let _admin = Admin::of(home, shop).await;
    let sql: Client = shop.sql().await;
    let people = format!(
        "insert into app_user (id, email, email_normalised, email_confirmed_at, password_hash)
           select gen_random_uuid(), e, e, app_now(), (select password_hash from app_user where password_hash is not null limit 1)
           from (select 'known-' || n || '@people.example' as e from generate_series(0, {SAMPLES}) n) known;
         insert into orders (id, seller_id, number, currency, subtotal_minor, total_minor, email, email_normalised, locale, pay_by)
           select gen_random_uuid(), '{SHOP}', 'T' || lpad(n::text, 9, '0'), 'USD', 100, 100, 'known-' || n || '@people.example',
             'known-' || n || '@people.example', 'en', app_now() + interval '1 day' from generate_series(0, {SAMPLES}) n"
    );
    sql.batch_execute(&people).await.unwrap();
}

/// The two-sided probability that samples of one kind differ as much by chance, by the normal approximation with correction
/// for ties: H. B. Mann, D. R. Whitney, Annals of Mathematical Statistics 18 (1947).
fn mann_whitney(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> =
        a.iter().map(|x| (*x, true)).chain(b.iter().map(|x| (*x, false))).collect();
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (n1, n2) = (a.len() as f64, b.len() as f64);
    let (mut ranks, mut ties, mut at) = (0.0, 0.0, 0);
    while at < all.len() {
        let same = all[at..].iter().take_while(|x| x.0 == all[at].0).count();
        let rank = at as f64 + (same as f64 + 1.0) / 2.0;
        ranks += all[at..at + same].iter().filter(|x| x.1).count() as f64 * rank;
        ties += (same as f64).powi(3) - same as f64;
        at += same;
    }
    let u = ranks - n1 * (n1 + 1.0) / 2.0;
    let n = n1 + n2;
    let sigma = (n1 * n2 / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)))).sqrt();
    let z = ((u - n1 * n2 / 2.0).abs() - 0.5).max(0.0) / sigma;
    tail(z)
}

/// Twice the normal distribution's tail above z: Abramowitz and Stegun 26.2.17, exact to 1.5e-7.
fn tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let series = [0.319_381_53, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let sum = series.iter().rev().fold(0.0, |sum, factor| (sum + factor) * t);
    2.0 * sum * (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}
