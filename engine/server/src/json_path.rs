//! Where in a JSON text something stands, as a path such as `sub_orders[1].amount`.

/// An object or a list that is open at some place of the text.
enum Open<'a> {
    Object { key: Option<&'a [u8]>, expects_key: bool },
    List { index: usize },
}

/// The path of the value at `line` and `column` (as `serde_json` counts them), empty for the whole.
///
/// Only called when something was refused; the text may be anything.
#[must_use]
pub fn path_at(text: &[u8], line: usize, column: usize) -> String {
    let end = offset(text, line, column);
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut at = 0;
    while at < end {
        match text[at] {
            b'"' => {
                let close = string_end(text, at);
                if let Some(Open::Object { key, expects_key: expects_key @ true }) = open.last_mut() {
                    *key = Some(&text[at + 1..close]);
                    *expects_key = false;
                }
                at = close;
            }
            b'{' => open.push(Open::Object { key: None, expects_key: true }),
            b'[' => open.push(Open::List { index: 0 }),
            b'}' | b']' => drop(open.pop()),
            b',' => match open.last_mut() {
                Some(Open::Object { expects_key, .. }) => *expects_key = true,
                Some(Open::List { index }) => *index += 1,
                None => {}
            },
            _ => {}
        }
        at += 1;
    }
    write(&open)
}

fn write(open: &[Open<'_>]) -> String {
    let mut path = String::new();
    for step in open {
        match step {
            Open::Object { key: Some(key), .. } => {
                if !path.is_empty() {
                    path.push('.');
                }
                // A key of any length may stand there; the path is for people.
                path.extend(String::from_utf8_lossy(key).chars().take(64));
            }
            Open::Object { key: None, .. } => {}
            Open::List { index } => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

fn offset(text: &[u8], line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        match text[start..].iter().position(|byte| *byte == b'\n') {
            Some(length) => start += length + 1,
            None => return text.len(),
        }
    }
    start.saturating_add(column).min(text.len())
}

/// Where the string that begins at `start` ends: its closing quote, or the end of the text.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 1,
            b'"' => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::body::read_json;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the way to it is read")]
    struct Cart {
        title: String,
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the way to it is read")]
    struct Line {
        amount: String,
        #[serde(default)]
        note: Option<String>,
    }

    #[test]
    fn errors_name_the_field() {
        let table = [
            // text, code, field
            (r#"{"title": 5, "lines": []}"#, "invalid_field", "title"),
            (r#"{"title": "a"}"#, "missing_field", "lines"),
            (r#"{"title": "a", "lines": [], "more": 1}"#, "invalid_field", "more"),
            (r#"{"title": "a", "lines": [{"amount": 1.5}]}"#, "invalid_field", "lines[0].amount"),
            (
                r#"{"title": "a", "lines": [{"amount": "1"}, {"note": "x"}]}"#,
                "missing_field",
                "lines[1].amount",
            ),
            (
                r#"{"title": "a\"{[,", "lines": [{"amount": "1", "nope": {}}]}"#,
                "invalid_field",
                "lines[0].nope",
            ),
            (
                "{\n  \"title\": \"a\",\n  \"lines\": [\n    {\"amount\": []}]}",
                "invalid_field",
                "lines[0].amount",
            ),
            (r#"{"title": "a", "lines": {}}"#, "invalid_field", "lines"),
            (" [1, 2]", "invalid_field", ""),
            (r#"{"title": "#, "malformed", ""),
            (r#"{"title": "a", "lines": []} x"#, "malformed", ""),
            ("", "malformed", ""),
            ("\u{0}", "malformed", ""),
        ];
        for (text, code, field) in table {
            let problem = read_json::<Cart>(text.as_bytes()).expect_err(text);
            assert_eq!((problem.code(), problem.field()), (code, field), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_and_any_place_give_a_path(
            text in proptest::collection::vec(any::<u8>(), 0..200), line in 0_usize..9, column in 0_usize..300,
        ) {
            let _ = path_at(&text, line, column);
            let _ = read_json::<Cart>(&text);
        }
    }
}
