//! Row 0: the words every other module speaks. No I/O, no clock, no chance, no async.

pub(crate) mod color;
pub(crate) mod email;
pub(crate) mod error;
pub(crate) mod ids;
pub(crate) mod language;
pub(crate) mod network;
pub(crate) mod page;
pub(crate) mod principal;
pub(crate) mod source;
pub(crate) mod tenant;
pub(crate) mod time;
pub(crate) mod words;
