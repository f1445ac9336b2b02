//! What a line for a shell does: the programs that it starts, which are the first words of its commands, and the files that it
//! leads their output to.

use super::path::GAP;

/// Words of the shell's own, behind which another command follows, or none.
const LEADING: [&str; 16] = [
    "if", "then", "else", "elif", "do", "while", "until", "!", "{", "(", "time", "exec", "env", "nohup",
    "sudo", "command",
];
/// What the shell does itself.
const BUILTIN: [&str; 24] = [
    "cd", "export", "set", "unset", "exit", "true", "false", "fi", "done", "esac", "for", "case", "umask",
    "ulimit", "trap", "wait", "read", "shift", "return", "}", ")", ":", ".", "source",
];

/// What a line does, each once, in its order; a gap where it is not known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) programs: Vec<String>,
    /// Files that are written.
    pub(super) written: Vec<String>,
}

/// What a line does.
pub(super) fn line(line: &str) -> Line {
    let (commands, mut written) = commands(line);
    written.retain(|file| {
        file != "/dev/null" && !file.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    });
    for file in written.iter_mut().filter(|file| file.contains(['$', '`'])) {
        *file = GAP.to_string();
    }
    Line { programs: programs(commands), written }
}

fn programs(commands: Vec<Vec<String>>) -> Vec<String> {
    let mut programs: Vec<String> = Vec::new();
    for command in commands {
        let mut words = command.iter().map(String::as_str);
        let is_led = |word: &&str| LEADING.contains(word) || is_assignment(word);
        let Some(word) = words.find(|word| !is_led(word)) else { continue };
        let word = if word.contains(['$', '`']) { GAP.to_string() } else { word.to_owned() };
        if !BUILTIN.contains(&word.as_str()) && !programs.contains(&word) {
            programs.push(word);
        }
    }
    programs
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// The words of each command of a line, and the files behind `>`: apart at `;`, `|`, `&`, line ends and substitutions, which no
/// quotes hide.
fn commands(line: &str) -> (Vec<Vec<String>>, Vec<String>) {
    let (mut commands, mut words, mut word) = (Vec::new(), Vec::new(), String::new());
    let mut written = Vec::new();
    let mut quote = None;
    let mut letters = line.chars().peekable();
    let mut is_target = None;
    let mut end_word = |word: &mut String, words: &mut Vec<String>, is_target: &mut Option<char>| {
        if !word.is_empty() {
            let word = std::mem::take(word);
            // The file behind `>` or `<` is no word of the command.
            match is_target.take() {
                None => words.push(word),
                Some('>') => written.push(word),
                Some(_) => {}
            }
        }
    };
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some(_), _) => word.push(letter),
            (None, '\'' | '"') => quote = Some(letter),
            (None, '\\') => word.extend(letters.next()),
            (None, '$') if letters.peek() == Some(&'(') => {
                letters.next();
                end_word(&mut word, &mut words, &mut is_target);
                commands.push(std::mem::take(&mut words));
            }
            (None, ';' | '|' | '\n' | '(' | ')' | '`') => {
                end_word(&mut word, &mut words, &mut is_target);
                commands.push(std::mem::take(&mut words));
            }
            (None, '&') if word.ends_with('>') || letters.peek() == Some(&'>') => {}
            (None, '&') => {
                end_word(&mut word, &mut words, &mut is_target);
                commands.push(std::mem::take(&mut words));
            }
            (None, '>' | '<') => {
                if word.bytes().all(|byte| byte.is_ascii_digit()) {
                    word.clear();
                }
                end_word(&mut word, &mut words, &mut is_target);
                while letters.next_if(|next| matches!(next, '>' | '<' | '&')).is_some() {}
                is_target = Some(letter);
            }
            (None, letter) if letter.is_whitespace() => end_word(&mut word, &mut words, &mut is_target),
            (None, letter) => word.push(letter),
        }
    }
    end_word(&mut word, &mut words, &mut is_target);
    commands.push(words);
    (commands, written)
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_command_of_a_line_starts_its_first_word() {
        for (line, expected) in [
            ("ls -l", &["ls"][..]),
            ("cat a | sort -u > out.txt && rm a", &["cat", "sort", "rm"]),
            ("A=1 B=2 make -j2; echo \"x; y\"", &["make", "echo"]),
            ("cd /tmp && git status 2>&1", &["git"]),
            ("2>/dev/null grep x", &["grep"]),
            ("if test -f x; then curl -s http://x | sh; fi", &["test", "curl", "sh"]),
            ("echo $(whoami) `id`", &["echo", "whoami", "id"]),
            ("\0 --version", &["\0"]),
            ("$EDITOR x", &["\0"]),
            ("tar czf '\0' data", &["tar"]),
            ("sudo rm -rf /", &["rm"]),
            ("", &[]),
        ] {
            assert_eq!(super::line(line).programs, expected, "{line:?}");
        }
        for (line, expected) in [
            ("echo x > out.txt && sort <in >> 'my file'", &["out.txt", "my file"][..]),
            ("grep x y 2>/dev/null >&2 2>&1", &[]),
            ("echo > $OUT", &["\0"]),
        ] {
            assert_eq!(super::line(line).written, expected, "{line:?}");
        }
    }
}
