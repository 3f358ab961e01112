//! A tenant's colour, made readable: on the light and the dark page it is what people click.

use crate::kernel::color::Rgb;

/// What text needs against what is behind it (WCAG 2.2, 1.4.3).
const READABLE: f64 = 4.5;

/// The darker of the light theme's two grounds, and the lighter of the dark theme's: what is readable on these is on the
/// others too. `style.css` has the same.
const LIGHT_GROUND: Rgb = Rgb(0xf3, 0xf4, 0xf7);
const DARK_GROUND: Rgb = Rgb(0x1c, 0x20, 0x29);
const BLACK: Rgb = Rgb(0, 0, 0);
const WHITE: Rgb = Rgb(0xff, 0xff, 0xff);

/// The style sheet that gives both themes this colour.
pub(super) fn sheet(color: Rgb) -> String {
    let light = readable(color, LIGHT_GROUND, BLACK);
    let dark = readable(color, DARK_GROUND, WHITE);
    format!(":root{{--accent:{light}}}\n@media(prefers-color-scheme:dark){{:root{{--accent:{dark}}}}}\n")
}

/// The colour, moved towards `end` no further than it has to be.
fn readable(color: Rgb, ground: Rgb, end: Rgb) -> Rgb {
    let steps = (0..=50).map(|step| mixed(color, end, f64::from(step) / 50.0));
    steps.into_iter().find(|mixed| contrast(*mixed, ground) >= READABLE).unwrap_or(end)
}

fn mixed(from: Rgb, to: Rgb, part: f64) -> Rgb {
    // Between two bytes lies a byte.
    let mix = |from: u8, to: u8| (f64::from(from) + (f64::from(to) - f64::from(from)) * part).round() as u8;
    Rgb(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// WCAG 2.2, "contrast ratio".
fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// WCAG 2.2, "relative luminance".
fn luminance(Rgb(red, green, blue): Rgb) -> f64 {
    let linear = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_colour_becomes_readable(red: u8, green: u8, blue: u8) {
            let color = Rgb(red, green, blue);
            let light = readable(color, LIGHT_GROUND, BLACK);
            let dark = readable(color, DARK_GROUND, WHITE);
            prop_assert!(contrast(light, LIGHT_GROUND) >= READABLE);
            prop_assert!(contrast(dark, DARK_GROUND) >= READABLE);
            // What is written on a button: white in the light theme, and the darkest ground in the dark one.
            prop_assert!(contrast(light, WHITE) >= READABLE);
            prop_assert!(contrast(dark, Rgb(0x0e, 0x11, 0x17)) >= READABLE);
        }
    }

    #[test]
    fn what_is_readable_stays_as_it_is() {
        assert_eq!(readable(Rgb(0x1d, 0x4f, 0xc4), LIGHT_GROUND, BLACK), Rgb(0x1d, 0x4f, 0xc4));
        assert!((contrast(BLACK, WHITE) - 21.0).abs() < 0.01);
        assert!(sheet(Rgb(0xff, 0xff, 0)).contains("--accent:#ffff00}}"));
    }

    #[test]
    fn the_style_sheet_has_the_same_grounds() {
        let style = include_str!("files/style.css");
        for ground in [LIGHT_GROUND, DARK_GROUND] {
            assert!(style.contains(&format!(": {ground};")), "{ground}");
        }
    }
}
