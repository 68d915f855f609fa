//! Order of versions, for programs whose version is the distribution's choice.

/// Whether `found` is `wanted` or newer, part by part; what is not a number at a part's start counts as 0, and a part
/// that is missing is older than any.
pub(super) fn is_at_least(found: &str, wanted: &str) -> bool {
    parts(found) >= parts(wanted)
}

fn parts(version: &str) -> Vec<u64> {
    let number = |part: &str| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse().unwrap_or(0)
    };
    version.split(['.', '-', '+']).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_compared_as_numbers() {
        for (found, wanted) in [("7.93", "7.93"), ("7.100", "7.93"), ("4.1.0-3+b2", "4.1.0"), ("8", "7.93")] {
            assert!(is_at_least(found, wanted), "{found} {wanted}");
        }
        for (found, wanted) in [("7.80", "7.93"), ("4", "4.1.0"), ("debian", "1")] {
            assert!(!is_at_least(found, wanted), "{found} {wanted}");
        }
    }
}
