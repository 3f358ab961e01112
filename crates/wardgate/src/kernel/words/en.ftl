# What pages and mails say in English. Every key stands in each language's file; a test compares them.

title-fault = Please check:
or = or
optional = optional
skip = Skip to the content

sign-in-title = Sign in
sign-in-lead = to go on to { $brand }
sign-in-button = Sign in
sign-out-button = Sign out
register-title = Create your account
register-lead = for { $brand }
register-button = Create account

link-provider = Sign in with { $provider }
link-magic-link = Mail me a sign-in link
link-forgot = Forgot your password?
link-register = Create an account
link-have-account = I have an account already
link-sign-in = Sign in
link-account = Your account
link-cancel = Cancel
link-inbox = Open the inbox of this development server
link-password = Sign in with a password

label-email = E-mail address
label-password = Password
label-name = Name
label-token = Link from the mail
label-new_email = New e-mail address
label-current_password = Current password
label-new_password = New password
label-confirm_password = Your password
label-delete = Your e-mail address, to confirm
label-key_name = Name
label-days = Ends after
label-invitation = Invitation

hint-new_password = At least { $count } characters. Three or four words that do not belong together are easy to remember and hard to guess.
hint-token = Paste the whole link here.
hint-new_email = We send a link there. Your address changes once you have followed it.
hint-key_name = What the key is for, such as “nightly backup”.
hint-invitation = Paste the invitation you were given.

mail-title = Check your mail
lead-mail = If there is an account with this address, a mail is on its way.
lead-mail-registration = We have sent you a link. Follow it to confirm your address, then sign in.
lead-mail-link = If there is an account with this address, a sign-in link is on its way. Open it in this browser.
lead-mail-reset = If there is an account with this address, a link to set a new password is on its way.
lead-mail-nothing = Nothing there? It may take a minute. Have a look in the spam folder too.

forgot-title = Forgot your password?
forgot-lead = Give us your address, and we mail you a link to set a new one.
forgot-button = Send the link
reset-title = Choose a new password
reset-lead = You are signed out everywhere, and sign in with the new password.
reset-button = Set password
verify-title = Confirm your e-mail address
verify-lead = One click, and we know that this address is yours. Only if it was you who asked: otherwise close this page.
verify-first = Sign in to the account whose address is to change, and confirm then. If that is not you, close this page: nothing changes.
verify-button = Confirm address
magic-link-title = Sign in by mail
magic-link-lead = We mail you a link that signs you in, with no password. Open it in this browser.
magic-link-button = Send the link
open-link-title = Welcome back
open-link-lead = You are about to sign in with the link from your mail.
open-link-button = Sign in
confirm-title = Is it you?
confirm-lead = It is a while since you showed that it is you. Please give your password before we go on.
confirm-button = Go on

account-title = Your account
account-nav = Account
account-since = Account created on
nav-password = Password
nav-sessions = Devices
name-title = What should we call you?
name-button = Save
email-title = E-mail address
email-proven = confirmed
email-unproven = not confirmed
email-unproven-lead = Follow the link in the mail we sent you. It shows that the address is yours.
email-resend = Send the link again
email-button = Change address
password-title = Change your password
password-lead = You stay signed in here, and are signed out everywhere else.
password-button = Change password
leave-lead = You may go whenever you like.
leave-link = Delete your account…
delete-title = Delete your account
delete-lead = This removes your account with its sign-ins, API keys and memberships, at once and for good.
delete-export = Would you like your data first? An application can fetch it for you at /auth/me/export.
delete-button = Delete my account

sessions-title = Where you are signed in
sessions-lead = Something you do not know? End it, and change your password.
sessions-unknown = Unknown device
sessions-this = this device
sessions-seen = Last used { $time }
sessions-end = End
sessions-alone = You are signed in nowhere else.

keys-title = API keys
keys-lead = With a key, a program of yours works in your name. It may do what you may, but cannot change your account.
keys-none = You have no keys yet. Create the first one below.
key-new = New key
key-button = Create key
key-days = { $count } days
key-forever = Never
key-made = Created { $time }
key-used = last used { $time }
key-unused = never used
key-ends = ends { $time }
key-endless = never ends
key-revoke = Revoke
new-key-title = Your new key
new-key-lead = Copy the key now. We cannot show it again.
new-key-use = Programs send it in the header X-API-Key. Treat it like a password.
new-key-done = I have copied it

