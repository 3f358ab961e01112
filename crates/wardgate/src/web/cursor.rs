//! Page cursors that only this server can make, and the query of a list.

use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use wardgate_crypto::SubKey;

use super::fields::{Fields, FromFields};
use crate::kernel::error::{AuthError, FieldFault};
use crate::kernel::page::{PageRequest, Position};
use crate::kernel::time::Timestamp;

/// Writes and reads cursors. A forged one, or one of another list, is refused (S-107).
pub(crate) struct Cursors(SubKey);

const POSITION_BYTES: usize = 8 + 16;
const TAG_BYTES: usize = 16;

impl Cursors {
    pub(crate) fn new(key: SubKey) -> Self {
        Self(key)
    }

    /// `list` names what is paged, with everything that narrows it: the tenant, the owner, the filter.
    pub(crate) fn write(&self, list: &str, position: Position) -> String {
        let mut bytes = Vec::with_capacity(POSITION_BYTES + TAG_BYTES);
        bytes.extend_from_slice(&position.at.as_millis().to_be_bytes());
        bytes.extend_from_slice(position.id.as_bytes());
        let tag = self.0.hmac(&[list.as_bytes(), &[0], &bytes]);
        bytes.extend_from_slice(&tag[..TAG_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn read(&self, list: &str, text: &str) -> Option<Position> {
        let bytes: [u8; POSITION_BYTES + TAG_BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (position, tag) = bytes.split_at(POSITION_BYTES);
        let expected = self.0.hmac(&[list.as_bytes(), &[0], position]);
        let genuine = bool::from(expected[..TAG_BYTES].ct_eq(tag));
        let (millis, id) = position.split_first_chunk::<8>()?;
        let at = Timestamp::from_millis(i64::from_be_bytes(*millis));
        genuine.then_some(Position { at, id: Uuid::from_slice(id).ok()? })
    }
}

/// `?limit=` and `?cursor=` of a list.
pub(crate) struct PageQuery {
    limit: u32,
    cursor: Option<String>,
}

impl PageQuery {
    /// The page of `list` that was asked for.
    pub(crate) fn request(&self, cursors: &Cursors, list: &str) -> Result<PageRequest, AuthError> {
        let after = match &self.cursor {
            None => None,
            Some(text) => Some(cursors.read(list, text).ok_or(AuthError::InvalidCursor)?),
        };
        Ok(PageRequest { limit: self.limit, after })
    }
}

impl FromFields for PageQuery {
    /// For a list whose query has more than the page.
    fn from_fields(fields: &mut Fields) -> Self {
        let limit = match fields.optional_text("limit").as_deref().map(parse_limit) {
            None => PageRequest::DEFAULT_LIMIT,
            Some(Ok(limit)) => limit,
            Some(Err(fault)) => {
                fields.note(Err(fault));
                PageRequest::DEFAULT_LIMIT
            }
        };
        Self { limit, cursor: fields.optional_text("cursor") }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PageQuery {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AuthError> {
        let mut query = Self { limit: PageRequest::DEFAULT_LIMIT, cursor: None };
        for pair in parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("limit", text)) => {
                    query.limit = parse_limit(text).map_err(|fault| AuthError::InvalidFields(vec![fault]))?;
                }
                Some(("cursor", text)) if !text.is_empty() => query.cursor = Some(text.to_owned()),
                _ => {}
            }
        }
        Ok(query)
    }
}

fn parse_limit(text: &str) -> Result<u32, FieldFault> {
    let limit = text.parse().ok().filter(|limit| (1..=PageRequest::MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| {
        FieldFault::new(
            "limit",
            "out_of_range",
            format!("must be a number from 1 to {}", PageRequest::MAX_LIMIT),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wardgate_crypto::{MasterKey, SeededRng};

    #[test]
    fn a_cursor_reads_back_for_its_own_list_only_and_no_flip_passes() {
        // S-107
        let cursors = Cursors::new(MasterKey::generate(&SeededRng::new(1)).derive("cursor"));
        let position = Position { at: Timestamp::from_millis(-5), id: Uuid::from_u128(77) };
        let text = cursors.write("sessions/a", position);
        assert_eq!(cursors.read("sessions/a", &text), Some(position));
        assert_eq!(cursors.read("sessions/b", &text), None);
        for index in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[index] = if forged[index] == b'A' { b'B' } else { b'A' };
            assert_eq!(cursors.read("sessions/a", std::str::from_utf8(&forged).unwrap()), None, "{index}");
        }
        assert_eq!(cursors.read("sessions/a", &text[1..]), None);
        assert_eq!(cursors.read("sessions/a", ""), None);
    }
}
