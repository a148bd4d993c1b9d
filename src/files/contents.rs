//! Looks now and then whether the contents that buyers may download are still stored: a link to one that is gone is dead, and
//! only a person can bring it back.

use crate::base::outcome::{Fault, Outcome};
use crate::files::store::{self, UnseenVersion};
use crate::files::tasks::{ContentMissing, OfVersion};
use crate::infra::effects::Effects;
use crate::infra::effects::tasks::TaskKind;
use crate::infra::kit::Kit;
use crate::infra::stuck::{self, RowName};

/// Contents looked at in one step.
const AT_ONCE: i64 = 100;

/// Seconds after which a content is looked at again: one that was missing, and one that was there.
const AGAIN: (i32, i32) = (3_000, 86_400);

/// Sweep: a content that is missing, or has another size, is put before a person once, until it is back or is not sold any
/// more. Returns how many were looked at.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    let due = store::list_unseen(&mut *kit.db.conn().await?, AGAIN, AT_ONCE).await?;
    let name = |version: &UnseenVersion| RowName::of(version.id.0, version.id);
    stuck::each(kit, "missing_contents", due, name, |version: UnseenVersion| async move {
        let size = u64::try_from(version.size).map_err(|e| Fault::bug(e.to_string()))?;
        let missing = !version.yanked && !kit.blobs.holds(&version.blob, size).await?;
        let mut tx = kit.db.begin().await?;
        let before = store::advance_looked_at(&mut tx, version.id, missing).await?;
        let mut effects = Effects::default();
        if missing && !before {
            tracing::error!(version = %version.id, "the content of a file is gone");
            let body = OfVersion { file: version.file_id, name: version.name.clone() };
            effects.tasks.push(ContentMissing::open(version.id, body));
        } else if before && !missing {
            effects.over.push(ContentMissing::over(version.id));
        }
        effects.write(&tx, &kit.clock).await?;
        tx.commit().await?;
        Ok(1)
    })
    .await
}
