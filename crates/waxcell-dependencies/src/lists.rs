//! `requirements.txt`, as pip reads it.
//!
//! Source: pip, *Requirements File Format*.

use crate::requirement::Requirement;
use crate::wanted::{Ask, Wanted};

/// Options that say where or how something is fetched, and ask for nothing.
const SILENT: [&str; 15] = [
    "-i",
    "--index-url",
    "--pypi-url",
    "--extra-index-url",
    "--no-index",
    "-f",
    "--find-links",
    "--no-binary",
    "--only-binary",
    "--prefer-binary",
    "--require-hashes",
    "--pre",
    "--trusted-host",
    "--use-feature",
    "--all-releases",
];

/// What a list of requirements asks for.
pub fn requirements(text: &str) -> Vec<Wanted> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    joined(text).into_iter().filter_map(|(line, text)| Some(Wanted { line, ask: ask(&text)? })).collect()
}

/// Lines without comments, each with those that it goes on in, and the number of the first.
fn joined(text: &str) -> Vec<(usize, String)> {
    let (mut lines, mut open) = (Vec::new(), None::<(usize, String)>);
    for (at, line) in text.lines().enumerate() {
        let is_comment = line.trim_start().starts_with('#');
        let (number, mut before) = open.take().unwrap_or((at + 1, String::new()));
        match line.strip_suffix('\\') {
            Some(more) if !is_comment => open = Some((number, before + more)),
            _ => {
                if !is_comment {
                    before += line;
                }
                lines.push((number, before));
            }
        }
    }
    lines.extend(open);
    for (_, line) in &mut lines {
        let comment =
            line.match_indices('#').find(|(at, _)| *at == 0 || line[..*at].ends_with(char::is_whitespace));
        if let Some((at, _)) = comment {
            line.truncate(at);
        }
    }
    lines
}

fn ask(line: &str) -> Option<Ask> {
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    let (word, rest) =
        line.split_once(|letter: char| letter.is_whitespace() || letter == '=').unwrap_or((line, ""));
    let rest = rest.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '=').trim_end();
    let unknown = |why: &str| Some(Ask::Unknown(line.to_owned(), why.to_owned()));
    if line.contains("${") {
        return unknown("it depends on a variable of the environment");
    }
    match word {
        "-r" | "--requirement" => Some(Ask::File(rest.to_owned())),
        "-c" | "--constraint" => Some(Ask::Constraints(rest.to_owned())),
        "-e" | "--editable" => unknown("it is a folder or a repository, not a version"),
        word if SILENT.contains(&word) => None,
        word if word.starts_with("-r") => Some(Ask::File(line[2..].to_owned())),
        word if word.starts_with("-c") => Some(Ask::Constraints(line[2..].to_owned())),
        word if word.starts_with('-') => unknown("it is an option that is not known here"),
        _ => {
            // Options of a requirement stand behind it: `--hash`, `--config-settings`.
            let end =
                [" --", "\t--"].iter().filter_map(|option| line.find(option)).min().unwrap_or(line.len());
            match Requirement::parse(&line[..end]) {
                Some(requirement) => Some(Ask::Requirement(requirement)),
                None if line.contains("://") || line.contains('/') || line.starts_with('.') => {
                    unknown("it is a file or a URL, not a version")
                }
                None => unknown("it is no requirement"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::requirements;
    use crate::Ask;

    #[test]
    fn lists_are_read_as_pip_reads_them() {
        let list = "\u{feff}# comment\r\n-r base.txt\n--requirement=more.txt # why\n-c limits.txt\n-i https://example.com/simple\n\
            --pre\n\nsprocket == 1.0 \\\n  --hash=sha256:00 \\\n  --hash=sha256:01\ngear-box[fast]>=2 ; os_name == 'posix'  # note\n\
            -e ./here\n./wheel.whl\nhttps://example.com/a#egg=b\n\"${SECRET}\"\nnot a requirement\n--new-option\nlast \\";
        let read: Vec<(usize, String)> = requirements(list)
            .into_iter()
            .map(|wanted| {
                let text = match wanted.ask {
                    Ask::Requirement(one) => format!("{} {}", one.name, one.specifiers),
                    Ask::File(path) => format!("file {path}"),
                    Ask::Constraints(path) => format!("limits {path}"),
                    Ask::Unknown(text, _) => format!("? {text}"),
                    Ask::Locked(name, version) => format!("{name} is {version}"),
                };
                (wanted.line, text)
            })
            .collect();
        let expected = [
            (2, "file base.txt"),
            (3, "file more.txt"),
            (4, "limits limits.txt"),
            (8, "sprocket ==1.0"),
            (11, "gear-box >=2"),
            (12, "? -e ./here"),
            (13, "? ./wheel.whl"),
            (14, "? https://example.com/a#egg=b"),
            (15, "? \"${SECRET}\""),
            (16, "? not a requirement"),
            (17, "? --new-option"),
            (18, "last "),
        ];
        assert_eq!(read, expected.map(|(line, text)| (line, text.to_owned())));
    }
}
