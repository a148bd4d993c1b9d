use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::base::error_code::ErrorCode;
use crate::base::ids::{FileId, FileVersionId, UploadId, VariantId};
use crate::base::outcome::Refusal;
use crate::base::text::Locale;
use crate::files::publish::{self, NewVersion};
use crate::files::upload::{self, NewUpload};
use crate::fulfilment::publish_file::publish_file;
use crate::graphql::catalogue::goods::FileVersion;
use crate::graphql::catalogue::mutations::seller;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::scalars::{DateTime, Int64, LocaleTag, Markdown, Url};
use crate::graphql::user_error::CatalogueError;

/// Input of `fileUploadCreate`.
#[derive(InputObject)]
pub struct FileUploadCreateInput {
    /// For which seller; by default the caller's own.
    seller_id: Option<ID>,
    /// The file's name.
    name: String,
    /// Bytes.
    size: Int64,
    /// The media type it will be sent as; derived from the name when left out.
    content_type: Option<String>,
}

/// Where the bytes of a file go.
#[derive(SimpleObject)]
pub struct FileUpload {
    /// The upload's id, for `fileVersionPublish`.
    id: ID,
    /// Send the bytes there by `PATCH` (tus 1.0), with the same access token.
    url: Url,
    /// When it is forgotten, if it is not published.
    expires_at: DateTime,
}

/// Payload of `fileUploadCreate`.
#[derive(Default, SimpleObject)]
pub struct FileUploadCreatePayload {
    /// Where the bytes go.
    upload: Option<FileUpload>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<CatalogueError>,
}

/// Input of `fileVersionPublish`.
#[derive(InputObject)]
pub struct FileVersionPublishInput {
    /// Which variant sells it.
    variant_id: ID,
    /// The complete upload; each is published once.
    upload_id: ID,
    /// The file this is a version of; by default the variant's file of the same name, or a new one.
    file_id: Option<ID>,
    /// The name it is saved under; by default the upload's.
    name: Option<String>,
    /// What the seller calls this version, unique within the file.
    version: String,
    /// What is new.
    notes: Option<Markdown>,
    /// The language of the notes; by default that of the request.
    notes_locale: Option<LocaleTag>,
}

/// Input of `fileVersionYank`.
#[derive(InputObject)]
pub struct FileVersionYankInput {
    /// Which version.
    file_version_id: ID,
}

/// Payload of `fileVersionPublish` and `fileVersionYank`.
#[derive(Default, SimpleObject)]
pub struct FileVersionPayload {
    /// The version as it is now.
    file_version: Option<FileVersion>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<CatalogueError>,
}

/// Files that are sold.
#[derive(Default)]
pub struct FileMutation;

#[Object]
impl FileMutation {
    /// Opens the upload of a file and returns where its bytes are to be sent.
    async fn file_upload_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file.")] input: FileUploadCreateInput,
    ) -> Answer<FileUploadCreatePayload> {
        ctx.person()?;
        let done = async {
            let size = u64::try_from(input.size.0)
                .map_err(|_| Refusal::new(ErrorCode::Invalid, "a size is not negative").at(["size"]))?;
            let seller_id = seller(ctx, input.seller_id.as_ref())?;
            let new = NewUpload { seller_id, name: input.name, content_type: input.content_type, size };
            upload::create_upload(ctx.backend(), ctx.actor(), new).await
        };
        Ok(match split(done.await)? {
            Ok(upload) => FileUploadCreatePayload {
                upload: Some(FileUpload {
                    id: upload.id.into(),
                    url: Url(format!("{}/uploads/{}", ctx.backend().public_url(), upload.id)),
                    expires_at: upload.expires_at.into(),
                }),
                user_errors: Vec::new(),
            },
            Err(refusal) => FileUploadCreatePayload { upload: None, user_errors: ctx.user_errors(refusal)? },
        })
    }

    /// Publishes a complete upload as the newest version of a file. Earlier buyers get it too when the variant includes
    /// updates.
    async fn file_version_publish(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The version.")] input: FileVersionPublishInput,
    ) -> Answer<FileVersionPayload> {
        ctx.person()?;
        let locale = input.notes_locale.as_ref().map_or(ctx.locale(), |l| Locale::choose(&l.0));
        let done = async {
            let file_id = match &input.file_id {
                Some(file) => Some(id::read(file, "fileId", FileId::parse)?),
                None => None,
            };
            let new = NewVersion {
                variant_id: id::read(&input.variant_id, "variantId", VariantId::parse)?,
                upload_id: id::read(&input.upload_id, "uploadId", UploadId::parse)?,
                file_id,
                name: input.name,
                version: input.version,
                notes: input.notes.map(|notes| (notes.0, locale)),
            };
            publish_file(ctx.backend(), ctx.actor(), new).await
        };
        Ok(match split(done.await)? {
            Ok(version) => {
                FileVersionPayload { file_version: Some(FileVersion(version)), user_errors: Vec::new() }
            }
            Err(refusal) => FileVersionPayload { file_version: None, user_errors: ctx.user_errors(refusal)? },
        })
    }

    /// Withdraws a version: nobody gets it any more, buyers get the one before.
    async fn file_version_yank(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which version.")] input: FileVersionYankInput,
    ) -> Answer<FileVersionPayload> {
        ctx.person()?;
        let done = async {
            let version = id::read(&input.file_version_id, "fileVersionId", FileVersionId::parse)?;
            publish::yank_version(ctx.backend(), ctx.actor(), version).await
        };
        Ok(match split(done.await)? {
            Ok(version) => {
                FileVersionPayload { file_version: Some(FileVersion(version)), user_errors: Vec::new() }
            }
            Err(refusal) => FileVersionPayload { file_version: None, user_errors: ctx.user_errors(refusal)? },
        })
    }
}
