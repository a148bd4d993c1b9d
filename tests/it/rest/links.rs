//! Links that people pass on: what others add to them changes nothing, and whoever opens one learns what to do.

use chrono::TimeDelta;
use dispense::base::ids::{GrantId, PaymentId};
use dispense::delivery::claim_links;
use dispense::payments::attempts::hosted;
use reqwest::Response;
use serde_json::Value;

use crate::downloads::shop::{FileShop, Sale, link};
use crate::harness::{TestApp, with_generic};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

/// What social networks, mail services and chats add.
const ADDED: [&str; 8] = [
    "fbclid=IwAR0abc",
    "utm_source=newsletter&utm_medium=email&utm_campaign=x",
    "from=singlemessage&isappinstalled=0",
    "gclid=1&gclid=2",
    "x",
    "&&=&%zz",
    "mc_cid=%3Cscript%3E&token=zzz",
    "locale=zh",
];

async fn opened() -> (TestApp, Sale, GrantId, String) {
    let t = TestApp::start_with(|config| {
        with_generic(config);
        config.shop.name = "A <b>Shop</b>".into();
        config.shop.support_email = Some("help@shop.example".into());
    })
    .await;
    let shop = FileShop::open(&t).await;
    shop.publish(&t, "a.bin", "1", b"content").await;
    let (sale, grant) = shop.granted(&t, Some(2)).await;
    let claim = claim_links(&t.app, sale.order).await.unwrap().remove(0).url;
    (t, sale, grant, claim)
}

async fn open(t: &TestApp, url: &str, accept: &str, language: &str) -> Response {
    let request = t.http().get(url).header("accept", accept).header("accept-language", language);
    request.send().await.unwrap()
}

/// The page behind an answer, and that it is a safe one.
async fn page(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let head =
        |name: &str| answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
    assert_eq!(head("content-type"), "text/html; charset=utf-8", "{status}");
    assert_eq!(head("cache-control"), "private, no-store");
    assert_eq!(head("x-content-type-options"), "nosniff");
    assert_eq!(head("referrer-policy"), "no-referrer");
    let policy = head("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'nonce-")
            && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let text = answer.text().await.unwrap();
    for never in ["<script", "src=", "http-equiv", "@import", "url("] {
        assert!(!text.contains(never), "{never} in {text}");
    }
    (status, text)
}

/// Rows: L3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_add_to_a_link_changes_nothing() {
    let (t, sale, grant, claim) = opened().await;
    t.db.sql("update download_grant set max_downloads = null").await;
    let payment = {
        let variant = t.selling_keys(1, 500).await;
        let placed = t.place(&[(variant, 1)]).await;
        let id = t.attempt(&placed, 1).await;
        t.db.sql(&format!(
            "update payment set action = '{{\"kind\": \"instructions\", \"text\": \"Transfer.\"}}' where id = '{}'",
            id.0
        ))
        .await;
        id
    };
    for added in ADDED {
        let (status, text) = page(open(&t, &format!("{claim}?{added}"), BROWSER, "en").await).await;
        assert_eq!(status, 200, "{added}");
        assert!(text.contains("a.bin") && text.contains("method=\"post\""), "{added}: {text}");
        assert_eq!(text.contains("下载"), added == "locale=zh", "{added}");
        let data = t.http().get(format!("{claim}?{added}")).send().await.unwrap();
        assert_eq!(
            (data.status().as_u16(), &data.headers()["content-type"]),
            (200, &"application/json".parse().unwrap())
        );
        let posted = t.http().post(format!("{claim}?{added}")).send().await.unwrap();
        assert_eq!(posted.status(), 303, "{added}");
        let url = link(&t, grant).await.url;
        let bytes = t.http().get(format!("{url}?{added}")).send().await.unwrap();
        assert_eq!(bytes.text().await.unwrap(), "content", "{added}");
        let (status, text) = page(
            open(&t, &format!("{}?{added}", hosted::url(&t.app.payments, payment)), BROWSER, "en").await,
        )
        .await;
        assert!(status == 200 && text.contains("Transfer."), "{added}: {text}");
        let (status, _) =
            page(open(&t, &format!("{}/return/{payment}?{added}&trade_no=1", t.base), BROWSER, "en").await)
                .await;
        assert_eq!(status, 200, "{added}");
    }
    // Ours may stand once.
    let forged = (403, "LINK_FORGED");
    let doubled = (400, "BAD_REQUEST");
    for (url, name, (status, code)) in [
        (claim.clone(), "token", forged),
        (claim.clone(), "locale", doubled),
        (link(&t, grant).await.url, "token", forged),
        (hosted::url(&t.app.payments, payment), "locale", doubled),
        (format!("{}/return/{payment}", t.base), "locale", doubled),
    ] {
        let answer = t.http().get(format!("{url}?{name}=en&x=1&{name}=zh")).send().await.unwrap();
        assert_eq!(answer.status(), status, "{url} {name}");
        let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(problem["code"], code);
        let page = page(open(&t, &format!("{url}?{name}=en&{name}=zh"), BROWSER, "en").await).await;
        assert_eq!(page.0, status);
    }
    assert!(claim_links(&t.app, sale.order).await.is_ok());
    t.finish_with_jobs().await;
}

