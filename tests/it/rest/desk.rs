//! A seller at both doors: batches by GraphQL, files by REST.

use dispense::base::actor::Role;
use dispense::base::ids::{BatchId, VariantId};
use serde_json::{Value, json};

use crate::harness::visitor::Visitor;
use crate::harness::{TestApp, with_generic};

pub struct Desk {
    pub t: TestApp,
    pub seller: Visitor,
    pub token: String,
}

impl Desk {
    pub async fn open() -> Self {
        let t = TestApp::start_with(with_generic).await;
        t.person("boss@shop.example", &[Role::Admin, Role::Seller]).await;
        let access = t.sign_in("boss@shop.example").await.tokens.access;
        let seller = t.visitor("192.0.2.9").signed_in(&access);
        Self { t, seller, token: access.expose().to_owned() }
    }

    /// What `keyImportCreate` answers to these fields.
    pub async fn create(&self, variant: VariantId, fields: Value) -> Value {
        let mut input = json!({ "variantId": variant.to_string() });
        input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.seller.act("keyImportCreate", input, "uploadUrl batch { id format preview state }").await
    }

    /// The id of a batch with these fields.
    pub async fn import(&self, variant: VariantId, fields: Value) -> String {
        let made = self.create(variant, fields).await;
        assert_eq!(made["userErrors"], json!([]));
        made["batch"]["id"].as_str().unwrap().to_owned()
    }

    /// Sends a body to a batch; status and answer.
    pub async fn send(&self, batch: &str, kind: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        self.send_at(batch, kind, None, body).await
    }

    pub async fn send_at(
        &self,
        batch: &str,
        kind: &str,
        offset: Option<usize>,
        body: impl Into<reqwest::Body>,
    ) -> (u16, Value) {
        let url = format!("{}/keys/import/{batch}", self.t.base);
        let mut request = self.t.http().post(url).bearer_auth(&self.token).header("content-type", kind);
        if let Some(offset) = offset {
            request = request.header("upload-offset", offset);
        }
        let answer = request.body(body).send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// Imports a whole file; its report.
    pub async fn take(
        &self,
        variant: VariantId,
        fields: Value,
        kind: &str,
        body: impl Into<reqwest::Body>,
    ) -> Value {
        let batch = self.import(variant, fields).await;
        let (status, report) = self.send(&batch, kind, body).await;
        assert_eq!(status, 200, "{report}");
        report
    }

    /// The texts of a variant's keys in the order in which they will be sold, opened by an export.
    pub async fn export(&self, variant: VariantId, format: &str) -> String {
        let input = json!({ "variantId": variant.to_string(), "format": format, "reason": "another shop" });
        let asked = self.seller.act("keysExport", input, "resultUrl resultExpiresAt").await;
        assert_eq!(asked["userErrors"], json!([]));
        let answer = self.fetch(asked["resultUrl"].as_str().unwrap(), &self.token).await;
        assert_eq!(answer.status().as_u16(), 200);
        answer.text().await.unwrap()
    }

    pub async fn fetch(&self, url: &str, token: &str) -> reqwest::Response {
        self.t.http().get(url).bearer_auth(token).send().await.unwrap()
    }

    pub async fn keys(&self, variant: VariantId) -> Vec<String> {
        let file = self.export(variant, "JSONL").await;
        file.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["key"].as_str().unwrap().to_owned())
            .collect()
    }

    pub async fn batch(&self, id: &str, fields: &str) -> Value {
        let query = format!("{{ seller {{ imports(first: 100) {{ nodes {{ id {fields} }} }} }} }}");
        let found = self.seller.ask(&query, json!({})).await["seller"]["imports"]["nodes"].clone();
        found.as_array().unwrap().iter().find(|batch| batch["id"] == *id).unwrap().clone()
    }

    pub async fn sound(&self) {
        let report = dispense::check::run(&self.t.app.db, &self.t.app.config.secrets).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }
}

/// The id of a batch in the database.
pub fn raw(batch: &str) -> uuid::Uuid {
    BatchId::parse(batch).unwrap().0
}

/// `line:CODE` of each problem.
pub fn problems(report: &Value) -> Vec<String> {
    let list = report["problems"].as_array().unwrap();
    list.iter().map(|p| format!("{}:{}", p["line"], p["code"].as_str().unwrap())).collect()
}
