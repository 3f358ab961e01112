# Was Seiten und Mails auf Deutsch sagen. Jeder Schlüssel steht in der Datei jeder Sprache; ein Test vergleicht sie.

title-fault = Bitte prüfen:
or = oder
optional = freiwillig
skip = Zum Inhalt springen

sign-in-title = Anmelden
sign-in-lead = und weiter zu { $brand }
sign-in-button = Anmelden
sign-out-button = Abmelden
register-title = Konto anlegen
register-lead = bei { $brand }
register-button = Konto anlegen

link-provider = Mit { $provider } anmelden
link-magic-link = Anmelde-Link per E-Mail schicken
link-forgot = Passwort vergessen?
link-register = Konto anlegen
link-have-account = Ich habe schon ein Konto
link-sign-in = Anmelden
link-account = Ihr Konto
link-cancel = Abbrechen
link-inbox = Posteingang dieses Entwicklungsservers öffnen
link-password = Mit Passwort anmelden

label-email = E-Mail-Adresse
label-password = Passwort
label-name = Name
label-token = Link aus der E-Mail
label-new_email = Neue E-Mail-Adresse
label-current_password = Bisheriges Passwort
label-new_password = Neues Passwort
label-confirm_password = Ihr Passwort
label-delete = Ihre E-Mail-Adresse, zur Bestätigung
label-key_name = Name
label-days = Gilt
label-invitation = Einladung

hint-new_password = Mindestens { $count } Zeichen. Drei oder vier Wörter, die nicht zusammengehören, sind leicht zu merken und schwer zu erraten.
hint-token = Fügen Sie hier den ganzen Link ein.
hint-new_email = Wir schicken einen Link dorthin. Die Adresse ändert sich, sobald Sie ihm gefolgt sind.
hint-key_name = Wofür der Schlüssel da ist, zum Beispiel „Nächtliche Sicherung“.
hint-invitation = Fügen Sie die Einladung ein, die Sie bekommen haben.

mail-title = Sehen Sie in Ihre E-Mails
lead-mail = Wenn es ein Konto mit dieser Adresse gibt, ist eine E-Mail unterwegs.
lead-mail-registration = Wir haben Ihnen einen Link geschickt. Bestätigen Sie damit Ihre Adresse, dann können Sie sich anmelden.
lead-mail-link = Wenn es ein Konto mit dieser Adresse gibt, ist ein Anmelde-Link unterwegs. Öffnen Sie ihn in diesem Browser.
lead-mail-reset = Wenn es ein Konto mit dieser Adresse gibt, ist ein Link für ein neues Passwort unterwegs.
lead-mail-nothing = Nichts da? Es kann eine Minute dauern. Sehen Sie auch im Spam-Ordner nach.

forgot-title = Passwort vergessen?
forgot-lead = Nennen Sie uns Ihre Adresse, und wir schicken Ihnen einen Link für ein neues Passwort.
forgot-button = Link schicken
reset-title = Neues Passwort wählen
reset-lead = Sie werden überall abgemeldet und melden sich mit dem neuen Passwort wieder an.
reset-button = Passwort setzen
verify-title = E-Mail-Adresse bestätigen
verify-lead = Ein Klick, und wir wissen, dass diese Adresse Ihre ist. Nur wenn Sie selbst darum gebeten haben: Sonst schließen Sie diese Seite.
verify-first = Melden Sie sich mit dem Konto an, dessen Adresse geändert werden soll, und bestätigen Sie dann. Wenn Sie das nicht sind, schließen Sie diese Seite: Es ändert sich nichts.
verify-button = Adresse bestätigen
magic-link-title = Per E-Mail anmelden
magic-link-lead = Wir schicken Ihnen einen Link, der Sie ohne Passwort anmeldet. Öffnen Sie ihn in diesem Browser.
magic-link-button = Link schicken
open-link-title = Willkommen zurück
open-link-lead = Sie melden sich gleich mit dem Link aus Ihrer E-Mail an.
open-link-button = Anmelden
confirm-title = Sind Sie es?
confirm-lead = Dass Sie es sind, haben Sie vor einer Weile zuletzt gezeigt. Bitte geben Sie Ihr Passwort ein, bevor es weitergeht.
confirm-button = Weiter

