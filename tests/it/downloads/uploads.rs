use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use dispense::base::actor::Role;
use dispense::files::sweep;
use reqwest::{Method, RequestBuilder, Response};
use sha2::{Digest, Sha256};

use super::shop::{content, refusal};
use crate::harness::TestApp;

struct Uploader<'a> {
    t: &'a TestApp,
    token: String,
}

impl Uploader<'_> {
    async fn of<'a>(t: &'a TestApp, email: &str, role: Role) -> Uploader<'a> {
        t.person(email, &[role]).await;
        Uploader { t, token: t.sign_in(email).await.tokens.access.expose().to_owned() }
    }

    fn ask(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.t.http().request(method, url).bearer_auth(&self.token);
        request.header("tus-resumable", "1.0.0")
    }

    async fn announce(&self, name: &str, size: u64) -> Response {
        let metadata =
            format!("filename {},filetype {}", STANDARD.encode(name), STANDARD.encode("application/zip"));
        let request = self.ask(Method::POST, &format!("{}/uploads", self.t.base));
        request.header("upload-length", size).header("upload-metadata", metadata).send().await.unwrap()
    }

    async fn send(&self, url: &str, offset: u64, body: impl Into<reqwest::Body>) -> Response {
        let request = self.ask(Method::PATCH, url).header("upload-offset", offset);
        request.header("content-type", "application/offset+octet-stream").body(body).send().await.unwrap()
    }

    async fn offset(&self, url: &str) -> String {
        let answer = self.ask(Method::HEAD, url).send().await.unwrap();
        if answer.status() == 404 {
            return "none".into();
        }
        assert_eq!(answer.headers()["tus-resumable"], "1.0.0");
        answer.headers().get("upload-offset").map_or("none".into(), |v| v.to_str().unwrap().to_owned())
    }
}

fn location(answer: &Response) -> String {
    assert_eq!(answer.status(), 201);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

fn files(t: &TestApp) -> usize {
    fn count(folder: &std::path::Path) -> usize {
        let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
        entries.map(|e| e.unwrap().path()).map(|p| if p.is_dir() { count(&p) } else { 1 }).sum()
    }
    count(&t.data.path().join("files"))
}

/// Rows: L1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seller_uploads_a_file_in_one_piece_and_the_shop_hashes_it() {
    let t = TestApp::start().await;
    let admin = Uploader::of(&t, "a@example.org", Role::Admin).await;
    let bytes = content(1_500_000, 20);
    let url = location(&admin.announce("../dir/game.zip", bytes.len() as u64).await);
    assert_eq!(admin.offset(&url).await, "0");
    assert_eq!(admin.send(&url, 0, bytes.clone()).await.status(), 204);
    assert_eq!(admin.offset(&url).await, "1500000");
    let row = t.db.one(
        "select name || ' ' || content_type || ' ' || state || ' ' || encode(sha256, 'hex') from upload",
    );
    assert_eq!(
        row.await,
        format!("game.zip application/zip complete {}", hex::encode(Sha256::digest(&bytes)))
    );
    assert_eq!(refusal(admin.send(&url, 0, bytes).await).await, "409 CONFLICT");
    let options = t.http().request(Method::OPTIONS, format!("{}/uploads", t.base)).send().await.unwrap();
    assert_eq!(options.headers()["tus-extension"], "creation,expiration,termination");
    assert_eq!(admin.ask(Method::DELETE, &url).send().await.unwrap().status(), 204);
    assert_eq!(admin.offset(&url).await, "none");
    assert_eq!(files(&t), 0);
    t.finish_with_jobs().await;
}

