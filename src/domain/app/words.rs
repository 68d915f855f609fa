//! Texts of compose files: variables in them, and commands as one line.

use std::collections::BTreeMap;

/// Puts variables in: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?message}`; `$$` is a dollar. One
/// that is not set is empty, as in Compose. Nothing of the daemon's own environment is looked at.
pub fn interpolate(text: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('{') {
            let end = inner.find('}').ok_or_else(|| format!("`${{` without `}}` in {text:?}"))?;
            out.push_str(&expand(&inner[..end], variables)?);
            rest = &inner[end + 1..];
        } else {
            let length = rest.find(|letter: char| !is_part(letter)).unwrap_or(rest.len());
            if length == 0 {
                return Err(format!("`$` without a name in {text:?}; write `$$` for a dollar"));
            }
            out.push_str(variables.get(&rest[..length]).map_or("", String::as_str));
            rest = &rest[length..];
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn is_part(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn expand(inner: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let length = inner.find(|letter: char| !is_part(letter)).unwrap_or(inner.len());
    let (name, rule) = inner.split_at(length);
    let set = variables.get(name);
    let filled = set.filter(|value| !value.is_empty());
    let missing = |why: &str| format!("the variable {name} is not set: {why}");
    if name.is_empty() {
        return Err(format!("`${{{inner}}}` names no variable"));
    }
    let (found, rest) = match rule.strip_prefix(':') {
        Some(rest) => (filled, rest),
        None => (set, rule),
    };
    match (rest.chars().next(), found) {
        (None, found) if rule.is_empty() => Ok(found.cloned().unwrap_or_default()),
        (Some('-'), found) => Ok(found.cloned().unwrap_or_else(|| rest[1..].to_owned())),
        (Some('?'), found) => found.cloned().ok_or_else(|| missing(&rest[1..])),
        (Some('+'), found) => Ok(found.map(|_| rest[1..].to_owned()).unwrap_or_default()),
        _ => Err(format!("`${{{inner}}}` is not understood")),
    }
}

/// A command line as words, as a shell would take it apart; nothing is expanded.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().extend(letters.next()),
            (Some(_), letter) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (None, letter) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(format!("a quote is not closed in {line:?}"));
    }
    words.extend(word);
    Ok(words)
}

/// A file of `NAME=value` lines, with comments; quotes around a value are taken off.
pub fn environment(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.strip_prefix("export ").unwrap_or(line).split_once('='));
    let unquoted = |value: &str| {
        let value = value.trim();
        let inner = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        inner.unwrap_or(value).to_owned()
    };
    pairs.map(|(name, value)| (name.trim().to_owned(), unquoted(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in() {
        let variables = environment("# c\nA=one\nexport EMPTY=\nQ = \"two words\"\nbroken\n");
        for (text, expected) in [
            ("$A/${A}s", "one/ones"),
            ("${Q}", "two words"),
            ("${NONE:-x:y}", "x:y"),
            ("${EMPTY:-x}|${EMPTY-x}", "x|"),
            ("${A:+set}", "set"),
            ("cost: 5$$", "cost: 5$"),
            ("${NONE}", ""),
        ] {
            assert_eq!(interpolate(text, &variables).as_deref(), Ok(expected), "{text}");
        }
        for text in ["${A", "$", "${}", "${NONE:?say it}", "${A!}"] {
            assert!(interpolate(text, &variables).is_err(), "{text}");
        }
    }

    #[test]
    fn a_line_is_taken_apart_as_a_shell_does() {
        let words = |line| split(line).unwrap();
        assert_eq!(words("python app.py --port 5000"), ["python", "app.py", "--port", "5000"]);
        assert_eq!(words(r#"sh -c "echo 'a b' \"c\"" ''"#), ["sh", "-c", r#"echo 'a b' "c""#, ""]);
        assert_eq!(words(r"a\ b '\'"), ["a b", r"\"]);
        assert!(split("a 'b").is_err());
    }
}