account-title = Ihr Konto
account-nav = Konto
account-since = Konto angelegt am
nav-password = Passwort
nav-sessions = Geräte
name-title = Wie sollen wir Sie nennen?
name-button = Speichern
email-title = E-Mail-Adresse
email-proven = bestätigt
email-unproven = nicht bestätigt
email-unproven-lead = Folgen Sie dem Link in der E-Mail, die wir Ihnen geschickt haben. Er zeigt, dass die Adresse Ihre ist.
email-resend = Link noch einmal schicken
email-button = Adresse ändern
password-title = Passwort ändern
password-lead = Hier bleiben Sie angemeldet, überall sonst werden Sie abgemeldet.
password-button = Passwort ändern
leave-lead = Sie können jederzeit gehen.
leave-link = Konto löschen …
delete-title = Konto löschen
delete-lead = Das entfernt Ihr Konto mit allen Anmeldungen, API-Schlüsseln und Mitgliedschaften, sofort und für immer.
delete-export = Möchten Sie Ihre Daten vorher mitnehmen? Eine Anwendung kann sie unter /auth/me/export für Sie abholen.
delete-button = Mein Konto löschen

sessions-title = Wo Sie angemeldet sind
sessions-lead = Etwas dabei, das Sie nicht kennen? Beenden Sie es und ändern Sie Ihr Passwort.
sessions-unknown = Unbekanntes Gerät
sessions-this = dieses Gerät
sessions-seen = Zuletzt benutzt am { $time }
sessions-end = Beenden
sessions-alone = Sonst sind Sie nirgends angemeldet.

keys-title = API-Schlüssel
keys-lead = Mit einem Schlüssel arbeitet ein Programm in Ihrem Namen. Es darf, was Sie dürfen, kann aber Ihr Konto nicht ändern.
keys-none = Sie haben noch keine Schlüssel. Den ersten können Sie gleich hier anlegen.
key-new = Neuer Schlüssel
key-button = Schlüssel anlegen
key-days = { $count } Tage
key-forever = Unbegrenzt
key-made = Angelegt am { $time }
key-used = zuletzt benutzt am { $time }
key-unused = nie benutzt
key-ends = gilt bis { $time }
key-endless = gilt unbegrenzt
key-revoke = Widerrufen
new-key-title = Ihr neuer Schlüssel
new-key-lead = Kopieren Sie den Schlüssel jetzt. Wir können ihn nicht noch einmal zeigen.
new-key-use = Programme schicken ihn im Header X-API-Key. Behandeln Sie ihn wie ein Passwort.
new-key-done = Ich habe ihn kopiert

nav-providers = Verbundene Dienste
providers-title = Verbundene Dienste
providers-lead = Dienste, über die Sie sich hier anmelden können. Wer sich dort anmelden kann, kann es auch hier.
providers-none = Sie haben keinen anderen Dienst verbunden.
provider-new = Einen weiteren Dienst verbinden
provider-made = Verbunden am { $time }
provider-used = zuletzt benutzt am { $time }
provider-by-address = Verbunden, weil man dort Ihre Adresse kannte. Verbinden Sie ihn selbst, wenn er bleiben soll, falls Sie Administrator werden.
provider-unlink = Entfernen
provider-go-title = Weiter zum anderen Dienst
provider-go-lead = Melden Sie sich dort an, dann ist er mit Ihrem Konto verbunden.
provider-go-link = Weiter

orgs-title = Organisationen
orgs-lead = Die Gruppen, zu denen Sie gehören. Sie handeln immer in einer davon.
orgs-none = Sie gehören noch zu keiner Organisation. Wenn Sie jemand einlädt, steht sie hier.
orgs-active = aktiv
orgs-switch = Wechseln
orgs-switch-none = In keiner handeln
orgs-leave = Verlassen
orgs-invitation = Ich habe eine Einladung
role-owner = Inhaber
role-admin = Verwalter
role-member = Mitglied
invitation-title = Einer Organisation beitreten
invitation-lead = Sie wurden eingeladen. Nehmen Sie an, und Sie sind Mitglied.
invitation-first = Sie wurden eingeladen. Melden Sie sich zuerst mit der eingeladenen Adresse an; dann können Sie annehmen.
invitation-button = Einladung annehmen

