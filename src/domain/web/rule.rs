//! What our own looks at a running target can say of it: one table, by name, with how much each matters.

use url::Url;

use crate::domain::finding::{Exchange, Finding, Location, MESSAGE_BYTES_MAX, clean_text};
use crate::domain::ids::ToolName;
use crate::domain::severity::Severity;

/// Longest piece of an answer that is kept as evidence, in bytes: enough to know it by, too short to copy a secret whole.
pub const EVIDENCE_BYTES_MAX: usize = 200;

/// A rule. Its id is what people write in filters, so it is never changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    pub id: &'static str,
    pub severity: Severity,
    /// Ascending.
    pub cwe: &'static [u32],
    pub help: &'static str,
}

macro_rules! rules {
    ($($name:ident = $id:literal, $severity:ident, [$($cwe:literal),*], $help:literal;)*) => {
        $(pub const $name: Rule = Rule {
            id: $id, severity: Severity::$severity, cwe: &[$($cwe),*], help: $help,
        };)*
        /// All of them.
        pub const ALL: &[Rule] = &[$($name),*];
    };
}

rules! {
    CSP_MISSING = "csp-missing", Medium, [693], "https://developer.mozilla.org/docs/Web/HTTP/CSP";
    CSP_UNSAFE = "csp-unsafe", Low, [693], "https://developer.mozilla.org/docs/Web/HTTP/CSP";
    FRAMEABLE = "frame-protection-missing", Medium, [1021], "https://developer.mozilla.org/docs/Web/HTTP/Headers/X-Frame-Options";
    NOSNIFF_MISSING = "nosniff-missing", Low, [693], "https://developer.mozilla.org/docs/Web/HTTP/Headers/X-Content-Type-Options";
    REFERRER_POLICY_MISSING = "referrer-policy-missing", Info, [200], "https://developer.mozilla.org/docs/Web/HTTP/Headers/Referrer-Policy";
    REFERRER_POLICY_UNSAFE = "referrer-policy-unsafe", Low, [200], "https://developer.mozilla.org/docs/Web/HTTP/Headers/Referrer-Policy";
    HSTS_MISSING = "hsts-missing", Low, [319], "https://developer.mozilla.org/docs/Web/HTTP/Headers/Strict-Transport-Security";
    HSTS_SHORT = "hsts-short", Info, [319], "https://developer.mozilla.org/docs/Web/HTTP/Headers/Strict-Transport-Security";
    VERSION_TOLD = "version-told", Info, [497], "https://owasp.org/www-project-secure-headers/";
    CORS_CREDENTIALS = "cors-any-origin-with-credentials", High, [942], "https://developer.mozilla.org/docs/Web/HTTP/CORS";
    CORS_NULL = "cors-null-origin-with-credentials", High, [942], "https://developer.mozilla.org/docs/Web/HTTP/CORS";
    COOKIE_SECURE = "cookie-secure-missing", Medium, [614], "https://developer.mozilla.org/docs/Web/HTTP/Headers/Set-Cookie";
    COOKIE_HTTP_ONLY = "cookie-httponly-missing", Low, [1004], "https://developer.mozilla.org/docs/Web/HTTP/Headers/Set-Cookie";
    COOKIE_SAME_SITE = "cookie-samesite-missing", Low, [1275], "https://developer.mozilla.org/docs/Web/HTTP/Headers/Set-Cookie";
    COOKIE_SAME_SITE_NONE = "cookie-samesite-none-insecure", Low, [1275], "https://developer.mozilla.org/docs/Web/HTTP/Headers/Set-Cookie";
    NO_TLS = "no-tls", Medium, [319], "https://developer.mozilla.org/docs/Web/Security/Transport_Layer_Security";
    CERTIFICATE_EXPIRED = "certificate-expired", High, [298], "https://developer.mozilla.org/docs/Web/Security/Transport_Layer_Security";
    CERTIFICATE_EXPIRES_SOON = "certificate-expires-soon", Low, [298], "https://developer.mozilla.org/docs/Web/Security/Transport_Layer_Security";
    CERTIFICATE_NOT_YET_VALID = "certificate-not-yet-valid", High, [298], "https://developer.mozilla.org/docs/Web/Security/Transport_Layer_Security";
    CERTIFICATE_UNTRUSTED = "certificate-untrusted", Medium, [295], "https://developer.mozilla.org/docs/Web/Security/Transport_Layer_Security";
    CERTIFICATE_WRONG_NAME = "certificate-wrong-name", High, [297], "https://developer.mozilla.org/docs/Web/Security/Transport_Layer_Security";
    TRACE_ENABLED = "trace-enabled", Low, [693], "https://developer.mozilla.org/docs/Web/HTTP/Methods/TRACE";
    ERROR_DETAILS = "error-details-told", Medium, [209], "https://cheatsheetseries.owasp.org/cheatsheets/Error_Handling_Cheat_Sheet.html";
    DIRECTORY_LISTING = "directory-listing", Low, [548], "https://owasp.org/www-project-web-security-testing-guide/";
    REPOSITORY_EXPOSED = "repository-exposed", High, [527], "https://owasp.org/www-project-web-security-testing-guide/";
    SECRETS_EXPOSED = "secrets-exposed", Critical, [538], "https://owasp.org/www-project-web-security-testing-guide/";
    BACKUP_EXPOSED = "backup-exposed", High, [530], "https://owasp.org/www-project-web-security-testing-guide/";
    CONFIGURATION_EXPOSED = "configuration-exposed", Medium, [538], "https://owasp.org/www-project-web-security-testing-guide/";
    STATUS_EXPOSED = "status-page-exposed", Medium, [497], "https://owasp.org/www-project-web-security-testing-guide/";
    DEBUG_EXPOSED = "debug-interface-exposed", High, [489], "https://owasp.org/www-project-web-security-testing-guide/";
    ADMIN_OPEN = "admin-without-login", Medium, [306], "https://owasp.org/www-project-web-security-testing-guide/";
    SERVER_ERROR = "server-error", Medium, [755], "https://developer.mozilla.org/docs/Web/HTTP/Status/500";
    EXPECTATION_FAILED = "expectation-failed", Medium, [], "https://developer.mozilla.org/docs/Web/HTTP/Status";
    UNDOCUMENTED_STATUS = "undocumented-status", Low, [], "https://spec.openapis.org/oas/latest.html";
    AUTHENTICATION_MISSING = "authentication-missing", High, [306], "https://spec.openapis.org/oas/latest.html";
}

