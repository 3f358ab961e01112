//! Signatures of webhooks, as the Standard Webhooks specification 1.0 has them, so that its libraries check them.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

const PREFIX: &str = "whsec_";

/// A secret shared with the receiver of webhooks.
#[derive(Clone)]
pub struct WebhookKey(hmac::Key);

/// The text is not a secret for webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not whsec_ and the base64 of 24 to 64 random bytes")]
pub struct InvalidWebhookKey;

impl WebhookKey {
    /// Reads `whsec_` and the base64 of 24 to 64 bytes.
    ///
    /// # Errors
    /// It is written otherwise, shorter or longer.
    pub fn from_text(text: &str) -> Result<Self, InvalidWebhookKey> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidWebhookKey)?;
        let secret = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| InvalidWebhookKey)?);
        if !(24..=64).contains(&secret.len()) {
            return Err(InvalidWebhookKey);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    /// The value of `webhook-signature` for a message with this `webhook-id` and `webhook-timestamp`. An id has no
    /// dot in it, or the cuts between the three would be anybody's to move.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [id.as_bytes(), b".", timestamp.to_string().as_bytes(), b".", body] {
            context.update(part);
        }
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_libraries_of_receivers_expect() {
        // The example of the specification's reference implementations.
        let key = WebhookKey::from_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{key:?}"), "WebhookKey(..)");
    }

    #[test]
    fn a_secret_has_its_prefix_and_enough_bytes() {
        let of = |bytes: usize| format!("{PREFIX}{}", STANDARD.encode(vec![7; bytes]));
        assert!(WebhookKey::from_text(&of(24)).is_ok() && WebhookKey::from_text(&of(64)).is_ok());
        for wrong in [of(23), of(65), of(32).replace(PREFIX, ""), format!("{PREFIX}?"), String::new()] {
            assert_eq!(WebhookKey::from_text(&wrong).err(), Some(InvalidWebhookKey), "{wrong}");
        }
    }
}
