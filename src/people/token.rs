//! Access tokens: JWTs of ten minutes, signed with Ed25519 (RFC 8037), of the type `at+jwt` (RFC 9068), read as
//! strictly as RFC 8725 asks: one algorithm, the key by its id out of our own ring and from nowhere else, no header or
//! claim we do not know, no claim twice.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::base::ids::{SessionId, UserId};
use crate::base::outcome::{Fault, Refusal};
use crate::base::secret::Secret;
use crate::config::Config;
use crate::people::error;

const TYPE: &str = "at+jwt";
/// Whoever holds the ring is this shop: several servers of one shop may be reached by several addresses.
const ISSUER: &str = "dispense";
const AUDIENCE: &str = "dispense-api";
/// How far the clocks of two servers may be apart, seconds.
const LEEWAY: i64 = 30;
/// The longest life of a token, seconds, whoever signed it.
const LONGEST: i64 = 600;
/// A longer text is no token of ours.
const LARGEST: usize = 2_048;

/// What an access token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub user_id: UserId,
    pub session_id: SessionId,
    /// The refresh token that was issued together with this one.
    pub refresh_id: Uuid,
    /// The person's generation at the time.
    pub generation: i32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: i64,
    exp: i64,
    sid: String,
    rid: Uuid,
    #[serde(rename = "gen")]
    generation: i32,
}

/// Exactly the header we write; `crit`, `jku`, `jwk`, `x5u` and all others are refused as unknown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnHeader {
    alg: String,
    typ: String,
    kid: String,
}

struct TokenKey {
    id: String,
    signs: EncodingKey,
    verifies: DecodingKey,
}

/// Issues and reads access tokens.
pub struct AccessTokens {
    /// The first signs, all verify.
    ring: Vec<TokenKey>,
    seconds: i64,
}

impl AccessTokens {
    pub fn new(config: &Config) -> Result<Self, Fault> {
        let mut ring = Vec::new();
        for key in &config.secrets.tokens {
            let pair = Ed25519KeyPair::from_seed_unchecked(key.bytes.expose())
                .map_err(|_| Fault::bug("`secrets.tokens` holds no Ed25519 seed"))?;
            let public = pair.public_key().as_ref().to_vec();
            let pkcs8 = pair.to_pkcs8v1().map_err(|_| Fault::bug("an Ed25519 key cannot be written"))?;
            ring.push(TokenKey {
                id: key.id.clone(),
                signs: EncodingKey::from_ed_der(pkcs8.as_ref()),
                verifies: DecodingKey::from_ed_der(&public),
            });
        }
        Ok(Self { ring, seconds: config.people.access_seconds.clamp(30, LONGEST) })
    }

    /// A token and when it ends. Times are whole seconds.
    pub fn issue(&self, access: &Access, now: DateTime<Utc>) -> Result<(Secret, DateTime<Utc>), Fault> {
        let key = self.ring.first().ok_or_else(|| Fault::bug("`secrets.tokens` is empty"))?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.into());
        header.kid = Some(key.id.clone());
        let exp = now.timestamp() + self.seconds;
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: access.user_id.to_string(),
            iat: now.timestamp(),
            exp,
            sid: access.session_id.to_string(),
            rid: access.refresh_id,
            generation: access.generation,
        };
        let token =
            jsonwebtoken::encode(&header, &claims, &key.signs).map_err(|e| Fault::bug(e.to_string()))?;
        Ok((Secret::new(token), DateTime::from_timestamp(exp, 0).unwrap_or(now)))
    }

    /// What a token says, when it is ours and has not ended. `TOKEN_EXPIRED` only for one that is otherwise good.
    pub fn read(&self, token: &Secret, now: DateTime<Utc>) -> Result<Access, Refusal> {
        let claims = self.believe(token.expose()).ok_or_else(error::unauthenticated)?;
        let (user_id, session_id) = match (UserId::parse(&claims.sub), SessionId::parse(&claims.sid)) {
            (Ok(user_id), Ok(session_id)) => (user_id, session_id),
            _ => return Err(error::unauthenticated()),
        };
        let life = claims.exp.saturating_sub(claims.iat);
        if !(1..=LONGEST).contains(&life) || claims.iat > now.timestamp() + LEEWAY {
            return Err(error::unauthenticated());
        }
        if claims.exp + LEEWAY <= now.timestamp() {
            return Err(error::token_expired());
        }
        Ok(Access { user_id, session_id, refresh_id: claims.rid, generation: claims.generation })
    }

    /// When a token of ours ends, whether it has or not.
    pub fn end(&self, token: &Secret) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.believe(token.expose())?.exp, 0)
    }

    /// The claims of a token whose form, key, signature, issuer and audience are right.
    fn believe(&self, token: &str) -> Option<Claims> {
        if token.len() > LARGEST {
            return None;
        }
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
        let header: OwnHeader = serde_json::from_slice(&header).ok()?;
        if header.alg != "EdDSA" || header.typ != TYPE {
            return None;
        }
        let key = self.ring.iter().find(|key| key.id == header.kid)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // The library asks the system's clock; ours may have been moved by a test.
        validation.validate_exp = false;
        jsonwebtoken::decode::<Claims>(token, &key.verifies, &validation).ok().map(|data| data.claims)
    }
}