/// Something that was seen of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    pub rule: &'static Rule,
    pub url: Url,
    pub method: String,
    /// The header, cookie or parameter that it is about.
    pub param: Option<String>,
    /// What was sent in it.
    pub attack: Option<String>,
    /// The part of the answer that shows it.
    pub evidence: Option<String>,
    pub message: String,
}

impl Remark {
    /// Of an answer to a GET.
    pub fn new(rule: &'static Rule, url: &Url, message: impl Into<String>) -> Self {
        let (url, method, message) = (url.clone(), "GET".to_owned(), message.into());
        Self { rule, url, method, param: None, attack: None, evidence: None, message }
    }

    #[must_use]
    pub fn about(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    #[must_use]
    pub fn shown_by(mut self, evidence: impl Into<String>) -> Self {
        self.evidence = Some(evidence.into());
        self
    }

    #[must_use]
    pub fn by_method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    #[must_use]
    pub fn after_sending(mut self, attack: impl Into<String>) -> Self {
        self.attack = Some(attack.into());
        self
    }

    pub fn into_finding(self, tool: &ToolName) -> Finding {
        let short = |text: String| clean_text(&text, EVIDENCE_BYTES_MAX);
        Finding {
            tool: tool.clone(),
            rule: self.rule.id.to_owned(),
            severity: self.rule.severity,
            message: clean_text(&self.message, MESSAGE_BYTES_MAX),
            location: Location { path: self.url.to_string(), region: None },
            cwe: self.rule.cwe.to_vec(),
            help: Some(self.rule.help.to_owned()),
            fingerprint: String::new(),
            web: Some(Exchange {
                method: self.method,
                param: self.param.map(short),
                attack: self.attack.map(short),
                evidence: self.evidence.map(short),
                confidence: None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_an_id_of_its_own_and_ascending_weaknesses() {
        let ids: std::collections::BTreeSet<&str> = ALL.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), ALL.len());
        assert!(ALL.iter().all(|rule| rule.cwe.is_sorted() && rule.help.starts_with("https://")));
    }

    #[test]
    fn what_a_target_sent_is_short_and_clean_in_a_finding() {
        let url = Url::parse("http://a/").unwrap();
        let remark = Remark::new(&CSP_MISSING, &url, "m\u{1b}").shown_by("x\u{202e}".repeat(1000));
        let finding = remark.into_finding(&ToolName("t".into()));
        let evidence = finding.web.unwrap().evidence.unwrap();
        assert_eq!((finding.message.as_str(), evidence.as_str()), ("m", &*"x".repeat(EVIDENCE_BYTES_MAX)));
    }
}
