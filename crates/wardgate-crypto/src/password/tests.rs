//! Passwords against hashes that other programs wrote, and against what is no hash at all.

use super::foreign::{FOREIGN, LONG};
use super::*;
use crate::rng::{SeededRng, SystemRng};

/// Far below what [`Scheme::check`] allows, so that tests are quick.
const QUICK_ARGON2: Scheme = Scheme::Argon2id { memory_kib: 64, iterations: 2, parallelism: 1 };
const QUICK_BCRYPT: Scheme = Scheme::Bcrypt { cost: 4 };

fn check(password: &str, stored: &str) -> Verdict {
    verify(&Password::new(password), stored, &mut Workspace::new())
}

fn make(password: &str, scheme: &Scheme) -> String {
    hash(&Password::new(password), scheme, &SystemRng, &mut Workspace::new()).unwrap()
}

// S-009
#[test]
fn hashes_of_other_programs_take_their_password_and_no_other() {
    let mut workspace = Workspace::new();
    for (password, stored, label) in FOREIGN {
        assert_eq!(verify(&Password::new(password), stored, &mut workspace), Verdict::Match, "{stored}");
        let near = Password::new(&format!("{password}."));
        assert_eq!(verify(&near, stored, &mut workspace), Verdict::Mismatch, "{stored}");
        assert_eq!(scheme_label(stored), *label);
    }
}

// S-009
#[test]
fn a_foreign_hash_is_inspected_before_it_is_stored() {
    for (_, stored, label) in FOREIGN {
        assert_eq!(inspect(stored).as_deref(), Ok(*label));
    }
    let too_costly = [
        "$2b$18$KDhzhcGw8sn1ZjWdIQBRwO0CvfKv6n6nxyn2LizfZF25hD9eq3SOa",
        "$argon2id$v=19$m=2000000,t=1,p=1$RSjF+P+fUypFSEmJsXaO8Q$dTKzW7Ab+s9Tqq6eHvPlOaSL57R5g3YrL1Y9pazhUF8",
        "$argon2id$v=19$m=1048576,t=5,p=1$RSjF+P+fUypFSEmJsXaO8Q$dTKzW7Ab+s9Tqq6eHvPlOaSL57R5g3YrL1Y9pazhUF8",
        "pbkdf2_sha256$10000001$zK3mQ9$RtpV3Hd8biD/r+4mM1RzKKpdt+iP+tVXm6gMZuuFXgI=",
        "$scrypt$ln=20,r=8,p=2$q3XOea+VUiqF0Lo3hnDO+Q$3qgho9OpJT+bh0odajLr0cVgeVhhPEo0xjuK2OE2hLo",
    ];
    for stored in too_costly {
        assert_eq!(inspect(stored), Err("its parameters would cost too much"), "{stored}");
    }
    assert_eq!(inspect("$6$rounds=5000$salt$digest"), Err("a scheme that is not known"));
    let with_nul = "pbkdf2_sha256$1500$zK\0mQ9$RtpV3Hd8biD/r+4mM1RzKKpdt+iP+tVXm6gMZuuFXgI=";
    for malformed in [
        "",
        "secret",
        with_nul,
        "$2b$04$wBBsgoKEvkT9geGripLew.fgkmOrGFhuMe.dTOmdvWvOQoSwZOXcG\n",
        "$2b$12$short",
        "5f4dcc3b5aa765d61d8327deb882cf99",
    ] {
        assert_eq!(inspect(malformed), Err("malformed"), "{malformed}");
    }
}

// S-009
#[test]
fn every_foreign_hash_is_to_be_replaced_by_the_configured_scheme() {
    for (_, stored, _) in FOREIGN {
        assert!(needs_rehash(stored, &Scheme::default()), "{stored}");
        assert!(needs_rehash(stored, &Scheme::Bcrypt { cost: 12 }), "{stored}");
    }
}

// S-001, S-010
#[test]
fn own_hashes_round_trip_with_fresh_salts_and_need_no_rehash() {
    for scheme in [QUICK_ARGON2, QUICK_BCRYPT] {
        for password in ["", "cafe\u{301}", "with\0nul", &"z".repeat(72), &"z".repeat(73), LONG] {
            let stored = make(password, &scheme);
            assert_eq!(check(password, &stored), Verdict::Match, "{stored}");
            assert_eq!(check(&format!("{password}x"), &stored), Verdict::Mismatch, "{stored}");
            assert!(!needs_rehash(&stored, &scheme), "{stored}");
            assert_ne!(stored, make(password, &scheme), "a salt was used twice");
        }
        assert_eq!(check("caf\u{e9}", &make("cafe\u{301}", &scheme)), Verdict::Match);
        assert_eq!(scheme_label(&make("short", &scheme)), scheme.label());
    }
}

