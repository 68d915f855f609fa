//! Versions below which an engine is not used, or used with a warning.
//!
//! The warnings are about three ways out of a container that runc closed in November 2025 (CVE-2025-31133, -52565, -52881), in
//! 1.2.8, 1.3.3 and 1.4.0; Docker brought them with 28.5.2. A distribution may have put the same corrections into an older
//! version, which its number does not say.

/// The API that is spoken: the first with private cgroup namespaces. Docker 20.10, Podman 3.
pub const API: (u32, u32) = (1, 41);

/// The first good version of each line; lines before the first have none.
const RUNC: &[[u32; 3]] = &[[1, 2, 8], [1, 3, 3], [1, 4, 0]];
const DOCKER: &[[u32; 3]] = &[[28, 5, 2]];

/// What a version number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Good,
    /// Below the floor, which is this.
    Below(&'static str),
    /// It is no number that can be compared.
    Unknown,
}

/// Of `1.41`.
pub fn api(version: &str) -> Standing {
    let mut parts = version.split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= API => Standing::Good,
        (Some(Ok(_)), Some(Ok(_))) => Standing::Below("1.41"),
        _ => Standing::Unknown,
    }
}

/// Of `1.1.5+ds1`.
pub fn runc(version: &str) -> Standing {
    of(version, RUNC, "1.2.8, 1.3.3 or 1.4.0")
}

/// Of `20.10.24+dfsg1`.
pub fn docker(version: &str) -> Standing {
    of(version, DOCKER, "28.5.2")
}

/// Good: at or over the floor of its own line, or in a line after the last.
fn of(version: &str, floors: &[[u32; 3]], shown: &'static str) -> Standing {
    let Some(version) = numbers(version) else { return Standing::Unknown };
    let own = floors.iter().find(|floor| floor[..2] == version[..2]);
    let good = match (own, floors.last()) {
        (Some(floor), _) => version >= *floor,
        (None, Some(last)) => version > *last,
        (None, None) => true,
    };
    if good { Standing::Good } else { Standing::Below(shown) }
}

fn numbers(version: &str) -> Option<[u32; 3]> {
    let mut numbers = [0; 3];
    let plain = version.trim_start_matches('v');
    let end = plain.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(plain.len());
    let mut parts = plain[..end].split('.');
    for (place, number) in numbers.iter_mut().enumerate() {
        match parts.next() {
            Some(part) => *number = part.parse().ok()?,
            None if place > 0 => {}
            None => return None,
        }
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_own_floor() {
        for good in ["1.2.8", "1.2.9", "1.3.3", "1.4.0", "1.5.0", "2.0.0", "v1.3.4-rc.1"] {
            assert_eq!(runc(good), Standing::Good, "{good}");
        }
        for below in ["1.1.5+ds1-1+deb12u1", "1.2.7", "1.3.0", "1.3.2", "1.0.0"] {
            assert!(matches!(runc(below), Standing::Below(_)), "{below}");
        }
        assert_eq!(
            (docker("28.5.2"), docker("29.0"), docker("30")),
            (Standing::Good, Standing::Good, Standing::Good)
        );
        for below in ["20.10.24+dfsg1", "28.5.1", "28.4.9"] {
            assert_eq!(docker(below), Standing::Below("28.5.2"), "{below}");
        }
        assert_eq!((runc("unknown"), docker("")), (Standing::Unknown, Standing::Unknown));
    }

    #[test]
    fn an_api_is_compared_by_its_numbers() {
        assert_eq!((api("1.41"), api("1.53"), api("2.0")), (Standing::Good, Standing::Good, Standing::Good));
        assert_eq!(
            (api("1.40"), api("1.5"), api("x")),
            (Standing::Below("1.41"), Standing::Below("1.41"), Standing::Unknown)
        );
    }
}
