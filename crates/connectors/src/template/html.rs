//! HTML from finished text: everything is escaped, then paragraphs, lists, line breaks and links are put around it.

/// Lines at least this long may have been wrapped by the author; shorter ones break where they break.
const WRAPPED_CHARS: usize = 60;

/// A whole document.
pub(super) fn from_text(text: &str) -> String {
    let mut out = String::from("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body>\n");
    for block in text.trim_end().split("\n\n") {
        push_block(&mut out, block.trim_matches('\n'));
    }
    out.push_str("</body></html>\n");
    out
}

fn push_block(out: &mut String, block: &str) {
    let lines: Vec<&str> = block.lines().collect();
    if lines.is_empty() {
        return;
    }
    if lines.iter().all(|line| line.starts_with("    ")) {
        let table: Vec<String> = lines.iter().map(|line| escape(&line[4..])).collect();
        out.push_str("<pre>");
        out.push_str(&table.join("\n"));
        out.push_str("</pre>\n");
        return;
    }
    let mut rest = lines.as_slice();
    while !rest.is_empty() {
        let is_item = rest[0].starts_with("- ");
        let count = rest.iter().take_while(|line| line.starts_with("- ") == is_item).count();
        let (now, later) = rest.split_at(count);
        if is_item {
            push_list(out, now);
        } else {
            push_paragraph(out, now);
        }
        rest = later;
    }
}

fn push_list(out: &mut String, lines: &[&str]) {
    out.push_str("<ul>");
    for line in lines {
        out.push_str("<li>");
        out.push_str(&linked(&line[2..]));
        out.push_str("</li>");
    }
    out.push_str("</ul>\n");
}

fn push_paragraph(out: &mut String, lines: &[&str]) {
    out.push_str("<p>");
    for (i, line) in lines.iter().enumerate() {
        out.push_str(&linked(line));
        if i + 1 < lines.len() {
            out.push_str(if is_wrapped(line, lines[i + 1]) { " " } else { "<br>\n" });
        }
    }
    out.push_str("</p>\n");
}

/// Whether the author only wrapped the sentence here: a long line, and the next begins neither with a capital nor an address.
fn is_wrapped(line: &str, next: &str) -> bool {
    let first = next.split_whitespace().next().unwrap_or_default();
    let is_new = first.starts_with(char::is_uppercase) || first.contains('@') || first.contains("://");
    line.chars().count() >= WRAPPED_CHARS && !is_new
}

/// Escaped text in which whole words that are web addresses became links.
fn linked(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let bare = word.trim_end_matches(['.', ',', ';', ':', ')', '!', '?', '"', '\'', '>']);
        let is_link =
            ["https://", "http://"].iter().any(|scheme| bare.starts_with(scheme) && bare.len() > scheme.len());
        if is_link {
            format!("<a href=\"{0}\">{0}</a>{1}", escape(bare), escape(&word[bare.len()..]))
        } else {
            escape(word)
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