done-address_confirmed = Ihre Adresse ist bestätigt. Vielen Dank.
done-address_mailed = Wir haben einen Link an die neue Adresse geschickt. Folgen Sie ihm, um die Änderung abzuschließen.
done-deleted = Ihr Konto ist gelöscht. Alles Gute.
done-expired = Sie wurden abgemeldet, weil Sie eine Weile nicht da waren. Bitte melden Sie sich wieder an.
done-invitation_accepted = Willkommen! Sie sind jetzt Mitglied.
done-key_revoked = Der Schlüssel gilt nicht mehr.
done-left = Sie sind kein Mitglied mehr.
done-link_mailed = Die E-Mail ist unterwegs.
done-name_saved = Gespeichert.
done-password_changed = Ihr Passwort ist geändert. Überall sonst sind Sie abgemeldet.
done-password_set = Ihr Passwort ist gesetzt. Sie können sich jetzt damit anmelden.
done-provider_linked = Der Dienst ist verbunden. Sie können sich jetzt darüber anmelden.
done-provider_unlinked = Die Verbindung ist entfernt. Niemand meldet sich mehr darüber an.
done-registered = Ihr Konto ist bereit. Bitte melden Sie sich an.
done-session_ended = Dieses Gerät ist abgemeldet.
done-signed_out = Sie sind abgemeldet.
done-switched = Erledigt.

fault-missing_field = Bitte füllen Sie das aus.
fault-missing_field-email = Bitte geben Sie Ihre E-Mail-Adresse ein.
fault-missing_field-password = Bitte geben Sie Ihr Passwort ein.
fault-missing_field-current_password = Bitte geben Sie Ihr bisheriges Passwort ein.
fault-missing_field-new_password = Bitte wählen Sie ein Passwort.
fault-missing_field-token = Bitte fügen Sie den Link aus der E-Mail ein.
fault-invalid_email = Das ist keine E-Mail-Adresse. Fehlt etwas, vielleicht das @?
fault-too_short = Das ist zu kurz: Nehmen Sie mindestens { $count } Zeichen.
fault-too_long = Das ist zu lang: Nehmen Sie höchstens 256 Zeichen.
fault-too_long-name = Das ist zu lang: Nehmen Sie höchstens 200 Zeichen.
fault-control_character = Darin ist ein Zeichen, das sich nicht tippen lässt. Bitte geben Sie es neu ein.
fault-contains_identity = Das ist Ihrer Adresse oder unserem Namen zu ähnlich. Bitte wählen Sie etwas anderes.
fault-breached = Dieses Passwort steht auf einer Liste gestohlener Passwörter. Bitte wählen Sie ein anderes.
fault-guessable = Das ist leicht zu erraten. Hängen Sie ein oder zwei Wörter an.
fault-invalid_name = Bitte nehmen Sie bis zu 64 gewöhnliche Zeichen.
fault-not_own = Das ist nicht die Adresse Ihres Kontos.
fault-other = Hier stimmt etwas nicht. Bitte prüfen Sie es.

