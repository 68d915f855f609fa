//! What a server showed to prove who it is, and the little that is read out of a certificate without a library: from when
//! to when it is valid, and whether it vouches for itself.
//!
//! ```text
//! Certificate ::= SEQUENCE { tbs SEQUENCE { [0] version?, serial, algorithm, issuer, SEQUENCE { from, until }, subject, … }, … }
//! ```
//! (RFC 5280 §4.1, in DER.) Whether the chain holds is the TLS library's to say.

use jiff::tz::TimeZone;
use url::Url;

use super::rule::{self, Remark};

/// Days before its end from which on a certificate should have been renewed.
const RENEWED_DAYS: i64 = 14;
const DAY: i64 = 24 * 60 * 60;

/// Of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `TLSv1.2`, `TLSv1.3`.
    pub version: String,
    pub certificate: Certificate,
}

/// The server's own certificate, judged by each of its promises alone: an expired one may have the wrong name, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// `None`: it cannot be read.
    pub validity: Option<Validity>,
    pub is_self_signed: bool,
    /// Why nobody vouches for it that this machine trusts; `None`: somebody does.
    pub untrusted: Option<String>,
    /// Why it is not for this host; `None`: it is.
    pub wrong_name: Option<String>,
}

/// Seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub from: i64,
    pub until: i64,
}

/// What a certificate says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    pub validity: Validity,
    /// Its issuer is its subject.
    pub is_self_issued: bool,
}

/// What is wrong with what the server of `url` showed, at `now` in seconds since 1970.
pub fn judge(tls: &Tls, url: &Url, now: i64) -> Vec<Remark> {
    let shown = &tls.certificate;
    let remark = |rule, message: String| Remark::new(rule, url, message).about("certificate");
    let mut remarks = Vec::new();
    if let Some(Validity { from, until }) = shown.validity {
        let days = (until - now).div_euclid(DAY);
        if now > until {
            remarks.push(remark(
                &rule::CERTIFICATE_EXPIRED,
                format!("the certificate expired {} days ago", -days),
            ));
        } else if now < from {
            remarks.push(remark(
                &rule::CERTIFICATE_NOT_YET_VALID,
                "the certificate is not valid yet".to_owned(),
            ));
        } else if days < RENEWED_DAYS {
            let message = format!("the certificate expires in {days} days");
            remarks.push(remark(&rule::CERTIFICATE_EXPIRES_SOON, message));
        }
    }
    if let Some(why) = &shown.untrusted {
        let whom =
            if shown.is_self_signed { "it vouches for itself" } else { "its issuer is not known here" };
        let message = format!("nobody that this machine trusts vouches for the certificate: {whom}");
        remarks.push(remark(&rule::CERTIFICATE_UNTRUSTED, message).shown_by(why));
    }
    if let Some(why) = &shown.wrong_name {
        let message = format!("the certificate is not for {}", url.host_str().unwrap_or_default());
        remarks.push(remark(&rule::CERTIFICATE_WRONG_NAME, message).shown_by(why));
    }
    remarks
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Reads a certificate in DER.
pub fn read(der: &[u8]) -> Option<Stated> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut tbs, _) = element(certificate, SEQUENCE)?;
    if let Some((_, rest)) = element(tbs, VERSION) {
        tbs = rest;
    }
    let (_serial, rest) = element(tbs, INTEGER)?;
    let (_algorithm, rest) = element(rest, SEQUENCE)?;
    let (issuer, rest) = element(rest, SEQUENCE)?;
    let (validity, rest) = element(rest, SEQUENCE)?;
    let (subject, _) = element(rest, SEQUENCE)?;
    let (from, validity) = time(validity)?;
    let (until, _) = time(validity)?;
    Some(Stated { validity: Validity { from, until }, is_self_issued: issuer == subject })
}

/// The content of the first element, which must have this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        // The length's own length: certificates stay far below what three bytes count.
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    (first == tag).then_some((content, rest))
}