/// Rows: L1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_another_length_leaves_the_upload_open_and_nothing_behind() {
    let t = TestApp::start_with(|config| config.storage.largest_file = 1_000).await;
    let admin = Uploader::of(&t, "a@example.org", Role::Admin).await;
    assert_eq!(refusal(admin.announce("a", 1_001).await).await, "413 BODY_TOO_LARGE");
    let url = location(&admin.announce("a", 1_000).await);
    assert_eq!(refusal(admin.send(&url, 0, vec![1; 999]).await).await, "400 LENGTH_WRONG");
    assert_eq!(refusal(admin.send(&url, 5, vec![1; 995]).await).await, "409 CONFLICT");
    // Without a length in front, chunk by chunk.
    let chunked = |count: usize| {
        let pieces = (0..count).map(|_| std::io::Result::Ok(vec![1_u8; 100]));
        reqwest::Body::wrap_stream(futures::stream::iter(pieces.collect::<Vec<_>>()))
    };
    assert_eq!(refusal(admin.send(&url, 0, chunked(9)).await).await, "400 LENGTH_WRONG");
    assert_eq!(refusal(admin.send(&url, 0, chunked(11)).await).await, "413 BODY_TOO_LARGE");
    let plain = admin.ask(Method::PATCH, &url).header("upload-offset", 0).body("x").send().await.unwrap();
    assert_eq!(plain.status(), 415);
    assert_eq!(admin.offset(&url).await, "0");
    assert_eq!(files(&t), 0);
    assert_eq!(admin.send(&url, 0, chunked(10)).await.status(), 204);
    let older = t.http().head(&url).bearer_auth(&admin.token).header("tus-resumable", "0.2.2");
    let older = older.send().await.unwrap();
    assert_eq!(older.status(), 412);
    t.finish_with_jobs().await;
}

/// Rows: L1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_sellers_upload_and_each_sees_only_its_own() {
    let t = TestApp::start().await;
    let admin = Uploader::of(&t, "a@example.org", Role::Admin).await;
    let url = location(&admin.announce("a", 3).await);
    let guest = t.http().post(format!("{}/uploads", t.base)).header("upload-length", 3).send().await.unwrap();
    assert_eq!(refusal(guest).await, "401 UNAUTHENTICATED");
    let buyer = Uploader::of(&t, "b@example.org", Role::Buyer).await;
    assert_eq!(refusal(buyer.announce("a", 3).await).await, "403 FORBIDDEN");
    let seller = Uploader::of(&t, "s@example.org", Role::Seller).await;
    t.db.sql(
        "insert into seller (id, slug, name) values ('00000000-0000-7000-8000-000000000002', 'two', 'Two'); \
         delete from seller_member; \
         insert into seller_member select '00000000-0000-7000-8000-000000000002', id from app_user \
           where email = 's@example.org'",
    )
    .await;
    assert_eq!(refusal(seller.send(&url, 0, "abc").await).await, "404 NOT_FOUND");
    assert_eq!(refusal(seller.ask(Method::DELETE, &url).send().await.unwrap()).await, "404 NOT_FOUND");
    let own = location(&seller.announce("a", 3).await);
    assert_eq!(seller.send(&own, 0, "abc").await.status(), 204);
    assert_eq!(admin.offset(&url).await, "0");
    t.finish_with_jobs().await;
}

/// Rows: L1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sweep_removes_unused_uploads_and_what_killed_writers_left() {
    let t = TestApp::start().await;
    let shop = super::shop::FileShop::open(&t).await;
    let kept = shop.publish(&t, "kept.bin", "1", b"kept").await;
    let admin = Uploader::of(&t, "a@example.org", Role::Admin).await;
    let url = location(&admin.announce("a", 3).await);
    assert_eq!(admin.send(&url, 0, "abc").await.status(), 204);
    location(&admin.announce("b", 3).await);
    // A writer that was killed before its row, and one before its rename.
    let mut orphan = t.app.blobs.create(t.app.clock.uuid()).await.unwrap();
    orphan.write(b"orphan").await.unwrap();
    orphan.finish().await.unwrap();
    std::fs::write(t.data.path().join("files/tmp/half"), "half").unwrap();
    assert_eq!(files(&t), 4);
    assert_eq!(sweep::remove_leftovers(&t.app).await.unwrap(), 0);
    assert_eq!(files(&t), 4);
    t.advance(TimeDelta::hours(25)).await;
    assert_eq!(sweep::remove_leftovers(&t.app).await.unwrap(), 2);
    assert_eq!(files(&t), 1);
    assert!(t.data.path().join("files").join(&kept.blob).exists());
    let states = "select string_agg(state, ' ' order by state) from upload";
    assert_eq!(t.db.one(states).await, "expired expired used");
    t.finish_with_jobs().await;
}