refused-title = Das hat nicht geklappt
error-incorrect_credentials = Die Adresse oder das Passwort ist falsch. Wenn Sie sich eben erst registriert haben, folgen Sie zuerst dem Link in unserer E-Mail.
error-wrong_password = Das ist nicht Ihr Passwort.
error-email_taken = Zu dieser Adresse gibt es schon ein Konto. Melden Sie sich an oder setzen Sie ein neues Passwort.
error-registration_closed = Konten gibt es hier nur auf Einladung. Wenden Sie sich an die Betreiber.
error-missing_credential = Das kann nur bestätigen, wer es angefordert hat. Bitte melden Sie sich zuerst an; der Link bleibt, wie er ist.
error-wrong_account = Dieser Link gehört zu einem anderen Konto als dem, mit dem Sie angemeldet sind. Es wurde nichts geändert.
error-invalid_token = Dieser Link gilt nicht mehr: Er wurde benutzt, durch einen neueren ersetzt, oder seine Zeit ist um. Fordern Sie einen neuen an.
error-mail_not_configured = Dieser Dienst verschickt keine E-Mails. Wenden Sie sich an die Betreiber.
error-rate_limited-seconds = { $count ->
    [one] Das war etwas oft. Bitte versuchen Sie es in einer Sekunde wieder.
   *[other] Das war etwas oft. Bitte versuchen Sie es in { $count } Sekunden wieder.
}
error-rate_limited-minutes = { $count ->
    [one] Das war etwas oft. Bitte versuchen Sie es in einer Minute wieder.
   *[other] Das war etwas oft. Bitte versuchen Sie es in { $count } Minuten wieder.
}
error-invalid_state = Diese Anmeldung gilt nicht mehr: Sie wurde benutzt, hat zu lange gedauert oder begann in einem anderen Browser. Bitte beginnen Sie neu.
error-upstream_denied = Sie wurden nicht angemeldet, weil der andere Dienst uns nicht sagen durfte, wer Sie sind.
error-upstream_stale = Der andere Dienst hat Sie nicht neu gefragt, wer Sie sind. Bitte melden Sie sich dort ab und beginnen Sie neu, oder nehmen Sie einen Link aus einer Mail von uns.
error-upstream_failed = Der andere Dienst hat nicht so geantwortet, wie er sollte. Bitte versuchen Sie es noch einmal oder melden Sie sich anders an.
error-linking_refused = Diese Anmeldung gehört zu keinem Konto, das wir damit öffnen dürfen. Wenn Sie schon ein Konto haben, melden Sie sich an wie bisher.
error-last_credential = Ohne sie könnten Sie sich nicht mehr anmelden. Setzen Sie zuerst ein Passwort.
error-busy = Hier ist gerade viel los. Bitte versuchen Sie es gleich noch einmal.
error-unavailable = Wir erreichen unsere Datenbank gerade nicht. Bitte versuchen Sie es gleich noch einmal.
error-too_many_members = Diese Organisation hat so viele Mitglieder, wie sie haben kann.
error-last_owner = Sie sind der einzige Inhaber. Machen Sie zuerst jemand anderen dazu.
error-last_superadmin = Sie sind der letzte Superadmin. Machen Sie zuerst jemand anderen dazu.
error-too_many_api_keys = Sie haben so viele Schlüssel, wie man haben kann. Widerrufen Sie zuerst einen.
error-insufficient_permissions = Das dürfen Sie nicht. Wenden Sie sich an die Betreiber.
error-cross_site = Das kam von der Seite eines anderen Anbieters, deshalb ist nichts geschehen. Öffnen Sie die Seite hier und versuchen Sie es noch einmal.
error-not_found = Das gibt es nicht, oder nicht mehr.
error-tenant_suspended = Dieser Dienst ist gesperrt.
error-other = Bei uns ist etwas schiefgegangen. Es wurde nichts geändert; bitte versuchen Sie es noch einmal.

# Was Mails sagen. Der Text einer Nachricht ist der Betreff, jedes Attribut ein Absatz, in dieser Reihenfolge; nur .button
# steht auf dem Link, und .closing kommt zuletzt und klein.

letter-once = Der Link gilt einmal und { $life } lang.
letter-ignore = Wenn Sie das nicht angefordert haben, ist nichts zu tun: Es ändert sich nichts.
letter-act = Wenn Sie das nicht waren, setzen Sie bei { $service } sofort ein anderes Passwort.
letter-unexpected = Wenn Sie keine Einladung erwarten, ist nichts zu tun.
letter-keys = API-Schlüssel des Kontos und Verbindungen mit anderen Anbietern gelten weiter: Sehen Sie sie durch, falls jemand anderes sie angelegt haben könnte.

life-days = { $count ->
    [one] einen Tag
   *[other] { $count } Tage
}
life-hours = { $count ->
    [one] eine Stunde
   *[other] { $count } Stunden
}
life-minutes = { $count ->
    [one] eine Minute
   *[other] { $count } Minuten
}

letter-verify_email = Bestätigen Sie Ihre E-Mail-Adresse für { $service }
    .text = Bitte bestätigen Sie, dass diese Adresse zu Ihrem Konto bei { $service } gehört.
    .once = { letter-once }
    .button = Adresse bestätigen
    .closing = Wenn Sie bei { $service } kein Konto angelegt haben, benutzen Sie den Link nicht: Sonst könnte, wer das Konto angelegt hat, es unter Ihrer Adresse benutzen.
letter-change_email = Bestätigen Sie Ihre neue E-Mail-Adresse für { $service }
    .text = Bitte bestätigen Sie, dass Ihr Konto bei { $service } diese Adresse haben soll. Dazu müssen Sie mit diesem Konto angemeldet sein.
    .once = { letter-once }
    .button = Adresse bestätigen
    .closing = { letter-ignore }
