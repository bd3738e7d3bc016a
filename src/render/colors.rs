//! Colours of upstream's form: `SYSTEMTAP_COLORS`, five keys with the SGR parameters that they get.

use std::collections::BTreeMap;

/// Parameters by key; without an entry nothing is painted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Palette(BTreeMap<String, String>);

/// What upstream paints with if nothing else is asked for (session.cxx: `parse_stap_color`).
const DEFAULT: &str = "error=01;31:warning=00;33:source=00;34:caret=01:token=01";

impl Palette {
    /// No colours.
    pub fn none() -> Self {
        Self::default()
    }

    /// The colours of a `SYSTEMTAP_COLORS` value, or the default ones. An entry that is not understood ends the list.
    pub fn parse(variable: Option<&str>) -> Self {
        let list = variable.unwrap_or(DEFAULT);
        let entries = list.split(':').map_while(|entry| entry.split_once('='));
        let sane = |&(key, value): &(&str, &str)| {
            !key.is_empty() && !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit() || b == b';')
        };
        Palette(entries.take_while(sane).map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    /// True if anything is painted.
    pub fn is_on(&self) -> bool {
        !self.0.is_empty()
    }

    /// A text in the colour of a key.
    pub fn paint(&self, key: &str, text: &str) -> String {
        match self.0.get(key) {
            Some(color) if !text.is_empty() => format!("\x1b[{color}m\x1b[K{text}\x1b[m\x1b[K"),
            _ => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_their_colours() {
        assert_eq!(Palette::none().paint("error", "x"), "x");
        assert_eq!(Palette::parse(None).paint("error", "x"), "\x1b[01;31m\x1b[Kx\x1b[m\x1b[K");
        let own = Palette::parse(Some("caret=07:token=;oops:error=31"));
        assert_eq!(own.paint("caret", "^"), "\x1b[07m\x1b[K^\x1b[m\x1b[K");
        assert_eq!(own.paint("error", "x"), "x");
        assert!(!Palette::parse(Some("")).is_on() && !Palette::parse(Some("=1:error=31")).is_on());
    }
}
