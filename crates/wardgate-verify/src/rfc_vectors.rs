//! Signatures that the RFCs publish, and near misses of them.

use serde_json::{Value, json};

use crate::testing::{Issuer, from_base64};
use crate::{Jwk, KeyError, VerifyingKey};

pub(crate) const RFC_7515_A2_MODULUS: &str = concat!(
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql",
    "L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs",
    "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoud",
    "F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
);
const RFC_7515_PAYLOAD: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

pub(crate) fn read(jwk: Value) -> Result<VerifyingKey, KeyError> {
    VerifyingKey::from_jwk(&serde_json::from_value::<Jwk>(jwk).unwrap())
}

pub(crate) fn ed25519_jwk() -> Value {
    serde_json::to_value(Issuer::new().ed25519_jwk()).unwrap()
}

pub(crate) fn p256_jwk() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "kid": "rfc",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

pub(crate) fn rsa_jwk() -> Value {
    json!({"kty": "RSA", "kid": "rfc", "n": RFC_7515_A2_MODULUS, "e": "AQAB"})
}

fn assert_takes(key: &VerifyingKey, header: &str, payload: &str, signature: &str) {
    let message = format!("{header}.{payload}");
    let signature = from_base64(signature);
    assert!(key.accepts(message.as_bytes(), &signature), "{key:?}");
    assert!(!key.accepts(format!("{message}x").as_bytes(), &signature), "{key:?}");
    for position in 0..signature.len() {
        let mut altered = signature.clone();
        altered[position] ^= 1;
        assert!(!key.accepts(message.as_bytes(), &altered), "{key:?}, byte {position}");
    }
    assert!(!key.accepts(message.as_bytes(), &signature[1..]), "{key:?}");
}

#[test]
fn takes_the_signatures_that_the_rfcs_publish() {
    // RFC 7515, appendix A.1.
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let shared = VerifyingKey::hs256("rfc", &from_base64(secret)).unwrap();
    let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert_takes(&shared, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", RFC_7515_PAYLOAD, signature);
    // RFC 7515, appendix A.2.
    let signature = concat!(
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG",
        "bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K",
        "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6",
        "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    assert_takes(&read(rsa_jwk()).unwrap(), "eyJhbGciOiJSUzI1NiJ9", RFC_7515_PAYLOAD, signature);
    // RFC 7515, appendix A.3.
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert_takes(&read(p256_jwk()).unwrap(), "eyJhbGciOiJFUzI1NiJ9", RFC_7515_PAYLOAD, signature);
    // RFC 8037, appendix A.4.
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "rfc", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let payload = "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    assert_takes(&read(jwk).unwrap(), "eyJhbGciOiJFZERTQSJ9", payload, signature);
}

// RFC 7518 section 3.4: the 64 bytes r and s, not DER.
#[test]
fn es256_takes_no_der_and_no_degenerate_signature() {
    let key = read(p256_jwk()).unwrap();
    let message = format!("eyJhbGciOiJFUzI1NiJ9.{RFC_7515_PAYLOAD}");
    let fixed =
        from_base64("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    assert!(key.accepts(message.as_bytes(), &fixed));
    // A sequence of two integers; s starts with a high bit and takes a zero in front.
    let der = [&[0x30, 69, 2, 32], &fixed[..32], &[2, 33, 0], &fixed[32..]].concat();
    let order = [[0xff; 4].as_slice(), &[0; 4], &[0xff; 8], &from_base64("vOb6racXnoTzucrC_GMlUQ")].concat();
    let zeros = vec![0; 64];
    let at_order = [order.as_slice(), &order].concat();
    for signature in [der, zeros, at_order, [&fixed[..32], &[0; 32]].concat(), vec![], fixed[..63].to_vec()] {
        assert!(!key.accepts(message.as_bytes(), &signature), "{signature:?}");
    }
}

// RFC 8032 section 5.1.7: S has to be under the order, or each signature would have a twin.
#[test]
fn ed25519_takes_one_form_of_a_signature() {
    let order = from_base64("7dP1XBpjEljWnPei3vneFAAAAAAAAAAAAAAAAAAAABA");
    let token = Issuer::new().sign_claims("{}");
    let (input, signature) = token.rsplit_once('.').unwrap();
    let key = read(ed25519_jwk()).unwrap();
    let mut twin = from_base64(signature);
    assert!(key.accepts(input.as_bytes(), &twin));
    let mut carry = 0;
    for (byte, add) in twin[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    assert_eq!(carry, 0);
    assert!(!key.accepts(input.as_bytes(), &twin));
}
