//! What a record says, and whether an account can be made of it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::Value;
use wardgate_crypto::SubKey;

use crate::features::password::ForeignHash;
use crate::features::roles::{BuiltinRole, MAX_ROLES};
use crate::features::users::{User, check_name};
use crate::kernel::email::Email;
use crate::kernel::error::FieldFault;
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::time::Timestamp;

/// How a file of users is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferFormat {
    /// One JSON object a line.
    JsonLines,
    /// Comma-separated values with a header (RFC 4180), in UTF-8.
    Csv,
}

/// What a record may have; exports have them in this order.
const FIELDS: [&str; 7] =
    ["email", "name", "email_verified", "is_active", "roles", "created_at", "password_hash"];

/// Why a line was refused. It holds nothing of a password hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineFault {
    /// The line that the record begins at; the first is 1.
    pub line: u64,
    /// The field at fault; empty for the whole record.
    pub field: Cow<'static, str>,
    /// A stable word for machines, such as `unknown_field`.
    pub code: &'static str,
    /// What is wrong, for people.
    pub detail: String,
}

impl LineFault {
    pub(super) fn of(line: u64, fault: FieldFault) -> Self {
        let FieldFault { field, code, detail } = fault;
        Self { line, field, code, detail }
    }

    pub(super) fn whole(line: u64, code: &'static str, detail: impl Into<String>) -> Self {
        Self { line, field: Cow::Borrowed(""), code, detail: detail.into() }
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, field, detail, .. } = self;
        if field.is_empty() {
            write!(f, "line {line}: {detail}")
        } else {
            write!(f, "line {line}: {field}: {detail}")
        }
    }
}

/// A record found good. Not `Debug`: it holds a password hash.
pub(super) struct Incoming {
    pub(super) line: u64,
    pub(super) email: Email,
    pub(super) name: Option<String>,
    pub(super) email_verified: bool,
    pub(super) is_active: bool,
    /// Sorted.
    pub(super) roles: Vec<String>,
    pub(super) created_at: Option<Timestamp>,
    pub(super) hash: Option<ForeignHash>,
}

/// What an account's id holds of the line it was made from: the random bits of a UUIDv7.
pub(super) type LineDigest = [u8; 10];

impl Incoming {
    /// Tells this line from every other that says something else, whatever its format. Under a key, because ids are
    /// public and what a line says is not.
    pub(super) fn digest(&self, key: &SubKey, tenant: TenantId) -> LineDigest {
        let created_at = self.created_at.map(|at| at.as_millis().to_be_bytes());
        let optional = |part: Option<&[u8]>| part.map_or(Vec::new(), |part| [b"=", part].concat());
        let name = optional(self.name.as_deref().map(str::as_bytes));
        let created_at = optional(created_at.as_ref().map(<[u8; 8]>::as_slice));
        let hash = optional(self.hash.as_ref().map(|hash| hash.as_str().as_bytes()));
        let flags = [u8::from(self.email_verified), u8::from(self.is_active)];
        let (tenant, roles) = (tenant.as_uuid(), self.roles.join(" "));
        let parts: [&[u8]; 7] = [
            tenant.as_bytes(),
            self.email.normalized().as_bytes(),
            &name,
            &flags,
            roles.as_bytes(),
            &created_at,
            &hash,
        ];
        let mut digest = LineDigest::default();
        digest.copy_from_slice(&key.hmac(&parts)[..10]);
        digest
    }

    /// The user this line makes, now.
    pub(super) fn user(&self, digest: LineDigest, now: Timestamp) -> User {
        User {
            id: UserId::new(now, digest),
            email: self.email.clone(),
            email_verified_at: self.email_verified.then_some(now),
            name: self.name.clone(),
            disabled_at: (!self.is_active).then_some(now),
            created_at: self.created_at.unwrap_or(now),
        }
    }
}