nav-providers = Linked services
providers-title = Linked services
providers-lead = Services through which you can sign in here. Whoever can sign in there can sign in here.
providers-none = You have linked no other service.
provider-new = Link another service
provider-made = Linked { $time }
provider-used = last used { $time }
provider-by-address = Linked because your address was known there. Link it yourself to keep it should you become an administrator.
provider-unlink = Remove
provider-go-title = On to the other service
provider-go-lead = Sign in there, and it is linked to your account here.
provider-go-link = Go on

orgs-title = Organizations
orgs-lead = The groups you belong to. You act in one of them at a time.
orgs-none = You belong to no organization yet. When somebody invites you, it appears here.
orgs-active = active
orgs-switch = Switch
orgs-switch-none = Act in none of them
orgs-leave = Leave
orgs-invitation = I have an invitation
role-owner = Owner
role-admin = Admin
role-member = Member
invitation-title = Join an organization
invitation-lead = You were invited. Accept, and you are a member.
invitation-first = You were invited. Sign in first, with the address that was invited; then you can accept.
invitation-button = Accept invitation

done-address_confirmed = Your address is confirmed. Thank you.
done-address_mailed = We have sent a link to the new address. Follow it to finish the change.
done-deleted = Your account is gone. All the best.
done-expired = You were signed out, because you had been away for a while. Please sign in again.
done-invitation_accepted = Welcome! You are a member now.
done-key_revoked = The key no longer works.
done-left = You are no longer a member.
done-link_mailed = The mail is on its way.
done-name_saved = Saved.
done-password_changed = Your password is changed. You are signed out everywhere else.
done-password_set = Your password is set. You can sign in with it now.
done-provider_linked = The service is linked. You can sign in through it now.
done-provider_unlinked = The link is gone. Nobody signs in through it any more.
done-registered = Your account is ready. Please sign in.
done-session_ended = That device is signed out.
done-signed_out = You are signed out.
done-switched = Done.

fault-missing_field = Please fill this in.
fault-missing_field-email = Please enter your e-mail address.
fault-missing_field-password = Please enter your password.
fault-missing_field-current_password = Please enter your current password.
fault-missing_field-new_password = Please choose a password.
fault-missing_field-token = Please paste the link from the mail.
fault-invalid_email = This is not an e-mail address. Is something missing, such as the @?
fault-too_short = This is too short: use at least { $count } characters.
fault-too_long = This is too long: use at most 256 characters.
fault-too_long-name = This is too long: use at most 200 characters.
fault-control_character = There is a character in it that cannot be typed. Please enter it anew.
fault-contains_identity = This is too close to your address or to our name. Please choose something else.
fault-breached = This password is on a list of leaked ones. Please choose another.
fault-guessable = This is easy to guess. Add another word or two.
fault-invalid_name = Please use up to 64 ordinary characters.
fault-not_own = This is not the address of your account.
fault-other = Something is wrong with this. Please check it.

refused-title = That did not work
error-incorrect_credentials = The address or the password is wrong. If you have only just registered, follow the link in our mail first.
error-wrong_password = That is not your password.
error-email_taken = There is an account with this address already. Sign in instead, or set a new password.
error-registration_closed = Accounts are made by invitation only. Ask whoever runs this service.
error-missing_credential = Only whoever asked for this can confirm it. Please sign in first; the link stays as it is.
error-wrong_account = This link is for another account than the one you are signed in to. Nothing was changed.
error-invalid_token = This link does not work any more: it was used, or a newer one was sent, or its time is over. Ask for another.
error-mail_not_configured = This service sends no mail. Ask whoever runs it for help.
error-rate_limited-seconds = { $count ->
    [one] That was a little often. Please try again in a second.
   *[other] That was a little often. Please try again in { $count } seconds.
}
error-rate_limited-minutes = { $count ->
    [one] That was a little often. Please try again in a minute.
   *[other] That was a little often. Please try again in { $count } minutes.
}
error-invalid_state = This sign-in is over: it was used, took too long, or was begun in another browser. Please begin again.
error-upstream_denied = You were not signed in, because the other service was not allowed to tell us who you are.
error-upstream_stale = The other service did not ask you anew who you are. Please sign out there and begin again, or use a link that we mail to you.
error-upstream_failed = The other service did not answer as it should. Please try again, or sign in another way.
error-linking_refused = This sign-in belongs to no account that we may open with it. If you have an account already, sign in as you did before.
error-last_credential = Without it you could not sign in any more. Set a password first.
error-busy = There is a lot going on right now. Please try again in a moment.
error-unavailable = We cannot reach our database right now. Please try again in a moment.
error-too_many_members = This organization has as many members as it can have.
error-last_owner = You are the only owner. Make somebody else an owner first.
error-last_superadmin = You are the last superadmin. Make somebody else one first.
error-too_many_api_keys = You have as many keys as one can have. Revoke one first.
error-insufficient_permissions = You may not do this. Ask whoever runs this service.
error-cross_site = This came from another site’s page, so nothing was done. Open the page here and try again.
error-not_found = This is not there, or no longer.
error-tenant_suspended = This service is suspended.
error-other = Something went wrong on our side. Nothing was changed; please try again.

