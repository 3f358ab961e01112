//! The fields of a request body, read strictly and with every fault at once.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use http::request::Parts;
use percent_encoding::percent_decode;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::kernel::email::Email;
use crate::kernel::error::{AuthError, FieldFault};
use crate::kernel::time::Timestamp;

/// The most fields a body may have. Each could become two faults of the answer, so that a body of `a&a&a&…` would
/// cost a thousand times its size.
const MAX_FIELDS: usize = 32;

/// How a body was written; form fields are texts, and an empty one counts as absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Json,
    Form,
}

/// The most entries a list in a body may have.
const MAX_ITEMS: usize = 100;

/// The fields of one body; each is taken once, what remains at the end is unknown.
pub(crate) struct Fields {
    encoding: Encoding,
    entries: Vec<(String, Value)>,
    faults: Vec<FieldFault>,
}

/// A request that is made of fields. Reads everything it knows, noting faults, and leaves the verdict to
/// [`Fields::read`].
pub(crate) trait FromFields: Sized {
    fn from_fields(fields: &mut Fields) -> Self;
}

/// The query string of a request, read strictly: what is unknown, doubled or wrong is refused.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: FromFields> FromRequestParts<S> for Query<T> {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AuthError> {
        Fields::read_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// A JSON object as it was written: serde's own map would keep the last of two values of one name, and
