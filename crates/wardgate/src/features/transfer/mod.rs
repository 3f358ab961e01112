//! Users in from another program, and out again.

mod csv;
mod export;
mod import;
mod model;
mod records;
mod service;

pub use export::UserExport;
pub use import::{ImportError, ImportedBatch, UserImport};
pub use model::{ExportedUser, LineFault, TransferFormat};
pub use service::Transfer;