letter-reset_password = Neues Passwort für { $service }
    .text = Mit diesem Link setzen Sie ein neues Passwort für Ihr Konto bei { $service }. Alle Sitzungen enden damit.
    .once = { letter-once }
    .button = Passwort setzen
    .closing = { letter-ignore }
letter-magic_link = Anmelden bei { $service }
    .text = Mit diesem Link melden Sie sich bei { $service } an. Öffnen Sie ihn in dem Browser, in dem Sie ihn angefordert haben.
    .once = { letter-once }
    .button = Anmelden
    .closing = { letter-ignore }
letter-invitation = Einladung zu { $service }
    .text = Für Sie wurde ein Konto bei { $service } angelegt. Wählen Sie ein Passwort, um es zu benutzen.
    .once = { letter-once }
    .button = Passwort wählen
    .closing = { letter-unexpected }
letter-org_invitation = Einladung in eine Organisation bei { $service }
    .text = Jemand bei { $service } lädt Sie in eine Organisation ein. Melden Sie sich mit dem Konto dieser Adresse an oder legen Sie eines an, und nehmen Sie an.
    .once = { letter-once }
    .button = Einladung ansehen
    .closing = { letter-unexpected }
letter-registered_already = Sie haben schon ein Konto bei { $service }
    .text = Jemand, vielleicht Sie, wollte sich bei { $service } mit dieser Adresse registrieren, zu der es schon ein Konto gibt. Wenn Sie Ihr Passwort vergessen haben, setzen Sie ein neues.
    .once = { letter-once }
    .button = Passwort setzen
    .closing = { letter-ignore }
letter-address_taken = Jemand wollte Ihre Adresse bei { $service } benutzen
    .text = Jemand wollte einem Konto bei { $service } diese Adresse geben. Sie gehört zu Ihrem Konto, deshalb wurde nichts geändert.
letter-email_changing = Ihre Adresse bei { $service } soll geändert werden
    .text = Jemand, der bei Ihrem Konto bei { $service } angemeldet ist, möchte dessen Adresse in { $to } ändern. Sie ändert sich, sobald er die neue Adresse bestätigt hat.
    .closing = { letter-act }
letter-email_changed = Ihre Adresse bei { $service } wurde geändert
    .text = Die Adresse Ihres Kontos bei { $service } ist jetzt { $to }. Hierher kommt keine Mail mehr.
    .closing = Wenn Sie das nicht waren, wenden Sie sich an die Betreiber von { $service }.
letter-password_reset = Ihr Passwort für { $service } wurde neu gesetzt
    .text = Das Passwort Ihres Kontos bei { $service } wurde mit einem Link aus einer Mail gesetzt. Alle Sitzungen sind beendet.
    .keys = { letter-keys }
    .closing = { letter-act }
letter-password_changed = Ihr Passwort für { $service } wurde geändert
    .text = Jemand, der bei Ihrem Konto bei { $service } angemeldet ist und dessen Passwort kannte, hat es geändert. Alle anderen Sitzungen sind beendet.
    .keys = { letter-keys }
    .closing = { letter-act }
letter-identity_linked = { $provider } ist jetzt mit Ihrem Konto bei { $service } verbunden
    .text = Wer bei { $provider } als der verbundene Benutzer angemeldet ist, kann sich von jetzt an bei Ihrem Konto bei { $service } anmelden.
    .closing = Wenn Sie das nicht waren, entfernen Sie die Verbindung bei { $service } und setzen dort ein anderes Passwort.
letter-identity_unlinked = Eine Verbindung Ihres Kontos bei { $service } wurde entfernt
    .text = Ihr Konto bei { $service } war mit einem anderen Anbieter verbunden, über den Sie sich anmelden konnten. Jemand, der bei Ihrem Konto angemeldet ist, hat die Verbindung entfernt.
    .closing = { letter-act }
letter-new_device = Neue Anmeldung bei { $service }
    .text = Jemand hat sich bei Ihrem Konto bei { $service } von einer Adresse aus angemeldet, von der aus es bisher nicht benutzt wurde.
    .time = Zeit: { $time }
    .address = Adresse: { $address }
    .device = Programm: { $device }
    .closing = { letter-act }
