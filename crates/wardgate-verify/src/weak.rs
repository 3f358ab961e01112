//! Keys that are well formed and still broken.

/// Bounds of the modulus in bits; above, one signature check costs more than it should.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The primes up to 167 whose residues carry the mark of CVE-2017-15361.
const ROCA_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Says whether a public exponent is even, under 65537 or over 32 bits (NIST SP 800-56B, section 6.2 bounds it below).
pub(crate) fn rsa_exponent(exponent: &[u8]) -> bool {
    if exponent.len() > 4 {
        return true;
    }
    let value = exponent.iter().fold(0u32, |value, byte| value << 8 | u32::from(*byte));
    value < 65537 || value % 2 == 0
}

/// Says whether a modulus is too short, too long, even, or made by a library with the ROCA fault.
pub(crate) fn rsa_modulus(modulus: &[u8]) -> bool {
    let leading_zeros = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = modulus.len() * 8 - leading_zeros;
    let even = modulus.last().is_some_and(|byte| byte % 2 == 0);
    !RSA_BITS.contains(&bits) || even || has_roca_mark(modulus)
}

/// The faulty library's primes are powers of 65537 modulo many small primes, and so is their product.
///
/// A sound modulus passes all 38 tests with a chance far below one in 2^100.
fn has_roca_mark(modulus: &[u8]) -> bool {
    ROCA_PRIMES.iter().all(|prime| {
        let residue = modulus.iter().fold(0, |residue, byte| (residue << 8 | u32::from(*byte)) % prime);
        is_power_of_65537(residue, *prime)
    })
}

fn is_power_of_65537(residue: u32, prime: u32) -> bool {
    let mut power = 1;
    for _ in 1..prime {
        if power == residue {
            return true;
        }
        power = power * (65537 % prime) % prime;
    }
    false
}

/// The y coordinates of the two pairs of order 8, little-endian.
const ORDER_EIGHT: [[u8; 32]; 2] = [
    *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
    *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
];

/// Says whether an Ed25519 point has small order or is not encoded canonically.
///
/// Under a key of small order one signature fits many messages (RFC 8032 section 8.4 and the cofactor).
pub(crate) fn ed25519_point(point: &[u8; 32]) -> bool {
    let mut y = *point;
    // The top bit is the sign of x; each y of small order is weak with either sign.
    y[31] &= 0x7f;
    let high_bits_full = y[31] == 0x7f && y[1..31].iter().all(|byte| *byte == 0xff);
    let high_bits_empty = y[1..].iter().all(|byte| *byte == 0);
    let zero_or_one = high_bits_empty && y[0] <= 1;
    // p is 2^255 - 19: its last byte is 0xed, and p - 1 has order two.
    let minus_one_or_beyond = high_bits_full && y[0] >= 0xec;
    zero_or_one || minus_one_or_beyond || ORDER_EIGHT.contains(&y)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 65537 to the power of `exponent`, big-endian: the mark of the fault in its purest form.
    fn power_of_65537(exponent: usize) -> Vec<u8> {
        let mut little_endian = vec![1u8];
        for _ in 0..exponent {
            // Multiplying by 2^16 + 1 is adding the number to itself two bytes further up.
            let mut carry = 0;
            let low = little_endian.clone();
            little_endian.extend([0; 3]);
            for (position, byte) in little_endian.iter_mut().enumerate().skip(2) {
                let sum = u16::from(*byte) + u16::from(low.get(position - 2).copied().unwrap_or(0)) + carry;
                (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
            }
            while little_endian.last() == Some(&0) {
                little_endian.pop();
            }
        }
        little_endian.into_iter().rev().collect()
    }

    #[test]
    fn exponents_below_65537_even_or_overlong_are_weak() {
        for weak in [&[][..], &[1], &[3], &[17], &[0xff, 0xff], &[1, 0, 0], &[1, 0, 2], &[1, 0, 0, 0, 1]] {
            assert!(rsa_exponent(weak), "{weak:?}");
        }
        for sound in [&[1, 0, 1][..], &[1, 0, 3], &[0xff, 0xff, 0xff, 0xff]] {
            assert!(!rsa_exponent(sound), "{sound:?}");
        }
    }

    #[test]
    fn a_modulus_needs_2048_to_8192_bits_and_to_be_odd() {
        let modulus = |bytes: usize, first: u8, last: u8| {
            let mut modulus = vec![0x5a; bytes];
            (modulus[0], modulus[bytes - 1]) = (first, last);
            modulus
        };
        for sound in [modulus(256, 0x80, 1), modulus(384, 0xff, 3), modulus(1024, 0xff, 1)] {
            assert!(!rsa_modulus(&sound), "{} bytes", sound.len());
        }
        for weak in
            [vec![], modulus(128, 0xff, 1), modulus(256, 0x7f, 1), modulus(1025, 1, 1), modulus(256, 0x80, 2)]
        {
            assert!(rsa_modulus(&weak), "{} bytes", weak.len());
        }
    }

    #[test]
    fn the_mark_of_the_roca_fault_is_seen() {
        assert_eq!(power_of_65537(2), [1, 0, 2, 0, 1]);
        let marked = power_of_65537(130);
        assert!((257..1024).contains(&marked.len()));
        assert!(has_roca_mark(&marked) && rsa_modulus(&marked));
        let mut sound = marked;
        *sound.last_mut().unwrap() ^= 2;
        assert!(!has_roca_mark(&sound) && !rsa_modulus(&sound));
    }

    #[test]
    fn points_of_small_order_and_odd_encodings_are_weak_with_either_sign() {
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        let low = |first: u8| {
            let mut y = [0; 32];
            y[0] = first;
            y
        };
        let high = |first: u8| {
            let mut y = minus_one;
            y[0] = first;
            y
        };
        let [eighth, other] = ORDER_EIGHT;
        for weak in [low(0), low(1), eighth, other, minus_one, high(0xed), high(0xee), high(0xff)] {
            let mut negated = weak;
            negated[31] |= 0x80;
            assert!(ed25519_point(&weak) && ed25519_point(&negated), "{weak:?}");
        }
        for sound in [low(2), high(0xeb), [0x58; 32]] {
            assert!(!ed25519_point(&sound), "{sound:?}");
        }
    }
}
