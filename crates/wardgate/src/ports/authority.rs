//! Asks an authority for certificates through the one way out.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::Outbound;

/// The longest pause that an answer may ask for within an order, in seconds. The client adds it to the clock, where a
/// number that is too large is a panic, and no order lasts so long.
const LONGEST_PAUSE: u64 = 60 * 60;

impl HttpClient for Outbound {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let outbound = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let url = parts.uri.to_string();
            let answer =
                outbound.exchange(parts.method, &url, parts.headers, reqwest::Body::wrap(body)).await;
            let (status, mut headers, body) = answer.map_err(|error| Error::Other(Box::new(error)))?;
            drop_long_pause(&mut headers);
            let mut response = http::Response::new(());
            (*response.status_mut(), *response.headers_mut()) = (status, headers);
            let (parts, ()) = response.into_parts();
            Ok(BytesResponse { parts, body: Box::new(Bytes::from(body)) })
        })
    }
}

/// Takes out a `Retry-After` (RFC 9110 section 10.2.3) that is too long. One with a date stays.
fn drop_long_pause(headers: &mut HeaderMap) {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    if seconds.is_some_and(|seconds| seconds > LONGEST_PAUSE) {
        headers.remove(RETRY_AFTER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pause_that_fits_into_the_clock_is_passed_on() {
        let far = u64::MAX.to_string();
        for (value, stays) in [
            ("0", true),
            ("3600", true),
            ("3601", false),
            (far.as_str(), false),
            (" 18446744073709551615 ", false),
            ("+18446744073709551615", false),
            ("Fri, 31 Dec 9999 23:59:59 GMT", true),
            ("soon", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            drop_long_pause(&mut headers);
            assert_eq!(headers.contains_key(RETRY_AFTER), stays, "{value}");
        }
    }
}