/// Whether the account was made from the line with this digest, at whatever time. Nothing that its owner or an
/// administrator may change since then counts, nor that the password was hashed anew.
pub(super) fn was_made_from(user: UserId, digest: LineDigest) -> bool {
    let millis = i64::try_from(user.as_uuid().as_u128() >> 80).unwrap_or(0);
    UserId::new(Timestamp::from_millis(millis), digest) == user
}

/// The fault of a line whose address is another account's.
pub(super) fn taken() -> FieldFault {
    let detail = "has an account that was not made from this line; the account stays as it is";
    FieldFault::new("email", "email_taken", detail)
}

/// The fault of the first role that `is_there` does not know.
pub(super) fn unknown_role(roles: &[String], is_there: impl Fn(&str) -> bool) -> Option<FieldFault> {
    let unknown = roles.iter().find(|role| !is_there(role) && role.parse::<BuiltinRole>().is_err())?;
    let detail = format!("there is no role {}: make it first, or leave it out", shown(unknown));
    Some(FieldFault::new("roles", "unknown_role", detail))
}

/// The values of one record, of the right type but not judged yet.
#[derive(Default)]
struct Fields {
    email: Option<String>,
    name: Option<String>,
    email_verified: Option<bool>,
    is_active: Option<bool>,
    roles: Option<Vec<String>>,
    created_at: Option<String>,
    password_hash: Option<String>,
}

impl Fields {
    fn check(
        self,
        line: u64,
        now: Timestamp,
        mut faults: Vec<FieldFault>,
    ) -> Result<Incoming, Vec<LineFault>> {
        let mut keep = |fault: FieldFault| {
            // A value of the wrong type is missing as well, which need not be said.
            if !faults.iter().any(|known| known.field == fault.field) {
                faults.push(fault);
            }
        };
        let email = match self.email.as_deref().map(str::parse::<Email>) {
            Some(Ok(email)) => Some(email),
            Some(Err(_)) => {
                keep(FieldFault::new("email", "invalid_email", "is not an e-mail address"));
                None
            }
            None => {
                keep(FieldFault::new("email", "missing_field", "is required"));
                None
            }
        };
        if let Some(Err(fault)) = self.name.as_deref().map(check_name) {
            keep(fault);
        }
        let mut roles = self.roles.unwrap_or_else(|| vec![BuiltinRole::User.as_str().to_owned()]);
        roles.sort_unstable();
        if let Err(fault) = check_roles(&roles) {
            keep(fault);
        }
        let created_at = self.created_at.and_then(|text| created_at(&text, now).map_err(&mut keep).ok());
        let hash = self.password_hash.and_then(|text| password_hash(text).map_err(&mut keep).ok());
        match email {
            Some(email) if faults.is_empty() => Ok(Incoming {
                line,
                email,
                name: self.name,
                email_verified: self.email_verified.unwrap_or(false),
                is_active: self.is_active.unwrap_or(true),
                roles,
                created_at,
                hash,
            }),
            _ => Err(faults.into_iter().map(|fault| LineFault::of(line, fault)).collect()),
        }
    }
}

fn check_roles(sorted: &[String]) -> Result<(), FieldFault> {
    if sorted.len() > MAX_ROLES {
        return Err(FieldFault::new("roles", "too_many", format!("must be at most {MAX_ROLES}")));
    }
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(FieldFault::new("roles", "duplicate", format!("{} stands twice", shown(&pair[0])))),
        None => Ok(()),
    }
}

fn created_at(text: &str, now: Timestamp) -> Result<Timestamp, FieldFault> {
    let at: Timestamp = text.parse().map_err(|wrong: crate::kernel::time::InvalidTimestamp| {
        FieldFault::new("created_at", "invalid_time", wrong.to_string())
    })?;
    // Year 1 is how some programs write "never", and a time to come would head every list.
    if at < Timestamp::from_millis(0) || at > now {
        return Err(FieldFault::new("created_at", "out_of_range", "must lie between 1970 and now"));
    }
    Ok(at)
}

