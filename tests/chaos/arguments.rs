//! The campaign's command line.
//!
//! `cargo test` hands its filter to every test binary, so what is not ours is passed over; and the campaign runs only
//! when it is asked for by `--scale`, `--only` or `--minutes`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const USAGE: &str = "--scale short|full|FACTOR  [--seed N]  [--only NAME,NAME]  [--minutes M]";

/// How much is done of what is promised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// For CI: minutes in all.
    Short,
    /// The promised numbers.
    Full,
    /// A part of the promised numbers.
    Part(f64),
}

impl Scale {
    /// How many times: `short`, `full`, or a part of `full`.
    pub fn count(self, short: usize, full: usize) -> usize {
        match self {
            Self::Short => short,
            Self::Full => full,
            Self::Part(part) => ((full as f64 * part).round() as usize).max(1),
        }
    }

    /// How long, in seconds.
    pub fn seconds(self, short: u64, full: u64) -> Duration {
        match self {
            Self::Short => Duration::from_secs(short),
            Self::Full => Duration::from_secs(full),
            Self::Part(part) => Duration::from_secs_f64((full as f64 * part).max(1.0)),
        }
    }
}

#[derive(Debug)]
pub struct Arguments {
    pub seed: u64,
    pub scale: Scale,
    /// Empty: all.
    pub only: Vec<String>,
    pub time: Option<Duration>,
}

impl Arguments {
    /// `None` when nobody asked for a campaign.
    pub fn read(words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut arguments = Self { seed: fresh_seed(), scale: Scale::Short, only: Vec::new(), time: None };
        let (mut asked, mut words) = (false, words);
        while let Some(word) = words.next() {
            if !matches!(word.as_str(), "--seed" | "--scale" | "--only" | "--minutes") {
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            asked |= word != "--seed";
            arguments.take(&word, &value).map_err(|why| format!("{word} {value}: {why}"))?;
        }
        Ok(asked.then_some(arguments))
    }

    fn take(&mut self, word: &str, value: &str) -> Result<(), String> {
        let positive = |text: &str| {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
            number.ok_or_else(|| "not a positive number".to_owned())
        };
        match (word, value) {
            ("--seed", _) => self.seed = value.parse().map_err(|_| "not a whole number")?,
            ("--scale", "short") => self.scale = Scale::Short,
            ("--scale", "full") => self.scale = Scale::Full,
            ("--scale", _) => self.scale = Scale::Part(positive(value)?),
            ("--only", _) => self.only = value.split(',').map(str::to_owned).collect(),
            _ => self.time = Some(Duration::from_secs_f64(60.0 * positive(value)?)),
        }
        Ok(())
    }
}

/// Another one each time, printed so that it can be given again.
fn fresh_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ since.as_secs()
}
