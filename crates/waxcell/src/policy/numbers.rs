//! Numbers as people write them in YAML, and as they should not: what one reader of YAML takes for 511 another takes
//! for 777, so every form that is not plain decimal is refused with the plain one.

/// A decimal number that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal {
    pub(super) whole: u64,
    /// Billionths.
    pub(super) nanos: u32,
}

impl Decimal {
    /// For comparing with the ends of a range; not exact beyond 2^53.
    pub(super) fn approximate(self) -> f64 {
        self.whole as f64 + f64::from(self.nanos) / 1e9
    }

    /// This many times `factor`, rounded down.
    pub(super) fn times(self, factor: u64) -> u64 {
        let exact = u128::from(self.whole) * u128::from(factor)
            + u128::from(self.nanos) * u128::from(factor) / 1_000_000_000;
        u64::try_from(exact).unwrap_or(u64::MAX)
    }
}

/// Why a plain scalar is not a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotANumber {
    #[error("a negative number")]
    Negative,
    #[error("an octal or zero-padded number, which programs read differently")]
    LeadingZero,
    #[error("a number that is not decimal")]
    OtherBase,
    #[error("a number in base 60 to some programs and text to others")]
    Sexagesimal,
    #[error("a number with an exponent")]
    Exponent,
    #[error("not a finite number")]
    NotFinite,
    #[error("a number with separators")]
    Separators,
    #[error("a number with a unit")]
    WithUnit(String),
    #[error("a number with a sign")]
    Plus,
    #[error("true or false to some programs and text to others")]
    Boolean,
    #[error("not a number")]
    Text,
}

/// Reads `[0-9]+` or `[0-9]+.[0-9]+` without leading zeros. Too many digits saturate: the range check that follows
/// refuses them.
pub(super) fn parse(text: &str) -> Result<Decimal, NotANumber> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !fraction.is_none_or(digits) {
        return Err(classify(text));
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(NotANumber::LeadingZero);
    }
    let nanos = fraction.map_or(0, |fraction| {
        let nine: String = fraction.chars().chain("000000000".chars()).take(9).collect();
        nine.parse().unwrap_or(0)
    });
    Ok(Decimal { whole: whole.parse().unwrap_or(u64::MAX), nanos })
}

fn classify(text: &str) -> NotANumber {
    let folded = text.to_ascii_lowercase();
    let unsigned = folded.trim_start_matches(['+', '-']);
    let is_numeric = |part: &str| {
        let digits = part.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        !part.is_empty() && digits && part.matches('.').count() <= 1
    };
    if matches!(unsigned, ".inf" | "inf" | "infinity" | ".nan" | "nan") {
        return NotANumber::NotFinite;
    }
    if matches!(unsigned, "yes" | "no" | "on" | "off" | "true" | "false") {
        return NotANumber::Boolean;
    }
    if folded.starts_with('-') && unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return NotANumber::Negative;
    }
    if folded.starts_with('+') && unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return NotANumber::Plus;
    }
    if ["0x", "0o", "0b"].iter().any(|prefix| unsigned.starts_with(prefix)) {
        return NotANumber::OtherBase;
    }
    if unsigned.contains(':') && unsigned.split(':').all(is_numeric) {
        return NotANumber::Sexagesimal;
    }
    if unsigned.contains(['_', ',', ' ']) && unsigned.split(['_', ',', ' ']).all(is_numeric) {
        return NotANumber::Separators;
    }
    if let Some((mantissa, exponent)) = unsigned.split_once('e')
        && is_numeric(mantissa)
        && is_numeric(exponent.trim_start_matches(['+', '-']))
    {
        return NotANumber::Exponent;
    }
    let unit = unsigned.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').trim();
    let number = &unsigned
        [..unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len()];
    if is_numeric(number)
        && !unit.is_empty()
        && (unit == "%" || unit.chars().all(|c| c.is_ascii_alphabetic()))
    {
        return NotANumber::WithUnit(number.to_owned());
    }
    NotANumber::Text
}

/// Whether some reader of YAML takes an unquoted `text` for something else than text.
pub(super) fn is_ambiguous(text: &str) -> bool {
    match parse(text) {
        Ok(_) => true,
        Err(NotANumber::Text | NotANumber::WithUnit(_)) => false,
        Err(_) => true,
    }
}
