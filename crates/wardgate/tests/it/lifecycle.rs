//! Disabling, enabling, deleting, another role; what each ends.

use wardgate::{AuthError, BuiltinRole, UserChange};

use crate::support::{PASSWORD, TestGate};

#[tokio::test]
async fn a_disabled_user_is_told_so_and_enabling_revives_no_session() {
    // S-018, S-020
    let t = TestGate::new().await;
    let mut alice = t.user("alice").signed_in().await;
    t.disable(alice.id).await;
    let inactive = alice.me().await.refused(400, "inactive_user");
    assert_eq!(inactive.body["detail"], "Inactive user");
    alice.present(&alice.refresh).await.refused(401, "invalid_refresh_token");
    alice.log_in(PASSWORD).await.refused(401, "incorrect_credentials");
    t.disable(alice.id).await;

    t.enable(alice.id).await;
    alice.me().await.refused(401, "invalid_credential");
    alice.present(&alice.refresh).await.refused(401, "invalid_refresh_token");
    alice.sign_in().await;
    alice.me().await.expect(200);
}

#[tokio::test]
async fn a_deleted_user_is_gone_with_everything() {
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    t.delete(alice.id).await.unwrap();
    alice.me().await.refused(401, "invalid_credential");
    alice.present(&alice.refresh).await.refused(401, "invalid_refresh_token");
    alice.log_in(PASSWORD).await.refused(401, "incorrect_credentials");
    let again = t.delete(alice.id).await;
    assert!(matches!(again, Err(AuthError::NotFound)));
    let reborn = t.user("alice").registered().await;
    assert_ne!(reborn.id, alice.id, "ids are never used again");
}

#[tokio::test]
async fn the_last_active_superadmin_stays() {
    // S-105
    let t = TestGate::new().await;
    let root = t.user("root").role(BuiltinRole::Superadmin).registered().await;
    let spare = t.user("spare").role(BuiltinRole::Superadmin).registered().await;
    t.disable(spare.id).await;
    let off = UserChange { is_active: Some(false), ..UserChange::default() };
    let refused = |result| assert!(matches!(result, Err(AuthError::LastSuperadmin)), "{result:?}");
    refused(t.change(root.id, off.clone()).await);
    refused(t.delete(root.id).await);
    refused(t.set_roles(root.id, &["admin"]).await);
    t.enable(spare.id).await;
    // Two at once must not remove each other.
    let (a, b) = tokio::join!(t.change(root.id, off.clone()), t.change(spare.id, off));
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
}
