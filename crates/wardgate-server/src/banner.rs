//! What a server tells whoever started it.

use std::io::{self, Write};

use serde::Serialize;
use zeroize::Zeroizing;

use crate::output::{bold, json_line};

/// The facts of a start. Its link makes a superadmin, so it goes to standard output only, never to the log:
/// logs are kept and read by more people.
#[derive(Serialize)]
pub(crate) struct Banner {
    /// `http://` and the address really listened on.
    pub(crate) listening: String,
    /// The page of documentation, if it is on.
    pub(crate) docs: Option<String>,
    /// Where the metrics are, if they are on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metrics: Option<String>,
    /// The folder or the server where the data lies; no password in it.
    pub(crate) data: String,
    /// The one-use link for the first superadmin, under `--dev` until there is one.
    pub(crate) setup: Option<Zeroizing<String>>,
    #[serde(skip)]
    pub(crate) dev: bool,
}

impl Banner {
    /// Writes the facts as lines for people, or as one line of JSON.
    ///
    /// # Errors
    /// What writing gives; the server runs on without a reader.
    pub(crate) fn print(&self, out: &mut impl Write, json: bool) -> io::Result<()> {
        if json {
            json_line(out, self)?;
        } else {
            self.lines(out)?;
        }
        out.flush()
    }

    fn lines(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "listening on {}", bold(&self.listening))?;
        if let Some(docs) = &self.docs {
            writeln!(out, "documentation: {docs}")?;
        }
        if let Some(metrics) = &self.metrics {
            writeln!(out, "metrics: {metrics}")?;
        }
        writeln!(out, "data: {}", self.data)?;
        if let Some(setup) = &self.setup {
            writeln!(out, "first superadmin, within an hour: {}", bold(setup))?;
        }
        if self.dev {
            writeln!(out, "\nnext, make a user:\n{}", self.register())?;
        }
        Ok(())
    }

    /// A command that works as it stands.
    fn register(&self) -> String {
        format!(
            "curl {}/auth/register -H 'content-type: application/json' \\\n  \
             -d '{{\"email\": \"ada@example.com\", \"password\": \"correct horse battery staple\"}}'",
            self.listening
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(banner: &Banner, json: bool) -> String {
        let mut out = Vec::new();
        banner.print(&mut out, json).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn development() -> Banner {
        Banner {
            listening: "http://127.0.0.1:8080".to_owned(),
            docs: Some("http://127.0.0.1:8080/docs".to_owned()),
            metrics: None,
            data: "/srv/data".to_owned(),
            setup: Some(Zeroizing::new("http://127.0.0.1:8080/setup#token=t".to_owned())),
            dev: true,
        }
    }

    #[test]
    fn a_development_server_says_what_to_do_next() {
        insta::assert_snapshot!(printed(&development(), false));
    }

    #[test]
    fn a_production_server_says_where_it_is_and_no_more() {
        let banner = Banner { docs: None, setup: None, dev: false, ..development() };
        assert_eq!(printed(&banner, false), "listening on http://127.0.0.1:8080\ndata: /srv/data\n");
    }

    #[test]
    fn programs_read_one_line() {
        let text = printed(&development(), true);
        assert_eq!(text.matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["listening"], "http://127.0.0.1:8080");
        assert_eq!(read["setup"], "http://127.0.0.1:8080/setup#token=t");
    }
}