fn password_hash(text: String) -> Result<ForeignHash, FieldFault> {
    ForeignHash::read(text).map_err(|reason| {
        let (code, detail) = match reason {
            "malformed" => ("malformed_hash", "is not whole, or of no form that is known".to_owned()),
            reason => ("unsupported_hash", format!("is refused: {reason}")),
        };
        FieldFault::new("password_hash", code, detail)
    })
}

/// Somebody's text, short and harmless enough to be shown. Every form of a hash has a `$`, and one may stand anywhere
/// if columns are in another order than their header says.
fn shown(text: &str) -> String {
    if text.contains('$') {
        return "(not shown, for it may be a hash)".to_owned();
    }
    let short: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
    format!("{short:?}")
}

fn unknown_field(name: &str) -> FieldFault {
    let detail = format!("there is no field {}; there are {}", shown(name), FIELDS.join(", "));
    FieldFault::new("", "unknown_field", detail)
}

/// Reads a line of JSON.
pub(super) fn read_json(line: u64, text: &str, now: Timestamp) -> Result<Incoming, Vec<LineFault>> {
    let Written(members) = serde_json::from_str(text).map_err(|error| {
        // The library's own text would tell of "line 1", and may quote a value.
        let what = if error.is_data() {
            "is not a JSON object".to_owned()
        } else {
            format!("is not JSON, as of column {}", error.column())
        };
        vec![LineFault::whole(line, "malformed_json", what)]
    })?;
    let (mut fields, mut faults) = (Fields::default(), Vec::new());
    let mut seen: Vec<&'static str> = Vec::new();
    for (name, value) in members {
        match FIELDS.into_iter().find(|known| *known == name) {
            None => faults.push(unknown_field(&name)),
            Some(known) if seen.contains(&known) => {
                faults.push(FieldFault::new(known, "duplicate_field", "stands twice"));
            }
            Some(known) => {
                seen.push(known);
                faults.extend(fields.take_json(known, value).err());
            }
        }
    }
    fields.check(line, now, faults)
}

impl Fields {
    /// Nothing is coerced; `null` is how many programs write that there is none.
    fn take_json(&mut self, name: &'static str, value: Value) -> Result<(), FieldFault> {
        let wrong = |wanted: &str| Err(FieldFault::new(name, "wrong_type", format!("must be {wanted}")));
        match (name, value) {
            (_, Value::Null) => {}
            ("email", Value::String(text)) => self.email = Some(text),
            ("name", Value::String(text)) => self.name = Some(text),
            ("created_at", Value::String(text)) => self.created_at = Some(text),
            ("password_hash", Value::String(text)) => self.password_hash = Some(text),
            ("email_verified", Value::Bool(value)) => self.email_verified = Some(value),
            ("is_active", Value::Bool(value)) => self.is_active = Some(value),
            ("roles", Value::Array(items)) => {
                let texts = items.into_iter().map(|item| match item {
                    Value::String(text) => Some(text),
                    _ => None,
                });
                match texts.collect() {
                    Some(roles) => self.roles = Some(roles),
                    None => return wrong("a list of strings"),
                }
            }
            ("roles", _) => return wrong("a list of strings"),
            ("email_verified" | "is_active", _) => return wrong("true or false"),
            _ => return wrong("a string"),
        }
        Ok(())
    }

    /// An empty cell says that there is none, but for roles: there it says "no role".
    fn take_cell(&mut self, name: &'static str, cell: String) -> Result<(), FieldFault> {
        let boolean = |cell: &str| match cell.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => Ok(Some(true)),
            "false" | "f" | "0" => Ok(Some(false)),
            _ => Err(FieldFault::new(name, "wrong_type", "must be true or false, t or f, or 1 or 0")),
        };
        let separators = |c: char| c == ',' || c.is_whitespace();
        match name {
            "roles" => {
                let names = cell.split(separators).filter(|role| !role.is_empty());
                self.roles = Some(names.map(str::to_owned).collect());
            }
            _ if cell.is_empty() => {}
            "email" => self.email = Some(cell),
            "name" => self.name = Some(cell),
            "created_at" => self.created_at = Some(cell),
            "password_hash" => self.password_hash = Some(cell),
            "email_verified" => self.email_verified = boolean(&cell)?,
            _ => self.is_active = boolean(&cell)?,
        }
        Ok(())
    }
}

