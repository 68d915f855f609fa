//! Text that fits: widths are columns of a terminal, not bytes or characters.

use std::time::Duration;

use console::measure_text_width;

const ELLIPSIS: char = '…';

/// The start of `text`, at most `width` columns wide.
pub fn cut_end(text: &str, width: usize) -> String {
    if measure_text_width(text) <= width {
        return text.to_owned();
    }
    let kept = fitting(text.chars(), width.saturating_sub(1));
    format!("{}{ELLIPSIS}", text.chars().take(kept).collect::<String>().trim_end())
}

/// The end of `text`, at most `width` columns wide: of a path the file name matters most.
pub fn cut_start(text: &str, width: usize) -> String {
    if measure_text_width(text) <= width {
        return text.to_owned();
    }
    let kept = fitting(text.chars().rev(), width.saturating_sub(1));
    let skipped = text.chars().count() - kept;
    format!("{ELLIPSIS}{}", text.chars().skip(skipped).collect::<String>())
}

/// How many of the characters fit into `width` columns.
fn fitting(characters: impl Iterator<Item = char>, width: usize) -> usize {
    let mut used = 0;
    let fits = |character: &char| {
        used += measure_text_width(character.encode_utf8(&mut [0; 4]));
        used <= width
    };
    characters.take_while(fits).count()
}

/// `0.4 s`, `12.3 s`, `2 min 05 s`.
pub fn duration(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// `1 file`, `2 files`.
pub fn count(number: impl Into<u64>, noun: &str) -> String {
    match number.into() {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

/// A length of time as people write it: `90`, `90s`, `30m`, `2h`; in seconds.
pub fn parse_seconds(text: &str) -> Result<u32, String> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3_600),
        _ => (text, 1),
    };
    let seconds = number.parse::<u32>().ok().and_then(|number| number.checked_mul(unit));
    match seconds {
        Some(seconds) if (1..=86_400).contains(&seconds) => Ok(seconds),
        _ => Err("a time from 1s to 24h is needed, such as 90s, 30m or 2h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_columns() {
        assert_eq!(cut_end("abcdef", 6), "abcdef");
        assert_eq!(cut_end("abcdef", 4), "abc…");
        assert_eq!(cut_start("src/long/name.py:12", 12), "…/name.py:12");
        // Each of these characters is two columns wide.
        assert_eq!(cut_end("漢字漢字", 5), "漢字…");
        assert_eq!(cut_start("漢字漢字", 4), "…字");
        assert_eq!(cut_end("ab", 0), "…");
    }

    #[test]
    fn times_are_read_and_written() {
        assert_eq!(["90", "90s", "30m", "2h"].map(parse_seconds), [Ok(90), Ok(90), Ok(1_800), Ok(7_200)]);
        for wrong in ["", "s", "0", "25h", "5d", "-1", "1.5h", "99999999h"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
        assert_eq!(duration(Duration::from_millis(1_234)), "1.2 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 05 s");
    }
}