#[test]
fn a_seed_repeats_a_hash_and_the_default_scheme_has_its_published_form() {
    let twice = [1, 1].map(|seed| {
        let password = Password::new("a password");
        hash(&password, &Scheme::default(), &SeededRng::new(seed), &mut Workspace::new()).unwrap()
    });
    assert_eq!(twice[0], twice[1]);
    let fields: Vec<&str> = twice[0].split('$').collect();
    assert_eq!(fields[..4], ["", "argon2id", "v=19", "m=19456,t=2,p=1"]);
    // 16 bytes of salt and 32 of digest in base64 without padding.
    assert_eq!((fields[4].len(), fields[5].len()), (22, 43));
}

#[test]
fn another_cost_version_or_salt_length_needs_a_rehash() {
    let stored = make("a password", &QUICK_ARGON2);
    for (from, to) in
        [("m=64", "m=65"), ("t=2", "t=3"), ("p=1", "p=2"), ("v=19", "v=16"), ("argon2id", "argon2i")]
    {
        assert!(needs_rehash(&stored.replace(from, to), &QUICK_ARGON2), "{to}");
    }
    let short_salt = stored.replacen(stored.split('$').nth(4).unwrap(), "c29tZXNhbHQ", 1);
    assert!(needs_rehash(&short_salt, &QUICK_ARGON2));
    assert!(needs_rehash(&make("a password", &QUICK_BCRYPT), &Scheme::Bcrypt { cost: 5 }));
    assert!(needs_rehash("nonsense", &QUICK_BCRYPT));
}

// S-002
#[test]
fn bcrypt_never_cuts_a_password_it_hashes() {
    let base = "b".repeat(72);
    for (password, other) in
        [(format!("{base}1"), format!("{base}2")), ("a\0b".into(), "a\0c".into()), ("a\0".into(), "a".into())]
    {
        let stored = make(&password, &QUICK_BCRYPT);
        assert!(stored.starts_with("$bcrypt-sha256$v=2,t=2b,r=4$"), "{stored}");
        assert_eq!(check(&password, &stored), Verdict::Match);
        assert_eq!(check(&other, &stored), Verdict::Mismatch);
        assert_eq!(scheme_label(&stored), "bcrypt-sha256:4");
    }
    assert!(make(&base, &QUICK_BCRYPT).starts_with("$2b$04$"));
}

// S-002, S-009
#[test]
fn a_candidate_that_bcrypt_would_cut_does_not_match_what_it_is_cut_to() {
    let stored = make(&"z".repeat(72), &QUICK_BCRYPT);
    assert_eq!(check(&"z".repeat(72), &stored), Verdict::Match);
    assert_eq!(check(&"z".repeat(73), &stored), Verdict::Mismatch);
    let stored = make("before", &QUICK_BCRYPT);
    assert_eq!(check("before\0after", &stored), Verdict::Mismatch);
    let stored = make("", &QUICK_BCRYPT);
    assert_eq!(check("\0", &stored), Verdict::Mismatch);
}

#[test]
fn a_plain_hash_never_takes_a_long_password_whatever_its_digest_says() {
    let stored = make(LONG, &QUICK_BCRYPT);
    let [salt, digest] = [3, 4].map(|field| stored.split('$').nth(field).unwrap());
    let relabelled = format!("$2b$04${salt}{digest}");
    assert_eq!(scheme_label(&relabelled), "bcrypt:4");
    assert_eq!(check(LONG, &relabelled), Verdict::Mismatch);
}

// S-012
#[test]
fn a_decoy_is_a_hash_of_the_scheme_that_nothing_matches() {
    for scheme in [QUICK_ARGON2, QUICK_BCRYPT] {
        let stored = decoy(&scheme);
        assert_eq!(scheme_label(&stored), scheme.label());
        assert!(!needs_rehash(&stored, &scheme));
        for password in ["", "password", "wardgate: nobody's password", LONG] {
            assert_eq!(check(password, &stored), Verdict::Mismatch, "{password}");
        }
        assert_eq!(stored.len(), make("short", &scheme).len());
    }
}

// S-008
#[test]
fn a_stored_hash_cut_anywhere_no_longer_takes_its_password() {
    let mut workspace = Workspace::new();
    for (password, stored, _) in FOREIGN.iter().filter(|(_, stored, _)| !stored.contains("1000000")) {
        let password = Password::new(password);
        for end in 0..stored.len() {
            let verdict = verify(&password, &stored[..end], &mut workspace);
            assert_ne!(verdict, Verdict::Match, "{}", &stored[..end]);
        }
    }
}

