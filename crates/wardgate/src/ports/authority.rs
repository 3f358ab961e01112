//! Asks an authority for certificates through the one way out.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

use super::Outbound;

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
            let (status, headers, body) = answer.map_err(|error| Error::Other(Box::new(error)))?;
            let mut response = http::Response::new(());
            (*response.status_mut(), *response.headers_mut()) = (status, headers);
            let (parts, ()) = response.into_parts();
            Ok(BytesResponse { parts, body: Box::new(Bytes::from(body)) })
        })
    }
}
