//! Cookies: read from `Set-Cookie`, judged, and kept for the next request to the same host.

use std::collections::BTreeMap;

use super::page::Page;
use super::rule::{self, Remark};
use crate::domain::scope::Place;

/// Cookies kept of one host, and bytes of one: what browsers keep at least (RFC 6265 §6.1 says 50 and 4096).
const COOKIES_MAX: usize = 100;
const COOKIE_BYTES_MAX: usize = 4096;

/// One `Set-Cookie`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    pub name: String,
    value: String,
    pub is_secure: bool,
    pub is_http_only: bool,
    /// In lower case.
    pub same_site: Option<String>,
    path: String,
    is_deletion: bool,
}

impl Cookie {
    /// `None` for what browsers pass over.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        if name.trim().is_empty() || text.len() > COOKIE_BYTES_MAX {
            return None;
        }
        let (name, value, path) = (name.trim().to_owned(), value.trim().to_owned(), "/".to_owned());
        let (is_secure, is_http_only, is_deletion) = (false, false, false);
        let mut cookie = Self { name, value, is_secure, is_http_only, same_site: None, path, is_deletion };
        for part in parts {
            let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
            match attribute.trim().to_ascii_lowercase().as_str() {
                "secure" => cookie.is_secure = true,
                "httponly" => cookie.is_http_only = true,
                "samesite" => cookie.same_site = Some(value.trim().to_ascii_lowercase()),
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "max-age" => cookie.is_deletion = value.trim().parse::<i64>().is_ok_and(|age| age <= 0),
                // How servers delete: a date at the beginning of time.
                "expires" => cookie.is_deletion |= value.contains(" 1970 ") || value.contains("-1970 "),
                _ => {}
            }
        }
        Some(cookie)
    }

    /// Scripts must read these to send them back in a header: that is how they protect.
    fn is_for_scripts(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        name.contains("csrf") || name.contains("xsrf")
    }
}

/// What is wrong with the cookies that a page sets.
pub fn judge(page: &Page) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for cookie in page.all("set-cookie").filter_map(Cookie::parse).filter(|cookie| !cookie.is_deletion) {
        let name = &cookie.name;
        let mut remark = |rule, message: String| {
            let attributes = format!("{name}=…{}", described(&cookie));
            remarks.push(Remark::new(rule, &page.url, message).about(name).shown_by(attributes));
        };
        if page.tls.is_some() && !cookie.is_secure {
            remark(
                &rule::COOKIE_SECURE,
                format!("the cookie {name} is set over https without Secure: it is sent over http, too"),
            );
        }
        if !cookie.is_http_only && !cookie.is_for_scripts() {
            remark(
                &rule::COOKIE_HTTP_ONLY,
                format!("the cookie {name} has no HttpOnly: any script on the page can read it"),
            );
        }
        match cookie.same_site.as_deref() {
            None => remark(
                &rule::COOKIE_SAME_SITE,
                format!("the cookie {name} has no SameSite: what it is sent with is up to each browser"),
            ),
            Some("none") if !cookie.is_secure => {
                remark(
                    &rule::COOKIE_SAME_SITE_NONE,
                    format!("the cookie {name} has SameSite=None without Secure: browsers refuse it"),
                );
            }
            Some(_) => {}
        }
    }
    remarks
}

/// A cookie's attributes; never its value, which may be a session's.
fn described(cookie: &Cookie) -> String {
    let mut text = String::new();
    for (is_set, word) in [(cookie.is_secure, "; Secure"), (cookie.is_http_only, "; HttpOnly")] {
        text += if is_set { word } else { "" };
    }
    cookie.same_site.as_ref().map_or(text.clone(), |same_site| format!("{text}; SameSite={same_site}"))
}

/// What a visitor has been given, by host. Cookies for other hosts (`Domain=`) are kept for the host that set them only.
#[derive(Debug, Clone, Default)]
pub struct Jar {
    cookies: BTreeMap<(String, String, String), Cookie>,
}

impl Jar {
    /// Keeps what a page of `place` sets.
    pub fn take(&mut self, place: &Place, page: &Page) {
        for cookie in page.all("set-cookie").filter_map(Cookie::parse) {
            let key = (place.authority.host().to_owned(), cookie.path.clone(), cookie.name.clone());
            if cookie.is_deletion {
                self.cookies.remove(&key);
            } else if self.cookies.len() < COOKIES_MAX || self.cookies.contains_key(&key) {
                self.cookies.insert(key, cookie);
            }
        }
    }

