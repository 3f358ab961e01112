//! JSON read strictly: one object, no key twice, no forbidden member, bounded depth.
//!
//! Two parsers that resolve a repeated key differently let an attacker show each a different token, so a repeated
//! key is refused wherever it stands at the top level, also one that nobody reads (RFC 7515 section 4).

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::ClaimFault;

/// Deeper nesting than this is refused before parsing; our own tokens need three levels.
const MAX_DEPTH: u32 = 16;

/// Reads one JSON object of type `T` from `bytes`, refusing repeated keys and the members named in `forbidden`.
pub(crate) fn read<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
    forbidden: &'static [&'static str],
) -> Result<T, ClaimFault> {
    // Skipped members are not checked for UTF-8 by the parser, so the whole text is checked here.
    let text = std::str::from_utf8(bytes).map_err(|_| ClaimFault::NotJson)?;
    if !is_shallow(text) {
        return Err(ClaimFault::TooDeep);
    }
    let mut source = serde_json::Deserializer::from_str(text);
    let value = Object::new(forbidden).deserialize(&mut source).map_err(|fault| classify(&fault))?;
    source.end().map_err(|_| ClaimFault::NotJson)?;
    Ok(value)
}

fn classify(fault: &serde_json::Error) -> ClaimFault {
    if fault.is_data() { ClaimFault::Shape } else { ClaimFault::NotJson }
}

fn is_shallow(text: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0u32, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return false;
        }
    }
    true
}

/// A seed that reads a `T` from a map through [`UniqueKeys`], and from nothing but a map.
///
/// Derived structs also accept a sequence of their fields; going through this seed closes that door.
pub(crate) struct Object<T> {
    forbidden: &'static [&'static str],
    target: PhantomData<T>,
}

impl<T> Object<T> {
    pub(crate) fn new(forbidden: &'static [&'static str]) -> Self {
        Self { forbidden, target: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Object<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, members: M) -> Result<T, M::Error> {
        let unique = UniqueKeys { members, seen: BTreeSet::new(), forbidden: self.forbidden };
        T::deserialize(MapAccessDeserializer::new(unique))
    }
}

struct UniqueKeys<M> {
    members: M,
    seen: BTreeSet<String>,
    forbidden: &'static [&'static str],
}

impl<'de, M: MapAccess<'de>> MapAccess<'de> for UniqueKeys<M> {
    type Error = M::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, M::Error> {
        let Some(key) = self.members.next_key::<String>()? else { return Ok(None) };
        if self.forbidden.contains(&key.as_str()) {
            return Err(M::Error::custom("a member that must not be there"));
        }
        if !self.seen.insert(key.clone()) {
            return Err(M::Error::custom("a member appears twice"));
        }
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, M::Error> {
        self.members.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct One {
        a: u8,
    }

    fn one(text: &str) -> Result<One, ClaimFault> {
        read(text.as_bytes(), &["bad"])
    }

    #[test]
    fn reads_an_object_and_skips_what_it_does_not_know() {
        assert_eq!(one(r#" {"a":1,"z":{"deep":[1,2,{}]}} "#), Ok(One { a: 1 }));
    }

    // S-029
    #[test]
    fn a_repeated_key_is_refused_known_or_not_and_however_it_is_escaped() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"z":1,"z":2}"#, r#"{"a":1,"z":1,"\u007a":2}"#] {
            assert_eq!(one(text), Err(ClaimFault::Shape), "{text}");
        }
    }

    #[test]
    fn a_forbidden_member_is_refused_however_it_is_escaped() {
        for text in [r#"{"a":1,"bad":null}"#, r#"{"a":1,"\u0062ad":0}"#] {
            assert_eq!(one(text), Err(ClaimFault::Shape), "{text}");
        }
    }

    #[test]
    fn anything_but_one_object_is_refused() {
        for text in ["[1]", "1", "null", "\"a\"", "", "{", r#"{"a":1}{}"#, r#"{"a":1}x"#, r#"{"a":1,}"#] {
            assert!(one(text).is_err(), "{text}");
        }
        assert_eq!(read::<One>(b"{\"a\":1,\"z\":\"\xff\"}", &[]), Err(ClaimFault::NotJson));
    }

    // S-146
    #[test]
    fn depth_is_bounded_and_brackets_in_strings_do_not_count() {
        let nested = |levels: usize| format!(r#"{{"a":1,"z":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert!(one(&nested(15)).is_ok());
        assert_eq!(one(&nested(16)), Err(ClaimFault::TooDeep));
        assert_eq!(one(&"[".repeat(8000)), Err(ClaimFault::TooDeep));
        let brackets = format!(r#"{{"a":1,"z":"\"{}"}}"#, "[".repeat(100));
        assert!(one(&brackets).is_ok());
    }
}
