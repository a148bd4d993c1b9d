//! What may become of a grant and of an upload.

/// A grant's own state. Exhausted, expired and refunded are facts beside it (see `access`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantState {
    Active,
    Revoked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantChange {
    Revoke,
    /// More downloads or a later expiry.
    Extend,
}

/// A transition the table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IllegalFileChange;

impl GrantState {
    pub const ALL: [GrantState; 2] = [GrantState::Active, GrantState::Revoked];

    pub fn after(self, change: GrantChange) -> Result<Self, IllegalFileChange> {
        match (self, change) {
            (Self::Active, GrantChange::Revoke) => Ok(Self::Revoked),
            (Self::Active, GrantChange::Extend) => Ok(Self::Active),
            (Self::Revoked, GrantChange::Revoke) => Ok(Self::Revoked),
            (Self::Revoked, GrantChange::Extend) => Err(IllegalFileChange),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

impl GrantChange {
    pub const ALL: [GrantChange; 2] = [GrantChange::Revoke, GrantChange::Extend];
}

/// An upload is open until its whole body is here, complete until it is published, and then used. One that is
/// neither finished nor used in time, or that its owner gave up, has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadState {
    Open,
    Complete,
    Used,
    Expired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadChange {
    Finish,
    Publish,
    Expire,
}

impl UploadState {
    pub const ALL: [UploadState; 4] =
        [UploadState::Open, UploadState::Complete, UploadState::Used, UploadState::Expired];

    pub fn after(self, change: UploadChange) -> Result<Self, IllegalFileChange> {
        match (self, change) {
            (Self::Open, UploadChange::Finish) => Ok(Self::Complete),
            (Self::Open, UploadChange::Publish) => Err(IllegalFileChange),
            (Self::Open | Self::Complete | Self::Expired, UploadChange::Expire) => Ok(Self::Expired),
            (Self::Complete, UploadChange::Finish) => Err(IllegalFileChange),
            (Self::Complete, UploadChange::Publish) => Ok(Self::Used),
            (Self::Used, UploadChange::Finish | UploadChange::Publish | UploadChange::Expire) => {
                Err(IllegalFileChange)
            }
            (Self::Expired, UploadChange::Finish | UploadChange::Publish) => Err(IllegalFileChange),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Complete => "complete",
            Self::Used => "used",
            Self::Expired => "expired",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

impl UploadChange {
    pub const ALL: [UploadChange; 3] = [UploadChange::Finish, UploadChange::Publish, UploadChange::Expire];
}