    /// All that the host of `place` has given, whatever path it is for: for a client that sends the same header everywhere.
    pub fn whole(&self, place: &Place) -> Option<String> {
        self.written(place, |_| true)
    }

    /// The `Cookie` header for a request to `place`; `None` if there is nothing to send.
    pub fn header(&self, place: &Place) -> Option<String> {
        self.written(place, |path| covers(path, place.url.path()))
    }

    fn written(&self, place: &Place, holds: impl Fn(&str) -> bool) -> Option<String> {
        let is_https = place.url.scheme() == "https";
        let sent = self.cookies.iter().filter(|((host, path, _), cookie)| {
            host == place.authority.host() && holds(path) && (is_https || !cookie.is_secure)
        });
        let sent: Vec<String> = sent.map(|(_, cookie)| format!("{}={}", cookie.name, cookie.value)).collect();
        (!sent.is_empty()).then(|| sent.join("; "))
    }
}

/// RFC 6265 §5.1.4.
fn covers(path: &str, asked: &str) -> bool {
    asked
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || path.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::web::page::tests::{https, page};

    fn found(page: &Page) -> Vec<&'static str> {
        judge(page).into_iter().map(|remark| remark.rule.id).collect()
    }

    #[test]
    fn each_missing_attribute_is_told_and_a_good_cookie_is_not() {
        let all = [
            ("s=1; Secure; HttpOnly; SameSite=Lax", vec![]),
            ("s=1", vec!["cookie-secure-missing", "cookie-httponly-missing", "cookie-samesite-missing"]),
            ("s=1; HttpOnly; SameSite=None", vec!["cookie-secure-missing", "cookie-samesite-none-insecure"]),
            ("XSRF-TOKEN=1; Secure; SameSite=Strict", vec![]),
            ("s=; Max-Age=0", vec![]),
            ("s=; expires=Thu, 01 Jan 1970 00:00:00 GMT", vec![]),
            ("nonsense", vec![]),
        ];
        for (cookie, expected) in all {
            assert_eq!(found(&https(page(200, &[("set-cookie", cookie)], ""))), expected, "{cookie}");
        }
        // Over plain http, Secure would lose the cookie.
        assert_eq!(
            found(&page(200, &[("set-cookie", "s=1; HttpOnly; SameSite=Lax")], "")),
            Vec::<&str>::new()
        );
    }

    #[test]
    fn a_cookies_value_is_in_no_finding() {
        let told = judge(&page(200, &[("set-cookie", "s=wonderland")], ""));
        assert!(!told.is_empty() && !format!("{told:?}").contains("\"s=wonderland"), "{told:?}");
        assert!(told.iter().all(|remark| !remark.evidence.as_ref().unwrap().contains("wonderland")));
    }

    #[test]
    fn a_jar_sends_back_what_belongs_there() {
        let mut jar = Jar::default();
        let place = |text: &str| Place::parse(text).unwrap();
        let cookies =
            [("set-cookie", "a=1"), ("set-cookie", "b=2; Path=/admin"), ("set-cookie", "c=3; Secure")];
        jar.take(&place("http://shop/login"), &page(200, &cookies, ""));
        assert_eq!(jar.header(&place("http://shop/")).unwrap(), "a=1");
        assert_eq!(jar.header(&place("http://shop/admin/x")).unwrap(), "a=1; b=2");
        assert_eq!(jar.header(&place("http://shop/administrator")).unwrap(), "a=1");
        assert_eq!(jar.header(&place("https://shop/")).unwrap(), "a=1; c=3");
        assert_eq!(jar.header(&place("http://other/")), None);
        assert_eq!(jar.whole(&place("http://shop/")).unwrap(), "a=1; b=2");
        assert_eq!(jar.whole(&place("https://shop/")).unwrap(), "a=1; c=3; b=2");
        jar.take(&place("http://shop/"), &page(200, &[("set-cookie", "a=; Max-Age=0")], ""));
        assert_eq!(jar.header(&place("http://shop/")), None);
    }
}
