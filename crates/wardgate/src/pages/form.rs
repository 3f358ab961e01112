//! A form as a page shows it, and as a browser sends it back.

use axum::extract::{FromRequest, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::visit::Visit;
use crate::kernel::error::AuthError;
use crate::web::body;
use crate::web::fields::{Encoding, Fields, FromFields, form_pairs};

/// What a browser sent by a form: passwords are in it, so it cannot be printed.
pub(super) struct Sent(Vec<u8>);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = AuthError;

    async fn from_request(request: Request, _: &S) -> Result<Self, AuthError> {
        let (parts, body) = request.into_parts();
        Ok(Self(body::form(&parts.headers, body).await?))
    }
}

impl Sent {
    /// The fields, read as strictly as those of the route that takes the same.
    pub(super) fn read<T: FromFields>(&self) -> Result<T, AuthError> {
        Fields::read(Encoding::Form, &self.0)
    }

    /// As [`read`](Self::read), with what `change` makes of the field `name`.
    pub(super) fn with<T: FromFields>(
        &self,
        name: &str,
        change: impl Fn(&str) -> String,
    ) -> Result<T, AuthError> {
        let value = |(field, value): (String, String)| match field == name {
            true => (field, change(&value)),
            false => (field, value),
        };
        let changed: Vec<_> = form_pairs(&self.0).into_iter().map(value).collect();
        Fields::read(Encoding::Form, encoded(&changed).as_bytes())
    }

    /// What was typed into a field.
    pub(super) fn typed(&self, name: &str) -> String {
        let found = form_pairs(&self.0).into_iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value).unwrap_or_default()
    }
}

/// The pairs as a form sends them.
pub(super) fn encoded(pairs: &[(String, String)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// A form of a page.
pub(super) struct Form {
    pub(super) action: String,
    pub(super) fields: Vec<Field>,
    pub(super) button: String,
    /// Whether what it does cannot be undone.
    pub(super) is_danger: bool,
    /// What is wrong with it as a whole.
    pub(super) alert: Option<String>,
    /// What goes along unseen.
    pub(super) carried: Vec<(String, String)>,
    /// Whose password it asks for, so that password managers know.
    pub(super) account: Option<String>,
}

/// A field of a form. It may hold a link's token, so it cannot be printed.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: String,
    pub(super) kind: Kind,
    pub(super) autocomplete: &'static str,
    pub(super) value: String,
    pub(super) hint: Option<String>,
    pub(super) fault: Option<String>,
    pub(super) required: bool,
    pub(super) focus: bool,
}

/// How a field is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// By typing, as the `type` of its `input`.
    Input(&'static str),
    /// By choosing: values and their labels.
    Choice(Vec<(&'static str, String)>),
}

impl Field {
    /// Whether it holds a secret, which is never shown again.
    fn is_secret(&self) -> bool {
        self.kind == Kind::Input("password")
    }

    pub(super) fn input_type(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Input(kind) => Some(kind),
            Kind::Choice(_) => None,
        }
    }

    /// Whether a keyboard should leave it as it is typed.
    pub(super) fn is_no_prose(&self) -> bool {
        self.kind == Kind::Input("email") || self.name == "token"
    }

    pub(super) fn choices(&self) -> &[(&'static str, String)] {
        match &self.kind {
            Kind::Input(_) => &[],
            Kind::Choice(choices) => choices,
        }
    }

    pub(super) fn is_chosen(&self, value: &str) -> bool {
        self.value == value
    }

    /// The ids of what describes it.
    pub(super) fn described_by(&self) -> String {
        let hint = self.hint.is_some().then(|| format!("{}-hint", self.name));
        let fault = self.fault.is_some().then(|| format!("{}-fault", self.name));
        [fault, hint].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    pub(super) fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    pub(super) fn focused(mut self) -> Self {
        self.focus = true;
        self
    }

    pub(super) fn hint(mut self, hint: String) -> Self {
        self.hint = Some(hint);
        self
    }

    pub(super) fn value(mut self, value: &str) -> Self {
        value.clone_into(&mut self.value);
        self
    }
}

impl Form {
    /// A form that is sent to `path`.
    pub(super) fn new(visit: &Visit, path: &str, button: &str) -> Self {
        Self {
            action: visit.at(path),
            fields: Vec::new(),
            button: visit.words.get(button),
            is_danger: false,
            alert: None,
            carried: Vec::new(),
            account: None,
        }
    }

    pub(super) fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    pub(super) fn danger(mut self) -> Self {
        self.is_danger = true;
        self
    }

    pub(super) fn account(mut self, email: &str) -> Self {
        self.account = Some(email.to_owned());
        self
    }

    /// With what was typed, but for secrets.
    pub(super) fn typed(mut self, sent: &Sent) -> Self {
        for field in self.fields.iter_mut().filter(|field| !field.is_secret()) {
            field.value = sent.typed(field.name);
        }
        self
    }

    /// Puts a refusal where whoever filled the form in looks for it. `Err` is no matter of the form.
    pub(super) fn refuse(&mut self, visit: &Visit, error: &AuthError) -> Result<(), ()> {
        match error {
            AuthError::InvalidFields(faults) => {
                for fault in faults {
                    let text = visit.words.fault(fault, visit.min_chars());
                    self.put(&fault.field, text);
                }
            }
            AuthError::WrongPassword => {
                let text = visit.words.error(error);
                match self.fields.iter().find(|field| field.is_secret()).map(|field| field.name) {
                    Some(name) => self.put(name, text),
                    None => self.alert = Some(text),
                }
            }
            AuthError::EmailTaken => self.put("email", visit.words.error(error)),
            AuthError::IncorrectCredentials
            | AuthError::MissingCredential
            | AuthError::WrongAccount
            | AuthError::InvalidToken
            | AuthError::RegistrationClosed
            | AuthError::MailNotConfigured
            | AuthError::TooManyApiKeys
            | AuthError::TooManyMembers
            | AuthError::LastOwner
            | AuthError::LastSuperadmin
            | AuthError::RateLimited { .. }
            | AuthError::Busy { .. } => self.alert = Some(visit.words.error(error)),
            _ => return Err(()),
        }
        self.focus_fault();
        Ok(())
    }

    fn put(&mut self, name: &str, text: String) {
        match self.fields.iter_mut().find(|field| field.name == name) {
            Some(field) => drop(field.fault.get_or_insert(text)),
            None => self.alert = Some(text),
        }
    }

    /// The first field that is wrong is the one to go on with; without one, an empty secret.
    fn focus_fault(&mut self) {
        let wrong = self.fields.iter().position(|field| field.fault.is_some());
        let secret = || self.fields.iter().position(Field::is_secret);
        if let Some(wrong) = wrong.or_else(secret) {
            for (index, field) in self.fields.iter_mut().enumerate() {
                field.focus = index == wrong;
            }
        }
    }
}
