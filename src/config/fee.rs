use serde::Deserialize;

/// What a gateway keeps of a payment by contract: a share of it and a fixed part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Fee {
    per_million: i64,
    fixed_minor: i64,
}

impl Fee {
    /// Of an amount in minor units, in minor units; half a unit rounds up.
    pub fn of(&self, amount_minor: i64) -> i64 {
        let share = i128::from(amount_minor) * i128::from(self.per_million);
        i64::try_from((share + 500_000) / 1_000_000).unwrap_or(i64::MAX).saturating_add(self.fixed_minor)
    }
}

impl TryFrom<String> for Fee {
    type Error = String;

    /// `29+30`: per mille, with up to three decimals, and after a plus the fixed part in minor units.
    fn try_from(text: String) -> Result<Self, String> {
        let complaint =
            || format!("`{text}` is no fee: per mille, and after a + minor units (29+30, 6, 34.9+49)");
        let (share, fixed) = text.split_once('+').unwrap_or((&text, "0"));
        let (whole, part) = share.trim().split_once('.').unwrap_or((share.trim(), ""));
        let digits = |text: &str, most: usize| text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
        let fixed = fixed.trim();
        if whole.is_empty() || fixed.is_empty() || !digits(whole, 3) || !digits(part, 3) || !digits(fixed, 9)
        {
            return Err(complaint());
        }
        let per_million = format!("{whole}{part:0<3}").parse().map_err(|_| complaint())?;
        Ok(Self { per_million, fixed_minor: fixed.parse().map_err(|_| complaint())? })
    }
}