/// The columns of a CSV file.
pub(super) struct Header(Vec<&'static str>);

impl Header {
    /// Reads the first row: the names of fields, each once, `email` among them.
    pub(super) fn read(line: u64, cells: &[String]) -> Result<Self, Vec<LineFault>> {
        let known = |cell: &String| FIELDS.contains(&cell.trim());
        if !cells.iter().any(known) {
            // Most likely somebody's data, which is nobody else's business.
            let detail = format!("names none of {}: CSV begins with a row of names", FIELDS.join(", "));
            return Err(vec![LineFault::whole(line, "missing_header", detail)]);
        }
        let (mut columns, mut faults) = (Vec::new(), Vec::new());
        for cell in cells {
            match FIELDS.into_iter().find(|known| *known == cell.trim()) {
                None => faults.push(unknown_field(cell)),
                Some(known) if columns.contains(&known) => {
                    faults.push(FieldFault::new(known, "duplicate_field", "stands twice in the header"));
                }
                Some(known) => columns.push(known),
            }
        }
        if !columns.contains(&"email") {
            faults.push(FieldFault::new(
                "email",
                "missing_field",
                "is required in the header, which is the first row",
            ));
        }
        if faults.is_empty() {
            Ok(Self(columns))
        } else {
            Err(faults.into_iter().map(|fault| LineFault::of(line, fault)).collect())
        }
    }

    /// Reads a row.
    pub(super) fn read_row(
        &self,
        line: u64,
        cells: Vec<String>,
        now: Timestamp,
    ) -> Result<Incoming, Vec<LineFault>> {
        if cells.len() != self.0.len() {
            let detail = format!("has {} fields, and the header has {}", cells.len(), self.0.len());
            return Err(vec![LineFault::whole(line, "malformed_csv", detail)]);
        }
        let (mut fields, mut faults) = (Fields::default(), Vec::new());
        for (name, cell) in self.0.iter().zip(cells) {
            faults.extend(fields.take_cell(name, cell).err());
        }
        fields.check(line, now, faults)
    }
}

/// A JSON object as it was written: serde's own map would keep the last of two values of one name, and the program
/// that wrote it may have meant the first.
struct Written(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Written;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Written(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A user as an export writes one, and an import reads one.
pub struct ExportedUser {
    email: String,
    name: Option<String>,
    email_verified: bool,
    is_active: bool,
    roles: Vec<String>,
    created_at: Timestamp,
    /// `None` if hashes are not wanted, `Some(None)` if there is no password.
    password_hash: Option<Option<String>>,
}

impl ExportedUser {
    pub(super) fn new(user: &User, roles: Vec<String>, password_hash: Option<Option<String>>) -> Self {
        Self {
            email: user.email.as_str().to_owned(),
            name: user.name.clone(),
            email_verified: user.email_verified_at.is_some(),
            is_active: user.is_active(),
            roles,
            created_at: user.created_at,
            password_hash,
        }
    }

    /// The first row of a CSV file, without a line end.
    pub fn csv_header(with_password_hashes: bool) -> String {
        FIELDS[..if with_password_hashes { 7 } else { 6 }].join(",")
    }

    /// The user as a row of CSV, without a line end.
    pub fn to_csv(&self) -> String {
        let mut row = [
            quoted(&self.email),
            quoted(self.name.as_deref().unwrap_or_default()),
            self.email_verified.to_string().into(),
            self.is_active.to_string().into(),
            self.roles.join(" ").into(),
            self.created_at.to_string().into(),
        ]
        .join(",");
        if let Some(hash) = &self.password_hash {
            row.push(',');
            row.push_str(&quoted(hash.as_deref().unwrap_or_default()));
        }
        row
    }
}

fn quoted(cell: &str) -> Cow<'_, str> {
    if cell.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\"")).into()
    } else {
        cell.into()
    }
}

