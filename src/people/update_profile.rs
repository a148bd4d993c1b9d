use crate::base::actor::Person;
use crate::base::outcome::Outcome;
use crate::base::text::{self, Locale};
use crate::infra::kit::Kit;
use crate::people::model::Profile;
use crate::people::{error, read, store};

/// Changes the person's name and language; what is `None` stays, an empty name is taken away. Refuses with `INVALID`.
pub async fn update_profile(
    kit: &Kit,
    person: &Person,
    name: Option<&str>,
    locale: Option<&str>,
) -> Outcome<Profile> {
    let mut tx = kit.db.begin().await?;
    let old = store::lock_user(&mut tx, person.user_id).await?.ok_or_else(error::user_not_found)?;
    let name = match name.map(str::trim) {
        None => old.name,
        Some("") => None,
        Some(name) => Some(text::clean(name, "name", 100, false)?),
    };
    let locale = locale.map_or(old.locale, |tag| Locale::choose(tag).as_str().to_owned());
    store::advance_profile(&mut tx, person.user_id, name.as_deref(), &locale).await?;
    let profile = read::profile(&mut tx, person.user_id).await?.ok_or_else(error::user_not_found)?;
    tx.commit().await?;
    Ok(profile)
}
