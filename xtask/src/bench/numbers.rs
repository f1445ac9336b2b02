//! From times to a table.

use std::time::Duration;

/// The middle one; of an even number the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// The value that so many of 100 do not exceed.
pub(crate) fn percentile(values: &[f64], hundredths: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() * hundredths).div_ceil(100).max(1);
    sorted.get(at - 1).copied().unwrap_or(f64::NAN)
}

pub(crate) fn milliseconds(seconds: f64) -> String {
    format!("{:.1}", seconds * 1000.0)
}

pub(crate) fn head(peer: bool) -> String {
    let (names, rule) = if peer { (" bwrap | added | ratio |", "---|---|---|") } else { ("", "") };
    format!("| script | bare, ms | waxcell, ms | added | ratio |{names}\n|---|---|---|---|---|{rule}")
}

/// Of a table that compares runs with themselves.
pub(crate) fn told_head() -> &'static str {
    "| script | attempts on files not told, ms | told, ms | added | ratio |\n|---|---|---|---|---|"
}

/// One script: the medians, and the medians of what each pair says about itself.
pub(crate) fn row(name: &str, times: &[Vec<Duration>]) -> String {
    let seconds = |times: &[Duration]| times.iter().map(Duration::as_secs_f64).collect::<Vec<f64>>();
    let bare = seconds(&times[0]);
    let mut row = format!("| {name} | {} |", milliseconds(median(&bare)));
    for other in &times[1..] {
        let other = seconds(other);
        let added: Vec<f64> = bare.iter().zip(&other).map(|(bare, other)| other - bare).collect();
        let ratio: Vec<f64> = bare.iter().zip(&other).map(|(bare, other)| other / bare).collect();
        let (middle, added) = (milliseconds(median(&other)), milliseconds(median(&added)));
        row.push_str(&format!(" {middle} | {added} | {:.2} |", median(&ratio)));
    }
    row
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{median, percentile, row};

    #[test]
    fn the_middle_is_in_the_middle() {
        assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 3.0, 2.0])), (2.0, 2.5));
        assert!(median(&[]).is_nan());
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(
            (percentile(&hundred, 99), percentile(&hundred, 50), percentile(&[7.0], 99)),
            (99.0, 50.0, 7.0)
        );
    }

    #[test]
    fn pairs_are_compared_pair_by_pair() {
        let times = |times: [u64; 3]| times.map(Duration::from_millis).to_vec();
        // The machine slows down by ten from pair to pair; each pair says the same.
        let row = row("x", &[times([10, 20, 30]), times([14, 24, 34])]);
        assert_eq!(row, "| x | 20.0 | 24.0 | 4.0 | 1.20 |");
    }
}
