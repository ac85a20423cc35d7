//! Where the statements of a script end, as far as quotes, comments and parentheses tell. Only a guess, for
//! PostgreSQL's parser has the last word: the body of BEGIN ATOMIC holds semicolons of its own.

/// The place behind the first semicolon that seems to end a statement and is not before `least`; the text's
/// length where there is none. The text begins outside of quotes and comments.
pub fn end_of_statement(text: &[u8], least: usize) -> usize {
    let mut at = 0;
    let mut depth = 0usize;
    while at < text.len() {
        match text[at] {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b';' if depth == 0 && at + 1 >= least => return at + 1,
            _ => {}
        }
        at += piece(text, at);
    }
    text.len()
}

/// The length of what begins at a place outside of quotes and comments: what is quoted, a comment, or else one byte.
pub fn piece(text: &[u8], at: usize) -> usize {
    let (before, rest) = text.split_at(at);
    match rest[0] {
        b'\'' => quoted(rest, escapes(before)),
        b'"' => quoted(rest, false),
        b'$' if !continues_word(before) => dollar_quoted(rest),
        b'-' if rest.starts_with(b"--") => line_comment(rest),
        b'/' if rest.starts_with(b"/*") => comment(rest),
        _ => 1,
    }
}

/// How far the first word is: blanks and comments come before it.
pub fn first_word(text: &[u8]) -> usize {
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        at += match rest[0] {
            // scan.l's space and newline.
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c' => 1,
            b'-' if rest.starts_with(b"--") => line_comment(rest),
            b'/' if rest.starts_with(b"/*") => comment(rest),
            _ => break,
        };
    }
    at
}

/// The length of a comment that ends with its line.
fn line_comment(text: &[u8]) -> usize {
    text.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(text.len())
}

/// The length of a comment in slashes and stars, which may hold others.
fn comment(text: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of what stands in quotes; a doubled quote inside looks like two of them, which is as good.
fn quoted(text: &[u8], escapes: bool) -> usize {
    let mut at = 1;
    while at < text.len() {
        if text[at] == text[0] {
            return at + 1;
        }
        at += if escapes && text[at] == b'\\' { 2 } else { 1 };
    }
    text.len()
}

/// The length of what stands between `$tag$` and its like; 1 where no such thing begins.
fn dollar_quoted(text: &[u8]) -> usize {
    let Some(tag) = text[1..].iter().position(|byte| !is_word(*byte) || *byte == b'$') else { return 1 };
    if text[1 + tag] != b'$' || text[1].is_ascii_digit() {
        return 1;
    }
    let (open, body) = text.split_at(tag + 2);
    let mut at = 0;
    while let Some(dollar) = body[at..].iter().position(|byte| *byte == b'$') {
        at += dollar;
        if body[at..].starts_with(open) {
            return open.len() + at + open.len();
        }
        at += 1;
    }
    text.len()
}

/// Whether a quote that follows this is one with escapes: `E'…'`.
fn escapes(before: &[u8]) -> bool {
    matches!(before, [.., b'e' | b'E']) && !continues_word(&before[..before.len() - 1])
}

fn continues_word(before: &[u8]) -> bool {
    before.last().is_some_and(|byte| is_word(*byte))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<&str> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (part, more) = rest.split_at(end_of_statement(rest.as_bytes(), 0));
            parts.push(part);
            rest = more;
        }
        parts
    }

    #[test]
    fn semicolons_that_end_a_statement() {
        assert_eq!(parts("a; b ;c"), ["a;", " b ;", "c"]);
        assert_eq!(parts("a (b; c); d"), ["a (b; c);", " d"]);
        assert_eq!(parts("';'';'; \";\"\";\"; x"), ["';'';';", " \";\"\";\";", " x"]);
        assert_eq!(parts(r"e'\';'; '\'; type'\'; x"), [r"e'\';';", r" '\';", r" type'\';", " x"]);
        assert_eq!(parts("$$;$$; $a$ $b$; $$ $a$; a$1$; x"), ["$$;$$;", " $a$ $b$; $$ $a$;", " a$1$;", " x"]);
        assert_eq!(parts("$1; $x; $"), ["$1;", " $x;", " $"]);
        assert_eq!(parts("-- ;\na; /* ; /* ; */ ; */ b; /*;"), ["-- ;\na;", " /* ; /* ; */ ; */ b;", " /*;"]);
        assert_eq!(parts("'; a"), ["'; a"]);
    }

    #[test]
    fn not_before() {
        assert_eq!(end_of_statement(b"a;b;c;d", 0), 2);
        assert_eq!(end_of_statement(b"a;b;c;d", 2), 2);
        assert_eq!(end_of_statement(b"a;b;c;d", 3), 4);
        assert_eq!(end_of_statement(b"a;b;c;d", 7), 7);
        assert_eq!(end_of_statement(b"", 0), 0);
    }

    #[test]
    fn words() {
        assert_eq!(first_word(b" \x0b-- a\n/* b /* c */ */d"), 22);
        assert_eq!(first_word(b"-- a"), 4);
        assert_eq!(first_word(b"-a"), 0);
    }

    proptest::proptest! {
        #[test]
        fn always_goes_forward(text: Vec<u8>, least in 0usize..20) {
            let end = end_of_statement(&text, least);
            proptest::prop_assert!(end <= text.len() && (end > 0 || text.is_empty()));
            proptest::prop_assert!(end == text.len() || (end >= least && text[end - 1] == b';'));
            proptest::prop_assert!(first_word(&text) <= text.len());
        }
    }
}
