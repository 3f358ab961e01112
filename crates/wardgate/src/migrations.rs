//! The schema, as forward steps: one text for both engines.

use wardgate_store::Migration;

macro_rules! migrations {
    ($($version:literal $name:literal),+ $(,)?) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../migrations/", $name, ".sql")),
        }),+]
    };
}

/// Every migration, oldest first. Applied ones never change; the store compares their checksums. Each is made while the
/// program of the version before serves: `tests/rules/migrations.rs` says what that leaves.
pub const MIGRATIONS: &[Migration] = migrations![
    1 "0001_tenants",
    2 "0002_audit",
    3 "0003_signing_keys",
    4 "0004_users",
    5 "0005_role_assignments",
    6 "0006_sessions",
    7 "0007_refresh_tokens",
    8 "0008_passwords",
    9 "0009_setup_links",
    10 "0010_audit_chain",
    11 "0011_sign_in_guards",
    12 "0012_roles",
    13 "0013_service_accounts",
    14 "0014_api_keys",
    15 "0015_browser_sessions",
    16 "0016_audit_sinks",
    17 "0017_outbox",
    18 "0018_mailed_links",
    19 "0019_tenants",
    20 "0020_organizations",
    21 "0021_federation",
    22 "0022_branding",
    23 "0023_tenant_limits",
    24 "0024_people",
    25 "0025_lasting_keys",
    26 "0026_certificates",
    27 "0027_fresh_flows",
];