/// Rows: L3, L8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_gets_a_page_in_its_language_that_says_what_to_do_and_other_clients_get_a_code() {
    let (t, sale, grant, claim) = opened().await;
    let download = link(&t, grant).await.url;
    let order = sale.order.0;
    t.db.sql(&format!(
        "insert into payment (id, order_id, account_id, account_snapshot, attempt, state, expected_minor, expected_currency,
           received_minor, received_currency, captured_at, allocated)
         values ('{}', '{order}', 'free', '{{}}', 1, 'captured', 100, 'USD', 100, 'USD', app_now(), true)",
        t.app.clock.uuid()
    ))
    .await;
    let cases = [
        (
            "update download_grant set expires_at = app_now()",
            "GRANT_EXPIRED",
            410,
            "The time for this download is over",
            "下载期限已过",
            "update download_grant set expires_at = 'infinity'",
        ),
        (
            "update download_grant set used = 2",
            "GRANT_EXHAUSTED",
            403,
            "All downloads were used",
            "下载次数已用完",
            "update download_grant set used = 0",
        ),
        (
            "update download_grant set state = 'revoked'",
            "REVOKED",
            403,
            "This download was withdrawn",
            "该下载已被收回",
            "update download_grant set state = 'active'",
        ),
        (
            "update unit set state = 'revoked', revoked_at = app_now()",
            "REFUNDED",
            403,
            "This purchase was refunded",
            "该购买已退款",
            "update unit set state = 'assigned', revoked_at = null",
        ),
        (
            "update unit set state = 'awaiting_person'",
            "NOT_READY",
            403,
            "This is not ready yet",
            "尚未准备好",
            "update unit set state = 'assigned'",
        ),
        (
            "update file_version set yanked_at = app_now()",
            "FILE_YANKED",
            410,
            "This file is not offered any more",
            "该文件已下架",
            "update file_version set yanked_at = null",
        ),
    ];
    for (before, code, status, english, chinese, after) in cases {
        t.db.sql(before).await;
        for url in [&claim, &download] {
            for (language, words) in
                [("en-GB,en;q=0.9", english), ("zh-CN,zh;q=0.9,en;q=0.8", chinese), ("fr", english)]
            {
                let (shown, text) = page(open(&t, url, BROWSER, language).await).await;
                assert_eq!(shown, status, "{code}");
                assert!(
                    text.contains(&format!("<h1>{words}</h1>")) && text.contains(code),
                    "{code} {language}: {text}"
                );
                assert!(
                    text.contains("A &lt;b&gt;Shop&lt;/b&gt;") && text.contains("mailto:help@shop.example"),
                    "{text}"
                );
                assert!(text.contains(if words == chinese { "lang=\"zh\"" } else { "lang=\"en\"" }));
            }
            for accept in ["*/*", "application/json", "application/problem+json, text/html;q=0.1"] {
                let answer = open(&t, url, accept, "zh").await;
                assert_eq!(answer.headers()["content-type"], "application/problem+json", "{accept}");
                let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
                assert_eq!((&problem["code"], &problem["status"]), (&code.into(), &status.into()));
            }
            let head = t.http().head(url).header("accept", BROWSER).send().await.unwrap();
            assert_eq!(head.status().as_u16(), status);
            assert_eq!(head.text().await.unwrap(), "");
        }
        let posted = t.http().post(&claim).header("accept", BROWSER).send().await.unwrap();
        assert_eq!(page(posted).await.0, status);
        t.db.sql(after).await;
    }
    // Cut off, changed, or of somewhere else.
    let cut = &claim[..claim.len() - 3];
    let never = PaymentId(t.app.clock.uuid());
    for (url, status, words) in [
        (cut.to_owned(), 403, "This link does not work"),
        (format!("{}/claims/nonsense", t.base), 400, "This link does not work"),
        (format!("{}/claims/", t.base), 404, "This link does not work"),
        (format!("{}/claims/%3Cscript%3Ealert(1)%3C%2Fscript%3E", t.base), 400, "This link does not work"),
        (format!("{}/downloads/nonsense", t.base), 400, "This link does not work"),
        (format!("{}/pay/nonsense", t.base), 404, "This link does not work"),
        (format!("{}/return/nonsense", t.base), 404, "This link does not work"),
        (format!("{}/return/{never}", t.base), 404, "This link does not work"),
        (download.replace("/downloads/", "/claims/"), 403, "This link does not work"),
    ] {
        let (shown, text) = page(open(&t, &url, BROWSER, "en").await).await;
        assert_eq!(shown, status, "{url}");
        assert!(text.contains(words), "{url}: {text}");
        let data = t.http().get(&url).send().await.unwrap();
        assert_eq!(data.headers()["content-type"], "application/problem+json", "{url}");
    }
    for (accept, wants_page) in [
        ("text/html", true),
        ("application/xhtml+xml,text/html;q=0.9,*/*;q=0.1", true),
        ("image/avif,text/html,application/json", true),
        ("application/json,text/html", false),
        ("text/html;q=0.5,application/json", false),
        ("*/*,text/html", false),
        ("image/*", false),
        ("", false),
    ] {
        let answer = open(&t, &format!("{}/claims/nonsense", t.base), accept, "en").await;
        let is_page = answer.headers()["content-type"].to_str().unwrap().starts_with("text/html");
        assert_eq!(is_page, wants_page, "{accept}");
    }
    // Looking counts nothing, whoever looks and however.
    for _ in 0..3 {
        for url in [&claim, &download] {
            assert_eq!(t.http().head(url).send().await.unwrap().status(), 200);
        }
        assert_eq!(open(&t, &claim, BROWSER, "en").await.status(), 200);
    }
    assert_eq!(t.db.one("select used from download_grant").await, "0");
    assert_eq!(t.db.one("select count(*) from download_session").await, "0");
    t.advance(TimeDelta::days(8)).await;
    let (status, text) = page(open(&t, &claim, BROWSER, "zh").await).await;
    assert!(status == 410 && text.contains("链接已过期") && text.contains("LINK_EXPIRED"), "{text}");
    t.finish_with_jobs().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_at_once_is_a_page_for_browsers_too() {
    let t = TestApp::start_with(|config| config.limits.requests_per_minute = 2).await;
    let url = format!("{}/claims/nonsense", t.base);
    for _ in 0..2 {
        assert_eq!(open(&t, &url, BROWSER, "en").await.status(), 400);
    }
    let limited = open(&t, &url, BROWSER, "zh").await;
    assert!(limited.headers().contains_key("retry-after"));
    let (status, text) = page(limited).await;
    assert!(status == 429 && text.contains("请求过于频繁"), "{text}");
    t.finish().await;
}