// S-008
#[test]
fn a_stored_hash_altered_anywhere_never_matches_another_password_nor_panics() {
    let mut workspace = Workspace::new();
    let (wrong, insertions) = (Password::new("wrong"), ["$", "=", "\0", "é", "\u{1f600}", "+", " "]);
    for (_, stored, _) in FOREIGN.iter().filter(|(_, stored, _)| !stored.contains("1000000")) {
        for (position, text) in (0..stored.len()).zip(insertions.iter().cycle()) {
            let altered = format!("{}{text}{}", &stored[..position], &stored[position + 1..]);
            assert_ne!(verify(&wrong, &altered, &mut workspace), Verdict::Match, "{altered}");
            let _ = (scheme_label(&altered), needs_rehash(&altered, &QUICK_ARGON2));
        }
    }
}

// S-008
#[test]
fn what_is_no_hash_is_unusable_with_a_reason_that_repeats_none_of_it() {
    let table = [
        "",
        "$",
        "$$",
        "$$$$$$",
        "plain text",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "!",
        "*",
        "$1$salt$digest",
        "md5$salt$digest",
        "$2b$",
        "$2b$12$",
        "$2x$04$KDhzhcGw8sn1ZjWdIQBRwO0CvfKv6n6nxyn2LizfZF25hD9eq3SOa",
        "$2b$4$KDhzhcGw8sn1ZjWdIQBRwO0CvfKv6n6nxyn2LizfZF25hD9eq3SOa",
        "$2b$+4$KDhzhcGw8sn1ZjWdIQBRwO0CvfKv6n6nxyn2LizfZF25hD9eq3SOa",
        "$2b$03$KDhzhcGw8sn1ZjWdIQBRwO0CvfKv6n6nxyn2LizfZF25hD9eq3SOa",
        "$2b$04$KDhzhcGw8sn1ZjWdIQBRwO0CvfKv6n6nxyn2LizfZF25hD9eq3SOé",
        "bcrypt$$1$04$KDhzhcGw8sn1ZjWdIQBRwO0CvfKv6n6nxyn2LizfZF25hD9eq3SOa",
        "$bcrypt-sha256$v=3,t=2b,r=4$PK5icLg./hcjyDVEA39Pku$8IpT0zyL7sZeHBUthUkAOyJagEkYvte",
        "$bcrypt-sha256$v=2,t=2x,r=4$PK5icLg./hcjyDVEA39Pku$8IpT0zyL7sZeHBUthUkAOyJagEkYvte",
        "$argon2d$v=19$m=256,t=2,p=1$c29tZW9sZHNhbHQ$xIHFFmIN0yp5JKzoDZay9er+24WKKN8m",
        "$argon2id$v=18$m=256,t=2,p=1$c29tZW9sZHNhbHQ$xIHFFmIN0yp5JKzoDZay9er+24WKKN8m",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZQ$xIHFFmIN0yp5JKzoDZay9er+24WKKN8m",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZW9sZHNhbHQ$xIHFFg",
        "$argon2id$v=19$m=256,t=0,p=1$c29tZW9sZHNhbHQ$xIHFFmIN0yp5JKzoDZay9er+24WKKN8m",
        "$argon2id$v=19$m=256,t=2,p=0$c29tZW9sZHNhbHQ$xIHFFmIN0yp5JKzoDZay9er+24WKKN8m",
        "$argon2id$v=19$m=7,t=2,p=1$c29tZW9sZHNhbHQ$xIHFFmIN0yp5JKzoDZay9er+24WKKN8m",
        "$argon2id$v=19$t=2,m=256,p=1$c29tZW9sZHNhbHQ$xIHFFmIN0yp5JKzoDZay9er+24WKKN8m",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZW9sZHNhbHQ$xIHFFmIN0yp5JKzoDZay9er+24WKKN8m$more",
        "$pbkdf2-sha256$0$REhJ6R3D2BvjHIMwRiglBA$fVptrogkjMw9mwH0.FNVGkDM8ijk1VvdyJNn6G7Lodo",
        "pbkdf2_sha256$1500$zK3mQ9$RtpV3Hd8biA=",
        "pbkdf2_sha256$1500$zKé$RtpV3Hd8biD/r+4mM1RzKKpdt+iP+tVXm6gMZuuFXgI=",
        "$scrypt$ln=0,r=8,p=1$q3XOea+VUiqF0Lo3hnDO+Q$3qgho9OpJT+bh0odajLr0cVgeVhhPEo0xjuK2OE2hLo",
        "$scrypt$ln=8,r=0,p=1$q3XOea+VUiqF0Lo3hnDO+Q$3qgho9OpJT+bh0odajLr0cVgeVhhPEo0xjuK2OE2hLo",
        "scrypt$255$N4vYqLw2$8$3$kv8PGYQq6Y2WSMCmJz3sPqedN9+pHVMQCKyFiSbOgfzsKiahJRgD4KDqHIMDYwKn8gT8w3QhQhPjY0oertWmlw==",
    ];
    for stored in table {
        let Verdict::Unusable(reason) = check("x", stored) else { panic!("{stored} was taken for a hash") };
        assert!(["malformed", "a scheme that is not known"].contains(&reason), "{stored}: {reason}");
        assert_eq!(scheme_label(stored), "unknown");
    }
    assert_eq!(check("x", &"$".repeat(100_000)), Verdict::Unusable("malformed"));
}

