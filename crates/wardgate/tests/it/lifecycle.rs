//! Disabling, enabling, deleting, another role; what each ends.

use wardgate::{Actor, AuthError, BuiltinRole, TenantId};

use crate::support::{PASSWORD, TestGate};

const TENANT: TenantId = TenantId::DEFAULT;

#[tokio::test]
async fn a_disabled_user_is_told_so_and_enabling_revives_no_session() {
    // S-018, S-020
    let t = TestGate::new().await;
    let mut alice = t.user("alice").signed_in().await;
    let source = t.gate.own_source();
    t.gate.lifecycle().disable(TENANT, alice.id, Actor::CommandLine, &source).await.unwrap();
    let inactive = alice.me().await.refused(400, "inactive_user");
    assert_eq!(inactive.body["detail"], "Inactive user");
    alice.present(&alice.refresh).await.refused(401, "invalid_refresh_token");
    alice.log_in(PASSWORD).await.refused(401, "incorrect_credentials");
    t.gate.lifecycle().disable(TENANT, alice.id, Actor::CommandLine, &source).await.unwrap();

    t.gate.lifecycle().enable(TENANT, alice.id, Actor::CommandLine, &source).await.unwrap();
    alice.me().await.refused(401, "invalid_credential");
    alice.present(&alice.refresh).await.refused(401, "invalid_refresh_token");
    alice.sign_in().await;
    alice.me().await.expect(200);
}

#[tokio::test]
async fn a_deleted_user_is_gone_with_everything() {
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let source = t.gate.own_source();
    t.gate.lifecycle().delete(TENANT, alice.id, Actor::CommandLine, &source).await.unwrap();
    alice.me().await.refused(401, "invalid_credential");
    alice.present(&alice.refresh).await.refused(401, "invalid_refresh_token");
    alice.log_in(PASSWORD).await.refused(401, "incorrect_credentials");
    let again = t.gate.lifecycle().delete(TENANT, alice.id, Actor::CommandLine, &source).await;
    assert!(matches!(again, Err(AuthError::NotFound)));
    let reborn = t.user("alice").registered().await;
    assert_ne!(reborn.id, alice.id, "ids are never used again");
}

#[tokio::test]
async fn the_last_active_superadmin_stays() {
    // S-105
    let t = TestGate::new().await;
    let source = t.gate.own_source();
    let root = t.user("root").role(BuiltinRole::Superadmin).registered().await;
    let spare = t.user("spare").role(BuiltinRole::Superadmin).registered().await;
    let lifecycle = t.gate.lifecycle();
    lifecycle.disable(TENANT, spare.id, Actor::CommandLine, &source).await.unwrap();
    assert!(matches!(
        lifecycle.disable(TENANT, root.id, Actor::CommandLine, &source).await,
        Err(AuthError::LastSuperadmin)
    ));
    assert!(matches!(
        lifecycle.delete(TENANT, root.id, Actor::CommandLine, &source).await,
        Err(AuthError::LastSuperadmin)
    ));
    let demote = lifecycle.set_role(TENANT, root.id, BuiltinRole::Admin, Actor::CommandLine, &source).await;
    assert!(matches!(demote, Err(AuthError::LastSuperadmin)));
    lifecycle.enable(TENANT, spare.id, Actor::CommandLine, &source).await.unwrap();
    // Two at once must not remove each other.
    let (a, b) = tokio::join!(
        lifecycle.disable(TENANT, root.id, Actor::CommandLine, &source),
        lifecycle.disable(TENANT, spare.id, Actor::CommandLine, &source)
    );
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
}