/// `YYMMDDHHMMSSZ` until 2049, `YYYYMMDDHHMMSSZ` from then on.
fn time(der: &[u8]) -> Option<(i64, &[u8])> {
    let utc = element(der, UTC_TIME).map(|(text, rest)| (text, rest, 2));
    let (text, rest, year_digits) =
        utc.or_else(|| element(der, GENERALIZED_TIME).map(|(text, rest)| (text, rest, 4)))?;
    let digits = text.strip_suffix(b"Z").filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    if digits.len() != year_digits + 10 {
        return None;
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0_i16, |sum, digit| sum * 10 + i16::from(digit - b'0'));
    let (year, rest_of_it) = digits.split_at(year_digits);
    let year = match number(year) {
        short if year_digits == 2 => short + if short < 50 { 2000 } else { 1900 },
        long => long,
    };
    let part = |index: usize| i8::try_from(number(&rest_of_it[index * 2..index * 2 + 2])).ok();
    let day = jiff::civil::Date::new(year, part(0)?, part(1)?).ok()?;
    let moment = jiff::civil::Time::new(part(2)?, part(3)?, part(4)?, 0).ok()?;
    let zoned = day.to_datetime(moment).to_zoned(TimeZone::UTC).ok()?;
    Some((zoned.timestamp().as_second(), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let mut out = vec![tag];
        match u8::try_from(length) {
            Ok(short @ 0..=0x7f) => out.push(short),
            Ok(byte) => out.extend([0x81, byte]),
            Err(_) => out.extend([0x82, (length >> 8) as u8, length as u8]),
        }
        out.extend(content);
        out
    }

    fn certificate(issuer: &str, subject: &str, validity: &[Vec<u8>]) -> Vec<u8> {
        let name = |text: &str| tagged(SEQUENCE, &tagged(0x0c, text.as_bytes()));
        let parts = [
            tagged(VERSION, &tagged(INTEGER, &[2])),
            tagged(INTEGER, &[1, 2, 3]),
            tagged(SEQUENCE, &[]),
            name(issuer),
            tagged(SEQUENCE, &validity.concat()),
            name(subject),
        ];
        tagged(SEQUENCE, &tagged(SEQUENCE, &parts.concat()))
    }

    #[test]
    fn times_of_both_kinds_and_the_issuer_are_read() {
        let times = [tagged(UTC_TIME, b"260101000000Z"), tagged(GENERALIZED_TIME, b"20510203040506Z")];
        let stated = read(&certificate("us", &"x".repeat(300), &times)).unwrap();
        let second = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
        let (from, until) = (second("2026-01-01T00:00:00Z"), second("2051-02-03T04:05:06Z"));
        assert_eq!(stated, Stated { validity: Validity { from, until }, is_self_issued: false });
        assert!(read(&certificate("us", "us", &times)).unwrap().is_self_issued);
    }

    #[test]
    fn an_impossible_date_is_no_date() {
        let times = [tagged(UTC_TIME, b"261301000000Z"), tagged(UTC_TIME, b"270101000000Z")];
        assert_eq!(read(&certificate("us", "us", &times)), None);
    }

    #[test]
    fn each_fault_is_told_alone_and_together_with_the_others() {
        let url = Url::parse("https://shop.example/").unwrap();
        let now = 1_800_000_000;
        let found = |from, until, untrusted: bool, wrong: bool| {
            let why = |is: bool| is.then(|| "why".to_owned());
            let validity = Some(Validity { from, until });
            let certificate = Certificate {
                validity,
                is_self_signed: false,
                untrusted: why(untrusted),
                wrong_name: why(wrong),
            };
            let tls = Tls { version: "TLSv1.3".into(), certificate };
            judge(&tls, &url, now).iter().map(|remark| remark.rule.id).collect::<Vec<_>>()
        };
        let (past, future) = (now - 100 * DAY, now + 100 * DAY);
        assert_eq!(found(past, future, false, false), Vec::<&str>::new());
        assert_eq!(found(past, now - 1, false, false), ["certificate-expired"]);
        assert_eq!(found(past, now + 13 * DAY, false, false), ["certificate-expires-soon"]);
        assert_eq!(found(now + 1, future, false, false), ["certificate-not-yet-valid"]);
        let all = ["certificate-expired", "certificate-untrusted", "certificate-wrong-name"];
        assert_eq!(found(past, now - 1, true, true), all);
    }

    proptest! {
        #[test]
        fn nothing_that_a_server_sends_brings_it_down(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            at in 0_usize..120,
            with in any::<u8>(),
        ) {
            read(&bytes);
            let times = [tagged(UTC_TIME, b"260101000000Z"), tagged(UTC_TIME, b"270101000000Z")];
            let mut damaged = certificate("us", "us", &times);
            let at = at % damaged.len();
            damaged[at] = with;
            read(&damaged);
        }
    }
}