// S-007
#[test]
fn a_stored_hash_may_not_ask_for_more_than_the_server_can_give() {
    let table = [
        "$argon2id$v=19$m=1048577,t=1,p=1$c29tZW9sZHNhbHQ$xIHFFmIN0yp5JKzoDZay9er+24WKKN8m",
        "$argon2id$v=19$m=4294967295,t=4294967295,p=1$c29tZW9sZHNhbHQ$xIHFFmIN0yp5JKzoDZay9er+24WKKN8m",
        "$argon2id$v=19$m=1048576,t=5,p=1$c29tZW9sZHNhbHQ$xIHFFmIN0yp5JKzoDZay9er+24WKKN8m",
        "$argon2id$v=19$m=1024,t=1000000,p=1$c29tZW9sZHNhbHQ$xIHFFmIN0yp5JKzoDZay9er+24WKKN8m",
        "$argon2id$v=19$m=1024,t=1,p=65$c29tZW9sZHNhbHQ$xIHFFmIN0yp5JKzoDZay9er+24WKKN8m",
        "$2b$18$KDhzhcGw8sn1ZjWdIQBRwO0CvfKv6n6nxyn2LizfZF25hD9eq3SOa",
        "$2b$99$KDhzhcGw8sn1ZjWdIQBRwO0CvfKv6n6nxyn2LizfZF25hD9eq3SOa",
        "$bcrypt-sha256$v=2,t=2b,r=31$PK5icLg./hcjyDVEA39Pku$8IpT0zyL7sZeHBUthUkAOyJagEkYvte",
        "$pbkdf2-sha256$10000001$REhJ6R3D2BvjHIMwRiglBA$fVptrogkjMw9mwH0.FNVGkDM8ijk1VvdyJNn6G7Lodo",
        "$scrypt$ln=20,r=8,p=1$q3XOea+VUiqF0Lo3hnDO+Q$3qgho9OpJT+bh0odajLr0cVgeVhhPEo0xjuK2OE2hLo",
        "$scrypt$ln=16,r=8,p=17$q3XOea+VUiqF0Lo3hnDO+Q$3qgho9OpJT+bh0odajLr0cVgeVhhPEo0xjuK2OE2hLo",
        "$scrypt$ln=64,r=8,p=1$q3XOea+VUiqF0Lo3hnDO+Q$3qgho9OpJT+bh0odajLr0cVgeVhhPEo0xjuK2OE2hLo",
        "$scrypt$ln=1,r=4294967295,p=4294967295$q3XOea+VUiqF0Lo3hnDO+Q$3qgho9OpJT+bh0odajLr0cVgeVhhPEo0xjuK2OE2hLo",
    ];
    for stored in table {
        assert_eq!(check("x", stored), Verdict::Unusable("its parameters would cost too much"), "{stored}");
    }
}

#[test]
fn a_scheme_that_cannot_run_is_an_error() {
    let schemes = [
        Scheme::Bcrypt { cost: 3 },
        Scheme::Bcrypt { cost: 32 },
        Scheme::Argon2id { memory_kib: 7, iterations: 1, parallelism: 1 },
        Scheme::Argon2id { memory_kib: 64, iterations: 0, parallelism: 1 },
        Scheme::Argon2id { memory_kib: u32::MAX, iterations: 1, parallelism: 1 },
    ];
    for scheme in schemes {
        let outcome = hash(&Password::new("x"), &scheme, &SystemRng, &mut Workspace::new());
        assert_eq!(outcome, Err(HashError::Parameters), "{scheme:?}");
    }
}

#[test]
fn a_workspace_serves_different_costs_one_after_the_other() {
    let mut workspace = Workspace::new();
    let schemes = [64, 1024, 16, 70 * 1024, 64].map(|memory_kib| Scheme::Argon2id {
        memory_kib,
        iterations: 1,
        parallelism: 1,
    });
    for scheme in schemes {
        let password = Password::new("the same");
        let stored = hash(&password, &scheme, &SystemRng, &mut workspace).unwrap();
        assert_eq!(verify(&password, &stored, &mut Workspace::new()), Verdict::Match, "{stored}");
        assert_eq!(verify(&password, &stored, &mut workspace), Verdict::Match, "{stored}");
    }
    assert_eq!(format!("{workspace:?}"), "Workspace { kib: 64 }", "70 MiB were not given back");
    workspace.release();
    assert_eq!(format!("{workspace:?}"), "Workspace { kib: 0 }");
}