/// another parser in front of us the first (S-015, S-029).
struct Written(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Written;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
                let mut entries = Vec::new();
                while let Some((name, Strict(value))) = map.next_entry()? {
                    if entries.len() >= MAX_FIELDS {
                        return Err(serde::de::Error::custom("too many fields"));
                    }
                    entries.push((name, value));
                }
                Ok(Written(entries))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A value inside the object; an object in it that names a field twice is refused for the same reason.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;
        impl<'de> Visitor<'de> for Anything {
            type Value = Strict;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
                Ok(Strict(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
                Ok(Strict(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
                Ok(Strict(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Strict, E> {
                Ok(Strict(value.into()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
                Ok(Strict(value.into()))
            }
            fn visit_unit<E>(self) -> Result<Strict, E> {
                Ok(Strict(Value::Null))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Strict, A::Error> {
                let mut items = Vec::new();
                while let Some(Strict(item)) = list.next_element()? {
                    items.push(item);
                }
                Ok(Strict(items.into()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
                let mut object = serde_json::Map::new();
                while let Some((name, Strict(value))) = map.next_entry::<String, _>()? {
                    if object.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a field stands twice"));
                    }
                }
                Ok(Strict(object.into()))
            }
        }
        deserializer.deserialize_any(Anything)
    }
}

fn json_entries(body: &[u8]) -> Result<Vec<(String, Value)>, AuthError> {
    let text = std::str::from_utf8(body).map_err(|_| AuthError::MalformedBody("The body is not UTF-8"))?;
    let Written(entries) = serde_json::from_str(text)
        .map_err(|_| AuthError::MalformedBody("The body is not JSON with an object at the top"))?;
    Ok(entries)
}

fn form_entries(body: &[u8]) -> Result<Vec<(String, Value)>, AuthError> {
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let mut entries = Vec::new();
    for pair in pairs {
        if entries.len() >= MAX_FIELDS {
            return Err(AuthError::MalformedBody("The form has too many fields"));
        }
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = form_text(halves.next().unwrap_or_default())?;
        let value = form_text(halves.next().unwrap_or_default())?;
        entries.push((name, Value::String(value)));
    }
    Ok(entries)
}

/// The pairs of a form or query, none if it is malformed.
#[cfg(feature = "pages")]
pub(crate) fn form_pairs(text: &[u8]) -> Vec<(String, String)> {
    let entries = form_entries(text).unwrap_or_default();
    let pair = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
    entries.into_iter().filter_map(pair).collect()
}

/// Decodes one half of a pair; unlike the usual lossy decoding, invalid UTF-8 is an error: a replaced
/// character would make two passwords one.
fn form_text(half: &[u8]) -> Result<String, AuthError> {
    let spaced: Vec<u8> = half.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let decoded = percent_decode(&spaced).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| AuthError::MalformedBody("The form is not UTF-8"))
}

impl Fields {
    /// Reads a request from a body, or says all that is wrong with it.
    pub(crate) fn read<T: FromFields>(encoding: Encoding, body: &[u8]) -> Result<T, AuthError> {
        let entries = match encoding {
            Encoding::Json => json_entries(body)?,
            Encoding::Form => form_entries(body)?,
        };
        let mut fields = Self { encoding, entries, faults: Vec::new() };
        fields.note_doubled();
        let request = T::from_fields(&mut fields);
        fields.note_unknown();
        if fields.faults.is_empty() { Ok(request) } else { Err(AuthError::InvalidFields(fields.faults)) }
    }

    /// Reads a request from a query string, as strictly as from a body.
    pub(crate) fn read_query<T: FromFields>(query: &str) -> Result<T, AuthError> {
        Self::read(Encoding::Form, query.as_bytes()).map_err(|error| match error {
            AuthError::MalformedBody(_) => {
                AuthError::field("", "malformed_query", "the query is not UTF-8, or has too many parameters")
            }
            other => other,
        })
    }

    /// Leaves what was not taken unread: where others write the request, and may write more than is known here.
    pub(crate) fn ignore_rest(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn is_form(&self) -> bool {
        self.encoding == Encoding::Form
    }

    fn note_doubled(&mut self) {
        let mut seen = std::collections::HashSet::new();
        let doubled: Vec<String> = self
            .entries
            .iter()
            .filter(|(name, _)| !seen.insert(name.as_str()))
            .map(|(name, _)| name.clone())
            .collect();
        for name in doubled {
            self.fault(shown(name), "duplicate_field", "stands twice in this request");
        }
    }

    fn note_unknown(&mut self) {
        for (name, _) in std::mem::take(&mut self.entries) {
            self.fault(shown(name), "unknown_field", "is not a field of this request");
        }
    }

    pub(crate) fn fault(&mut self, field: impl Into<Cow<'static, str>>, code: &'static str, detail: &str) {
        self.faults.push(FieldFault::new(field, code, detail));
    }

    /// Notes the fault of a value that was read but is not acceptable.
    pub(crate) fn note(&mut self, fault: Result<(), FieldFault>) {
        self.faults.extend(fault.err());
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let mut found = None;
        self.entries.retain_mut(|(entry, value)| {
            if entry == name {
                found.get_or_insert_with(|| value.take());
                return false;
            }
            true
        });
        found
    }

    /// A text, absent or present. A `null` or any other type is a fault, never coerced (S-015).
    pub(crate) fn optional_text(&mut self, name: &'static str) -> Option<String> {
        match self.take(name) {
            None => None,
            Some(Value::String(text)) if text.is_empty() && self.is_form() => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => {
                self.fault(name, "wrong_type", "must be a string");
                None
            }
        }
    }

    /// A text that may be `null`: the outer `None` is absence, the inner one `null`.
    pub(crate) fn nullable_text(&mut self, name: &'static str) -> Option<Option<String>> {
        match self.take(name) {
            None => None,
            Some(Value::Null) => Some(None),
            // A form cannot say `null`.
            Some(Value::String(text)) if text.is_empty() && self.is_form() => Some(None),
            Some(Value::String(text)) => Some(Some(text)),
            Some(_) => {
                self.fault(name, "wrong_type", "must be a string or null");
                None
            }
        }
    }

    /// The field `email`; `None` with a fault noted.
    pub(crate) fn email(&mut self) -> Option<Email> {
        match self.optional_text("email").map(|text| text.parse()) {
            Some(Ok(email)) => return Some(email),
            Some(Err(_)) => self.fault("email", "invalid_email", "is not an e-mail address"),
            None => self.fault("email", "missing_field", "is required, as a string"),
        }
        None
    }

    /// A list of texts, absent or present, or `null` for the inner `None`.
    pub(crate) fn nullable_texts(&mut self, name: &'static str) -> Option<Option<Vec<String>>> {
        let value = self.take(name)?;
        let Value::Array(items) = value else {
            if !value.is_null() {
                self.fault(name, "wrong_type", "must be a list of strings");
            }
            return Some(None);
        };
        if items.len() > MAX_ITEMS {
            self.fault(name, "too_many", &format!("must have at most {MAX_ITEMS} entries"));
            return Some(None);
        }
        let texts: Option<Vec<String>> =
            items.into_iter().map(|item| item.as_str().map(str::to_owned)).collect();
        if texts.is_none() {
            self.fault(name, "wrong_type", "must be a list of strings");
        }
        Some(texts)
    }

    /// A list of texts; a `null` is a fault.
    pub(crate) fn optional_texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        if self.entries.iter().any(|(entry, value)| entry == name && value.is_null()) {
            self.take(name);
            self.fault(name, "wrong_type", "must be a list of strings");
            return None;
        }
        self.nullable_texts(name).flatten()
    }

    /// `true` or `false`.
    pub(crate) fn optional_flag(&mut self, name: &'static str) -> Option<bool> {
        let value = self.take(name)?;
        let flag = match value.as_str() {
            Some("true") if self.is_form() => Some(true),
            Some("false") if self.is_form() => Some(false),
            _ => value.as_bool(),
        };
        if flag.is_none() {
            self.fault(name, "wrong_type", "must be true or false");
        }
        flag
    }

    /// A whole number within `range`.
    pub(crate) fn optional_number(
        &mut self,
        name: &'static str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let value = self.take(name)?;
        let number = value.as_i64().filter(|number| range.contains(number));
        if number.is_none() {
            let detail = format!("must be a whole number from {} to {}", range.start(), range.end());
            self.fault(name, "out_of_range", &detail);
        }
        number
    }

    /// A whole number within `range`, or `null` for the inner `None`.
    pub(crate) fn nullable_number(
        &mut self,
        name: &'static str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<Option<i64>> {
        if self.entries.iter().any(|(entry, value)| entry == name && value.is_null()) {
            self.take(name);
            return Some(None);
        }
        self.optional_number(name, range).map(Some)
    }

    /// A whole number within `range` that must be there; the least one when a fault was noted.
    pub(crate) fn number(&mut self, name: &'static str, range: std::ops::RangeInclusive<i64>) -> i64 {
        let least = *range.start();
        if !self.entries.iter().any(|(entry, _)| entry == name) {
            self.fault(name, "missing_field", "is required");
        }
        self.optional_number(name, range).unwrap_or(least)
    }

    /// A time as RFC 3339, or `null` for the inner `None`.
    pub(crate) fn nullable_time(&mut self, name: &'static str) -> Option<Option<Timestamp>> {
        let value = self.take(name)?;
        let time = value.as_str().and_then(|text| text.parse().ok());
        if time.is_none() && !value.is_null() {
            self.fault(name, "invalid_time", "must be a time such as 2030-01-31T12:00:00Z");
        }
        Some(time)
    }

    /// An object with fields of its own, or `null` for the inner `None`. Its faults are told as the outer field's.
    pub(crate) fn nullable_object<T: FromFields>(&mut self, name: &'static str) -> Option<Option<T>> {
        let value = self.take(name)?;
        let Value::Object(object) = value else {
            if !value.is_null() {
                self.fault(name, "wrong_type", "must be an object");
            }
            return Some(None);
        };
        let mut inner =
            Self { encoding: self.encoding, entries: object.into_iter().collect(), faults: Vec::new() };
        let read = T::from_fields(&mut inner);
        inner.note_unknown();
        let sound = inner.faults.is_empty();
        for fault in inner.faults {
            self.fault(name, fault.code, &format!("{}: {}", fault.field, fault.detail));
        }
        Some(sound.then_some(read))
    }

    /// A text that must be there; empty when a fault was noted.
    pub(crate) fn text(&mut self, name: &'static str) -> String {
        let present = self.entries.iter().any(|(entry, _)| entry == name);
        match self.optional_text(name) {
            Some(text) => text,
            None => {
                if !present || self.is_form() {
                    self.fault(name, "missing_field", "is required");
                }
                String::new()
            }
        }
    }

    /// A text that names something: without control characters, which no name of ours has and which one of
    /// the databases cannot store.
    pub(crate) fn identifier(&mut self, name: &'static str) -> String {
        let text = self.text(name);
        if text.chars().any(char::is_control) {
            self.fault(name, "control_character", "must not contain control characters");
        }
        text
    }
}

/// A stranger's field name, short enough to be shown back.
fn shown(name: String) -> String {
    if name.chars().count() <= 64 { name } else { name.chars().take(64).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair {
        a: String,
        b: Option<String>,
    }

    impl FromFields for Pair {
        fn from_fields(fields: &mut Fields) -> Self {
            Self { a: fields.text("a"), b: fields.optional_text("b") }
        }
    }

    fn codes(encoding: Encoding, body: &str) -> Vec<(String, &'static str)> {
        match Fields::read::<Pair>(encoding, body.as_bytes()) {
            Ok(_) => vec![],
            Err(AuthError::InvalidFields(faults)) => {
                faults.into_iter().map(|fault| (fault.field.into_owned(), fault.code)).collect()
            }
            Err(other) => vec![(String::new(), other.code())],
        }
    }

    #[test]
    fn every_fault_is_told_at_once() {
        // S-015
        let faults = codes(Encoding::Json, r#"{"b": 1, "c": true, "c": false}"#);
        let expected = [
            ("c", "duplicate_field"),
            ("a", "missing_field"),
            ("b", "wrong_type"),
            ("c", "unknown_field"),
            ("c", "unknown_field"),
        ];
        assert_eq!(faults, expected.map(|(field, code)| (field.to_owned(), code)));
    }

    #[test]
    fn no_other_type_passes_for_a_string() {
        for value in ["1", "null", "true", "[\"x\"]", "{}", "1e400"] {
            let found = codes(Encoding::Json, &format!("{{\"a\": {value}}}"));
            assert!(
                found == [("a".to_owned(), "wrong_type")] || found == [(String::new(), "malformed_body")],
                "{value}: {found:?}"
            );
        }
    }

    #[test]
    fn what_is_no_object_or_no_text_is_malformed() {
        for body in ["", "[]", "\"a\"", "{\"a\":", "{\"a\":\"x\"} trailing", "nul"] {
            assert_eq!(codes(Encoding::Json, body), [(String::new(), "malformed_body")], "{body}");
        }
        assert!(matches!(
            Fields::read::<Pair>(Encoding::Json, b"{\"a\":\"\xff\"}"),
            Err(AuthError::MalformedBody(_))
        ));
        assert!(matches!(Fields::read::<Pair>(Encoding::Form, b"a=%ff"), Err(AuthError::MalformedBody(_))));
        let many = "a&".repeat(33);
        assert_eq!(codes(Encoding::Form, &many), [(String::new(), "malformed_body")]);
        let many = format!("{{{}\"a\":\"x\"}}", "\"b\":0,".repeat(32));
        assert_eq!(codes(Encoding::Json, &many), [(String::new(), "malformed_body")]);
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(codes(Encoding::Json, &deep), [(String::new(), "malformed_body")]);
    }

    struct Rich {
        list: Option<Vec<String>>,
        flag: Option<bool>,
        number: Option<i64>,
        time: Option<Option<Timestamp>>,
        inner: Option<Option<Pair>>,
    }

    impl FromFields for Rich {
        fn from_fields(fields: &mut Fields) -> Self {
            Self {
                list: fields.optional_texts("list"),
                flag: fields.optional_flag("flag"),
                number: fields.optional_number("number", 1..=9),
                time: fields.nullable_time("time"),
                inner: fields.nullable_object("inner"),
            }
        }
    }

    #[test]
    fn lists_flags_numbers_times_and_objects_are_read_as_strictly() {
        let body =
            br#"{"list":["a"],"flag":true,"number":9,"time":"2030-01-31T12:00:00Z","inner":{"a":"x"}}"#;
        let rich: Rich = Fields::read(Encoding::Json, body).unwrap();
        assert_eq!(
            (rich.list.as_deref(), rich.flag, rich.number),
            (Some(&["a".to_owned()][..]), Some(true), Some(9))
        );
        assert!(rich.time.flatten().is_some() && rich.inner.flatten().is_some());
        let none: Rich = Fields::read(Encoding::Json, br#"{"time":null,"inner":null}"#).unwrap();
        assert!(none.time == Some(None) && none.inner.is_some_and(|inner| inner.is_none()));
        for wrong in [
            r#"{"list":null}"#,
            r#"{"list":"a"}"#,
            r#"{"list":[1]}"#,
            r#"{"list":["a",null]}"#,
            r#"{"flag":"true"}"#,
            r#"{"flag":1}"#,
            r#"{"number":"1"}"#,
            r#"{"number":1.5}"#,
            r#"{"number":0}"#,
            r#"{"number":10}"#,
            r#"{"time":"tomorrow"}"#,
            r#"{"time":1}"#,
            r#"{"inner":[]}"#,
            r#"{"inner":{}}"#,
            r#"{"inner":{"a":"x","c":1}}"#,
        ] {
            let read = Fields::read::<Rich>(Encoding::Json, wrong.as_bytes());
            assert!(matches!(read, Err(AuthError::InvalidFields(_))), "{wrong}");
        }
        let twice = Fields::read::<Rich>(Encoding::Json, br#"{"inner":{"a":"x","a":"y"}}"#);
        assert!(matches!(twice, Err(AuthError::MalformedBody(_))));
        let many = format!("{{\"list\":[{}\"a\"]}}", "\"a\",".repeat(100));
        assert!(matches!(
            Fields::read::<Rich>(Encoding::Json, many.as_bytes()),
            Err(AuthError::InvalidFields(_))
        ));
    }

    #[test]
    fn forms_decode_plus_and_percent_and_treat_empty_as_absent() {
        let pair: Pair = Fields::read(Encoding::Form, b"a=x+y%2B%C3%A9&b=").unwrap();
        assert_eq!((pair.a.as_str(), pair.b), ("x y+é", None));
        assert_eq!(codes(Encoding::Form, "a="), [("a".to_owned(), "missing_field")]);
        assert_eq!(codes(Encoding::Form, "a=1&a=2"), [("a".to_owned(), "duplicate_field")]);
    }
}
