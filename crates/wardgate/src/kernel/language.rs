//! The languages that mails are written in.

/// A language that mails are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English, also for whoever asks for a language that there is not.
    #[default]
    English,
    /// German.
    German,
}

/// How much of the header is read: a browser sends under a hundred bytes.
const MAX_RANGES: usize = 20;

impl Language {
    /// The tag of BCP 47.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The best of an `Accept-Language` (RFC 9110 section 12.5.4); of equal weights the first.
    pub(crate) fn accepted(header: &str) -> Self {
        let mut best = (Self::default(), 0);
        for range in header.split(',').take(MAX_RANGES) {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let Some(language) = Self::of_range(tag.trim()) else { continue };
            let weight = weight(parameters);
            if weight > best.1 {
                best = (language, weight);
            }
        }
        best.0
    }

    fn of_range(tag: &str) -> Option<Self> {
        match tag.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "en" | "*" => Some(Self::English),
            "de" => Some(Self::German),
            _ => None,
        }
    }
}

/// Thousandths; what is no weight counts as none given.
fn weight(parameters: &str) -> u32 {
    let written = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
    let Some(Ok(weight)) = written.map(str::parse::<f32>) else { return 1000 };
    // Clamped first, so the cast loses nothing but what is under a thousandth.
    (weight.clamp(0.0, 1.0) * 1000.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_language_that_there_is_wins() {
        for (header, language) in [
            ("", Language::English),
            ("de", Language::German),
            ("DE-at", Language::German),
            ("de-DE,de;q=0.9,en;q=0.8", Language::German),
            ("en-GB,en;q=0.9,de;q=0.8", Language::English),
            ("en;q=0.5, de;q=0.7", Language::German),
            ("fr, de;q=0.1", Language::German),
            ("fr", Language::English),
            ("*, de;q=0.5", Language::English),
            ("de;q=0", Language::English),
            ("de;q=NaN", Language::English),
            ("de;q=x", Language::German),
            ("dent", Language::English),
            (";;;,,,q=", Language::English),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }
}