# What mails say. The text of a message is the subject, each attribute a paragraph, in this order; but for .button, which is
# what stands on the link, and .closing, which comes last and small.

letter-once = The link works once, within { $life }.
letter-ignore = If you did not ask for this, ignore this mail: nothing changes.
letter-act = If this was not you, set another password at { $service } at once.
letter-unexpected = If you expect no invitation, ignore this mail.
letter-keys = API keys of the account and links to other providers still work: look through them if somebody else may have made one.

life-days = { $count ->
    [one] a day
   *[other] { $count } days
}
life-hours = { $count ->
    [one] an hour
   *[other] { $count } hours
}
life-minutes = { $count ->
    [one] a minute
   *[other] { $count } minutes
}

letter-verify_email = Confirm your e-mail address for { $service }
    .text = Please confirm that this address belongs to your account at { $service }.
    .once = { letter-once }
    .button = Confirm address
    .closing = If you did not make an account at { $service }, do not use the link: whoever made the account could use it under your address.
letter-change_email = Confirm your new e-mail address for { $service }
    .text = Please confirm that your account at { $service } is to have this address. You have to be signed in to that account.
    .once = { letter-once }
    .button = Confirm address
    .closing = { letter-ignore }
letter-reset_password = Set another password for { $service }
    .text = With this link you set another password for your account at { $service }. It signs you out everywhere.
    .once = { letter-once }
    .button = Set password
    .closing = { letter-ignore }
letter-magic_link = Sign in to { $service }
    .text = With this link you sign in to { $service }. Open it in the browser in which you asked for it.
    .once = { letter-once }
    .button = Sign in
    .closing = { letter-ignore }
letter-invitation = You are invited to { $service }
    .text = An account at { $service } was made for you. Choose a password to use it.
    .once = { letter-once }
    .button = Choose password
    .closing = { letter-unexpected }
letter-org_invitation = You are invited to an organization at { $service }
    .text = Somebody at { $service } invites you to their organization. Sign in with the account of this address, or make one, and accept.
    .once = { letter-once }
    .button = See the invitation
    .closing = { letter-unexpected }
letter-registered_already = You have an account at { $service } already
    .text = Somebody, perhaps you, tried to register at { $service } with this address, which has an account already. If you forgot your password, set another one.
    .once = { letter-once }
    .button = Set password
    .closing = { letter-ignore }
letter-address_taken = Somebody asked for your address at { $service }
    .text = Somebody wanted to give their account at { $service } this address. It is the address of your account, so nothing was changed.
letter-email_changing = Your address at { $service } is about to change
    .text = Somebody who is signed in to your account at { $service } asked to change its address to { $to }. It changes once they have confirmed that address.
    .closing = { letter-act }
letter-email_changed = Your address at { $service } was changed
    .text = The address of your account at { $service } is { $to } now. Mail no longer comes here.
    .closing = If this was not you, turn to whoever runs { $service }.
letter-password_reset = Your password for { $service } was set anew
    .text = The password of your account at { $service } was set by a link from a mail. All sessions have ended.
    .keys = { letter-keys }
    .closing = { letter-act }
letter-password_changed = Your password for { $service } was changed
    .text = Somebody who is signed in to your account at { $service }, and knew its password, changed it. All other sessions have ended.
    .keys = { letter-keys }
    .closing = { letter-act }
letter-identity_linked = { $provider } was linked to your account at { $service }
    .text = Whoever is signed in at { $provider } as the user who was linked can sign in to your account at { $service } from now on.
    .closing = If this was not you, remove the link at { $service }, and set another password there.
letter-identity_unlinked = A link was removed from your account at { $service }
    .text = Your account at { $service } was linked to another provider, through which you could sign in. Somebody who is signed in to your account removed the link.
    .closing = { letter-act }
letter-new_device = New sign-in to { $service }
    .text = Somebody signed in to your account at { $service } from an address that it was not used from before.
    .time = Time: { $time }
    .address = Address: { $address }
    .device = Program: { $device }
    .closing = { letter-act }
