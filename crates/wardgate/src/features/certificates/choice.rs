//! Which of the certificates that there are is served.

use super::store::{Kept, Which};
use crate::kernel::time::Timestamp;

/// That of the names that are asked for. Where there is none, or it has ended, as after a name was added, the one with most
/// of the names stands in until there is: of several the one that ends last.
pub(super) fn choose<'a>(all: &'a [Kept], which: &Which, now: Timestamp) -> Option<&'a Kept> {
    let own = all.iter().find(|kept| kept.version.which == *which);
    let is_good = |kept: &&Kept| kept.not_after > now;
    let stands_in = || {
        let good = all.iter().filter(is_good).map(|kept| (shared(&kept.version.which, which), kept));
        let best = good.filter(|(names, _)| *names > 0).max_by_key(|(names, kept)| (*names, kept.not_after));
        best.map(|(_, kept)| kept)
    };
    own.filter(is_good).or_else(stands_in).or(own)
}

fn shared(one: &Which, other: &Which) -> usize {
    one.names.split(' ').filter(|name| other.names.split(' ').any(|other| other == *name)).count()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::store::CertificateVersion;
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn which(names: &str) -> Which {
        Which { directory: "https://authority.example/".to_owned(), names: names.to_owned() }
    }

    #[test]
    fn the_names_own_certificate_comes_first_and_others_stand_in_while_they_are_good() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let (good, better, ended) = (now.plus(HOUR), now.plus(2 * HOUR), now);
        let kept = |names: &str, not_after| Kept {
            version: CertificateVersion { which: which(names), issued_at: now.minus(HOUR) },
            not_after,
        };
        let ours = "a.example b.example c.example";
        for (all, chosen) in [
            (vec![], None),
            (vec![kept(ours, good), kept("a.example b.example c.example d.example", better)], Some(0)),
            (vec![kept(ours, ended), kept("b.example", good)], Some(1)),
            (vec![kept("b.example", ended), kept(ours, ended)], Some(1)),
            (vec![kept("b.example", ended)], None),
            (vec![kept("other.example", good), kept("example", good)], None),
            (vec![kept("a.example", better), kept("a.example b.example", good)], Some(1)),
            (vec![kept("a.example", good), kept("b.example", better), kept("c.example", good)], Some(1)),
        ] {
            let expected = chosen.map(|index: usize| &all[index].version);
            assert_eq!(choose(&all, &which(ours), now).map(|kept| &kept.version), expected, "{all:?}");
        }
    }
}
