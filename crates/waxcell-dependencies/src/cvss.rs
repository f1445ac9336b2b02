//! How bad a vulnerability is, as those say who wrote it down.

use std::fmt;

use serde::Serialize;

/// The words for ranges of scores.
///
/// Source: FIRST, *CVSS v3.1 Specification*, section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Below 4.
    Low,
    /// From 4 on.
    Medium,
    /// From 7 on.
    High,
    /// From 9 on; and what is meant to do harm.
    Critical,
}

impl Level {
    /// That of a score from 0 to 10.
    pub fn of_score(score: f64) -> Level {
        match score {
            score if score >= 9.0 => Level::Critical,
            score if score >= 7.0 => Level::High,
            score if score >= 4.0 => Level::Medium,
            _ => Level::Low,
        }
    }

    /// That of a word, as databases use them.
    pub fn of_word(word: &str) -> Option<Level> {
        Some(match word.to_ascii_lowercase().as_str() {
            "low" => Level::Low,
            "moderate" | "medium" => Level::Medium,
            "high" => Level::High,
            "critical" => Level::Critical,
            _ => return None,
        })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::Critical => "critical",
        })
    }
}

/// The base score of a vector of version 3.0 or 3.1, from 0 to 10; nothing for one of another version, or one that is
/// not complete.
///
/// Source: FIRST, *CVSS v3.1 Specification*, section 7.1 and appendix A.
pub fn base_score(vector: &str) -> Option<f64> {
    let metrics = vector.strip_prefix("CVSS:3.1/").or_else(|| vector.strip_prefix("CVSS:3.0/"))?;
    let metric = |name: &str, values: &[(&str, f64)]| {
        let value = metrics.split('/').find_map(|metric| metric.strip_prefix(name)?.strip_prefix(':'))?;
        values.iter().find(|(one, _)| *one == value).map(|(_, weight)| *weight)
    };
    let is_changed = metric("S", &[("U", 0.0), ("C", 1.0)])? > 0.5;
    let (low, high) = if is_changed { (0.68, 0.5) } else { (0.62, 0.27) };
    let harm = [("H", 0.56), ("L", 0.22), ("N", 0.0)];
    let (confidentiality, integrity, availability) =
        (metric("C", &harm)?, metric("I", &harm)?, metric("A", &harm)?);
    let exploitability = 8.22
        * metric("AV", &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])?
        * metric("AC", &[("L", 0.77), ("H", 0.44)])?
        * metric("PR", &[("N", 0.85), ("L", low), ("H", high)])?
        * metric("UI", &[("N", 0.85), ("R", 0.62)])?;
    let base = 1.0 - (1.0 - confidentiality) * (1.0 - integrity) * (1.0 - availability);
    let impact = match is_changed {
        true => 7.52 * (base - 0.029) - 3.25 * (base - 0.02).powi(15),
        false => 6.42 * base,
    };
    Some(match () {
        () if impact <= 0.0 => 0.0,
        () if is_changed => round_up((1.08 * (impact + exploitability)).min(10.0)),
        () => round_up((impact + exploitability).min(10.0)),
    })
}

/// To one decimal upwards, without what floating point adds: appendix A.
fn round_up(score: f64) -> f64 {
    let hundred_thousandths = (score * 100_000.0).round();
    if hundred_thousandths % 10_000.0 == 0.0 {
        hundred_thousandths / 100_000.0
    } else {
        ((hundred_thousandths / 10_000.0).floor() + 1.0) / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, base_score};

    #[test]
    fn scores_are_those_that_were_published() {
        for (vector, score) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", 7.5),
            ("CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", 1.8),
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
            ("CVSS:3.1/AV:P/AC:H/PR:N/UI:N/S:U/C:H/I:N/A:N", 4.2),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ] {
            assert_eq!(base_score(vector), Some(score), "{vector}");
        }
        for none in
            ["", "CVSS:3.1/AV:N", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "9.8"]
        {
            assert_eq!(base_score(none), None, "{none}");
        }
        assert_eq!(
            [9.8, 7.0, 4.0, 0.1].map(Level::of_score),
            [Level::Critical, Level::High, Level::Medium, Level::Low]
        );
    }
}