impl Serialize for ExportedUser {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            email: &'a str,
            name: Option<&'a str>,
            email_verified: bool,
            is_active: bool,
            roles: &'a [String],
            created_at: Timestamp,
            #[serde(skip_serializing_if = "Option::is_none")]
            password_hash: Option<Option<&'a str>>,
        }
        let Self { email, name, email_verified, is_active, roles, created_at, password_hash } = self;
        Shown {
            email,
            name: name.as_deref(),
            email_verified: *email_verified,
            is_active: *is_active,
            roles,
            created_at: *created_at,
            password_hash: password_hash.as_ref().map(Option::as_deref),
        }
        .serialize(serializer)
    }
}

impl fmt::Debug for ExportedUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportedUser").field("email", &self.email).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::csv::Splitter;
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
    const HASH: &str = "$2b$04$wBBsgoKEvkT9geGripLew.fgkmOrGFhuMe.dTOmdvWvOQoSwZOXcG";

    fn json(text: &str) -> Result<Incoming, Vec<LineFault>> {
        read_json(7, text, NOW)
    }

    fn cells(row: &str) -> Vec<String> {
        let mut splitter = Splitter::default();
        assert!(splitter.push_line(row));
        splitter.cells().unwrap()
    }

    fn csv(header: &str, row: &str) -> Result<Incoming, Vec<LineFault>> {
        Header::read(1, &cells(header))?.read_row(7, cells(row), NOW)
    }

    fn code(read: Result<Incoming, Vec<LineFault>>) -> String {
        let faults = read.map(drop).unwrap_err();
        faults.iter().map(|fault| format!("{}:{}", fault.field, fault.code)).collect::<Vec<_>>().join(" ")
    }

    fn key(seed: u64) -> SubKey {
        wardgate_crypto::MasterKey::generate(&crate::ports::SeededRng::new(seed)).derive("test")
    }

    #[test]
    fn what_is_left_out_has_a_careful_default() {
        for read in [json(r#"{"email":"a@b.de","name":null}"#), csv("email,name,is_active", "a@b.de,,")] {
            let Ok(incoming) = read else { panic!("it is good") };
            assert_eq!(
                (incoming.name.as_deref(), incoming.email_verified, incoming.is_active),
                (None, false, true)
            );
            assert_eq!(
                (incoming.roles, incoming.created_at, incoming.hash.is_none()),
                (vec!["user".into()], None, true)
            );
        }
    }

    #[test]
    fn an_empty_cell_of_roles_gives_none() {
        let roles =
            |cell: &str| csv("email,roles", &format!("a@b.de,{cell}")).map(|read| read.roles).unwrap();
        assert!(roles("").is_empty());
        for cell in ["user admin", "\"user,admin\"", "\" admin,  user \""] {
            assert_eq!(roles(cell), ["admin", "user"], "{cell}");
        }
        assert!(json(r#"{"email":"a@b.de","roles":[]}"#).map(|read| read.roles).unwrap().is_empty());
    }

    #[test]
    fn each_fault_of_a_line_is_named() {
        for (text, expected) in [
            ("nonsense", ":malformed_json"),
            ("[1]", ":malformed_json"),
            ("{\"email\":\"a@b.de\"} x", ":malformed_json"),
            ("{}", "email:missing_field"),
            (r#"{"email":null}"#, "email:missing_field"),
            (r#"{"email":7}"#, "email:wrong_type"),
            (r#"{"email":"nobody"}"#, "email:invalid_email"),
            (r#"{"email":"a@b.de","email":"c@d.de"}"#, "email:duplicate_field"),
            (r#"{"email":"a@b.de","pasword":"x"}"#, ":unknown_field"),
            (r#"{"email":"a@b.de","name":""}"#, "name:too_short"),
            (r#"{"email":"a@b.de","name":"a\nb"}"#, "name:control_character"),
            (r#"{"email":"a@b.de","email_verified":"true"}"#, "email_verified:wrong_type"),
            (r#"{"email":"a@b.de","is_active":1}"#, "is_active:wrong_type"),
            (r#"{"email":"a@b.de","roles":"user"}"#, "roles:wrong_type"),
            (r#"{"email":"a@b.de","roles":["user",1]}"#, "roles:wrong_type"),
            (r#"{"email":"a@b.de","roles":["user","user"]}"#, "roles:duplicate"),
            (r#"{"email":"a@b.de","created_at":"yesterday"}"#, "created_at:invalid_time"),
            (r#"{"email":"a@b.de","created_at":"0001-01-01T00:00:00Z"}"#, "created_at:out_of_range"),
            (r#"{"email":"a@b.de","created_at":"2999-01-01T00:00:00Z"}"#, "created_at:out_of_range"),
            (r#"{"email":"a@b.de","password_hash":"hunter2"}"#, "password_hash:malformed_hash"),
            (r#"{"email":"a@b.de","password_hash":"$6$a$b"}"#, "password_hash:unsupported_hash"),
            (r#"{"email":"x","name":" ","x":1}"#, ":unknown_field email:invalid_email name:too_short"),
        ] {
            assert_eq!(code(json(text)), expected, "{text}");
        }
        for (header, row, expected) in [
            ("email,pasword", "a@b.de,x", ":unknown_field"),
            ("email;name", "a@b.de;x", ":missing_header"),
            ("email,name;roles", "a@b.de,x", ":unknown_field"),
            ("email,email", "a@b.de,x", "email:duplicate_field"),
            ("name", "x", "email:missing_field"),
            ("email,name", "a@b.de", ":malformed_csv"),
            ("email,name", ",x", "email:missing_field"),
            ("email,is_active", "a@b.de,yes", "is_active:wrong_type"),
            ("email,is_active", "a@b.de,2", "is_active:wrong_type"),
        ] {
            assert_eq!(code(csv(header, row)), expected, "{header} {row}");
        }
    }

    #[test]
    fn a_fault_tells_nothing_of_a_hash() {
        for text in [
            format!(r#"{{"email":"a@b.de","password_hash":"{HASH}x"}}"#),
            format!(r#"{{"email":"a@b.de","is_active":"{HASH}"}}"#),
            format!(r#"{{"email":"a@b.de","created_at":"{HASH}"}}"#),
            format!(r#""{HASH}""#),
            format!(r#"{{"email":"a@b.de","{HASH}":1}}"#),
        ] {
            let faults = json(&text).map(drop).unwrap_err();
            assert!(!format!("{faults:?}{}", faults[0]).contains("wBBsgo"), "{faults:?}");
        }
        for header in [format!("a@b.de,{HASH}"), format!("email,{HASH}"), format!("email,name,{HASH}")] {
            let faults = csv(&header, "").map(drop).unwrap_err();
            assert!(!format!("{faults:?}").contains("wBBsgo"), "{faults:?}");
        }
        let fault = unknown_role(&[HASH.to_owned()], |_| false).unwrap();
        assert!(!format!("{fault:?}").contains("wBBsgo"), "{fault:?}");
    }

    proptest::proptest! {
        // S-148
        #[test]
        fn no_text_makes_a_parser_panic(text in "[ -~{}\\[\\]\",:$\\\\a-f0-9é\u{0}]{0,80}", header in "[a-z_,\"]{0,40}") {
            let _ = json(&text);
            let _ = json(&format!(r#"{{"email":"a@b.de","password_hash":{}}}"#, serde_json::json!(text)));
            let mut splitter = Splitter::default();
            splitter.push_line(&text);
            let row = splitter.cells().unwrap_or_default();
            let names: Vec<String> = header.split(',').map(str::to_owned).collect();
            let _ = Header::read(1, &names).map(|header| header.read_row(2, row.clone(), NOW).map(drop));
            let _ = Header::read(1, &row);
        }
    }

    #[test]
    fn the_booleans_of_csv_are_those_that_databases_write() {
        for (cell, is_active) in
            [("true", true), ("True", true), ("t", true), ("1", true), ("f", false), ("0", false)]
        {
            assert_eq!(
                csv("email,is_active", &format!("a@b.de,{cell}")).map(|read| read.is_active).unwrap(),
                is_active
            );
        }
    }

    #[test]
    fn an_account_is_known_by_the_line_it_was_made_from() {
        let base = r#"{"email":"a@b.de","roles":["user","admin"]}"#;
        let digest = |text: &str| json(text).map(|read| read.digest(&key(1), TenantId::DEFAULT)).unwrap();
        let made = json(base).map(|read| read.user(digest(base), NOW)).unwrap();
        assert!(was_made_from(made.id, digest(base)));
        // However it is spelled.
        let same = r#"{"roles":["admin","user"],"email":"A@B.de","name":null,"is_active":true}"#;
        assert!(was_made_from(made.id, digest(same)));
        let row = csv("roles,email", "\"admin,user\",a@b.de")
            .map(|read| read.digest(&key(1), TenantId::DEFAULT))
            .unwrap();
        assert!(was_made_from(made.id, row));
        for other in [
            r#"{"email":"a@b.de"}"#.to_owned(),
            r#"{"email":"c@b.de","roles":["user","admin"]}"#.to_owned(),
            r#"{"email":"a@b.de","roles":["user","admin"],"name":"A"}"#.to_owned(),
            r#"{"email":"a@b.de","roles":["user","admin"],"is_active":false}"#.to_owned(),
            r#"{"email":"a@b.de","roles":["user","admin"],"email_verified":true}"#.to_owned(),
            r#"{"email":"a@b.de","roles":["user","admin"],"created_at":"2020-01-01T00:00:00Z"}"#.to_owned(),
            format!(r#"{{"email":"a@b.de","roles":["user","admin"],"password_hash":"{HASH}"}}"#),
        ] {
            assert!(!was_made_from(made.id, digest(&other)), "{other}");
        }
        assert!(!was_made_from(
            made.id,
            json(base).map(|read| read.digest(&key(2), TenantId::DEFAULT)).unwrap()
        ));
    }

    #[test]
    fn what_is_exported_is_read_alike() {
        let user = User {
            id: UserId::from_uuid(Uuid::nil()),
            email: "ada@b.de".parse().unwrap(),
            email_verified_at: Some(NOW),
            name: Some("Lovelace, \"Ada\"".to_owned()),
            disabled_at: Some(NOW),
            created_at: Timestamp::from_millis(1_700_000_000_120),
        };
        for hash in [None, Some(None), Some(Some(HASH.to_owned()))] {
            let exported = ExportedUser::new(&user, vec!["admin".into(), "user".into()], hash.clone());
            let row = csv(&ExportedUser::csv_header(hash.is_some()), &exported.to_csv());
            for read in [row, json(&serde_json::to_string(&exported).unwrap())] {
                let Ok(read) = read else { panic!("it is good") };
                assert_eq!((read.email.as_str(), read.name), ("ada@b.de", user.name.clone()));
                assert_eq!((read.email_verified, read.is_active), (true, false));
                assert_eq!(
                    (read.roles.join(" "), read.created_at),
                    ("admin user".to_owned(), Some(user.created_at))
                );
                let expected = hash.clone().flatten();
                assert_eq!(read.hash.map(|hash| hash.as_str().to_owned()), expected);
            }
            assert!(!format!("{exported:?}").contains("$2b"));
        }
    }
}
