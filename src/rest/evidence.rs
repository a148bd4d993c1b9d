//! The evidence of a dispute as one file that needs no other.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use poem::http::header;
use poem::web::{Data, Path};
use poem::{Response, handler};

use crate::base::caller::Caller;
use crate::base::ids::DisputeId;
use crate::evidence::{self, EvidenceBundle, EvidenceEntry, EvidenceOf};
use crate::rest::page::escape;
use crate::rest::problem::Problem;
use crate::rest::signed_in;
use crate::rest::state::RestBackend;

/// `GET /disputes/{id}/evidence`: for support and admins. Each time is recorded. 401 without a session, 403 without the role,
/// 404 for a dispute that is not there.
#[handler]
pub async fn file(
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let actor = signed_in::person(&backend, &caller).await?;
    let id = DisputeId::parse(&id).map_err(|_| Problem::not_found())?;
    let found = evidence::collect(&backend, &actor, EvidenceOf::Dispute(id)).await?;
    let disposition = format!("attachment; filename=\"{}\"", evidence::file_name(&found.order));
    Ok(Response::builder()
        .content_type("text/html; charset=utf-8")
        .header(header::CACHE_CONTROL, "private, no-store")
        .header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'")
        .header(header::CONTENT_DISPOSITION, disposition)
        .body(page(&found, &backend.config.shop.name)))
}

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}\
h2{margin-top:2rem;border-bottom:1px solid #999}article{margin:.8rem 0;break-inside:avoid}h3{font-size:1rem;margin:0}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem;margin:.2rem 0 0 1rem}dt{color:#555}\
dd{margin:0;overflow-wrap:anywhere}time{font-family:monospace}";

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Everything in it that came from outside is escaped.
fn page(found: &EvidenceBundle, shop: &str) -> String {
    let number = escape(&found.order.number);
    let mut text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Evidence: order {number}</title>\
         <style>{STYLE}</style></head><body><h1>Order {number}</h1><p>{}: evidence about dispute {}, collected at \
         <time>{}</time>. Times are UTC. Secrets are masked.</p>",
        escape(shop),
        found.dispute.id,
        time(found.collected_at)
    );
    for section in &found.sections {
        let _ = write!(text, "<section><h2>{}</h2>", escape(section.title));
        section.entries.iter().for_each(|entry| article(&mut text, entry));
        text.push_str("</section>");
    }
    text.push_str("</body></html>\n");
    text
}

fn article(text: &mut String, entry: &EvidenceEntry) {
    let at = entry.at.map(|at| format!("<time>{}</time> ", time(at))).unwrap_or_default();
    let _ = write!(text, "<article><h3>{at}{}</h3><dl>", escape(&entry.title));
    for (name, value) in &entry.facts {
        let _ = write!(text, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
    }
    text.push_str("</dl></article>");
}
