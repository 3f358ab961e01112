//! `/dev/inbox`: the mails of a development server, on a page.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use http::HeaderValue;
use http::header::CONTENT_SECURITY_POLICY;

use crate::ports::{DevInbox, Mail};

const PATH: &str = "/dev/inbox";

const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The page. Only a development server has it: whoever opens it reads everybody's links.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(inbox: Arc<DevInbox>) -> Router<S> {
    Router::new().route(PATH, get(async move || page(&inbox.newest())))
}

fn page(mails: &[Mail]) -> impl IntoResponse + use<> {
    let mut html = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">\
         <title>Inbox</title><style>body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:48rem;\
         padding:0 1rem}article{border-top:1px solid #888;padding:.5rem 0}h2{font-size:1.1rem;margin:.5rem 0 0}\
         pre{white-space:pre-wrap;word-break:break-all;font:inherit}:root{color-scheme:light dark}</style></head>\n\
         <body>\n<h1>Inbox</h1>\n<p>Mails of this development server, the newest first. A restart forgets them.</p>\n",
    );
    if mails.is_empty() {
        html.push_str("<p>No mail yet.</p>\n");
    }
    for mail in mails {
        let (subject, to) = (escaped(&mail.subject), escaped(mail.to.as_str()));
        // Writing to a String cannot fail.
        let _ = write!(html, "<article>\n<h2>{subject}</h2>\n<p>to {to}</p>\n<pre>");
        for line in mail.text.lines() {
            let line = escaped(line);
            let _ = match line.starts_with("http://") || line.starts_with("https://") {
                true => writeln!(html, "<a href=\"{line}\">{line}</a>"),
                false => writeln!(html, "{line}"),
            };
        }
        html.push_str("</pre>\n</article>\n");
    }
    html.push_str("</body>\n</html>\n");
    ([(CONTENT_SECURITY_POLICY, CSP)], Html(html))
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
