//! What a script says about its own dependencies, in a comment.
//!
//! Source: packaging specifications, *Inline script metadata* (PEP 723).

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::requirement::Requirement;
use crate::specifier::Specifiers;
use crate::wanted::{Ask, Wanted};

/// The block of a script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// What it asks for.
    pub wanted: Vec<Wanted>,
    /// For which versions of Python the script is made, as it is written, and on which line.
    pub python: Option<(usize, Specifiers)>,
}

/// Reads the block of a script, if it has one. An error says on which line what is wrong.
pub fn block(script: &str) -> Result<Option<Block>, (usize, String)> {
    let lines: Vec<&str> = script.lines().collect();
    let mut found = None;
    let mut at = 0;
    while at < lines.len() {
        let start = at;
        at += 1;
        let Some(kind) = lines[start].strip_prefix("# /// ") else { continue };
        if kind.is_empty() || !kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            continue;
        }
        let is_content = |line: &&&str| **line == "#" || line.starts_with("# ");
        let length = lines[at..].iter().take_while(is_content).count();
        // The last of the closing lines closes it, and there has to be something in it. Without one there is none for
        // what begins further down in the same comment either.
        let closing = lines[at..at + length].iter().rposition(|line| *line == "# ///");
        let Some(end) = closing.filter(|end| *end > 0) else {
            at += length;
            continue;
        };
        if kind == "script" {
            if found.is_some() {
                return Err((start + 1, "a script has only one block `script`".to_owned()));
            }
            let content: Vec<&str> =
                lines[at..at + end].iter().map(|line| line.get(2..).unwrap_or("")).collect();
            found = Some((start + 2, content.join("\n")));
        }
        at += end + 1;
    }
    found.map(|(first, content)| read(first, &content)).transpose()
}

/// `first` is the line on which the content begins.
fn read(first: usize, content: &str) -> Result<Block, (usize, String)> {
    let line = |offset: usize| {
        first + content.as_bytes()[..offset.min(content.len())].iter().filter(|byte| **byte == b'\n').count()
    };
    let table = DeTable::parse(content).map_err(|error| {
        let at = error.span().map_or(first, |span| line(span.start));
        (at, format!("the block `script` is no TOML: {}", error.message()))
    })?;
    let mut block = Block::default();
    if let Some(python) = table.get_ref().get("requires-python") {
        let at = line(python.span().start);
        let specifiers = python.get_ref().as_str().and_then(Specifiers::parse);
        block.python =
            Some((at, specifiers.ok_or((at, "`requires-python` is no list of versions".to_owned()))?));
    }
    if let Some(dependencies) = table.get_ref().get("dependencies") {
        let at = line(dependencies.span().start);
        let DeValue::Array(dependencies) = dependencies.get_ref() else {
            return Err((at, "`dependencies` is no list".to_owned()));
        };
        let ask = |one: &Spanned<DeValue<'_>>| {
            let line = line(one.span().start);
            let text = one.get_ref().as_str().ok_or((line, "a dependency is a text".to_owned()))?;
            let requirement = Requirement::parse(text);
            let unknown = || Ask::Unknown(text.to_owned(), "it is no requirement".to_owned());
            Ok(Wanted { line, ask: requirement.map_or_else(unknown, Ask::Requirement) })
        };
        block.wanted = dependencies.iter().map(ask).collect::<Result<_, _>>()?;
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::block;
    use crate::{Ask, Requirement};

    #[test]
    fn a_block_says_what_a_script_asks_for() {
        let script = "#!/usr/bin/env python3\n# /// other\n# x = 1\n# ///\n\n# /// script\n# requires-python = \">=3.11\"\n# dependencies = [\n\
            #   \"sprocket<3\",  # why\n#\n#   \"no requirement\",\n# ]\n# [tool.x]\n# text = '''\n# ///\n# '''\n# ///\nprint()\n";
        let block = block(script).unwrap().unwrap();
        let (line, python) = block.python.unwrap();
        assert_eq!((line, python.to_string().as_str()), (7, ">=3.11"));
        assert_eq!(block.wanted[0].line, 9);
        assert_eq!(block.wanted[0].ask, Ask::Requirement(Requirement::parse("sprocket<3").unwrap()));
        assert!(matches!(&block.wanted[1].ask, Ask::Unknown(text, _) if text == "no requirement"));
        assert_eq!((block.wanted[1].line, block.wanted.len()), (11, 2));
    }

    #[test]
    fn what_is_no_block_is_none_and_what_is_broken_an_error() {
        for none in [
            "",
            "# /// script\n# x = 1\n",
            "# /// script\n# ///\n",
            "#/// script\n# x\n# ///\n",
            "# /// a b\n# x\n# ///\n",
            "# /// script\n#x = 1\n# ///\n",
            " # /// script\n # x = 1\n # ///\n",
        ] {
            assert_eq!(block(none), Ok(None), "{none:?}");
        }
        assert_eq!(block(&"# /// script\n".repeat(200_000)), Ok(None));
        for (broken, line) in [
            ("# /// script\n# x = \n# ///\n", 2),
            ("# /// script\n# dependencies = 'x'\n# ///\n", 2),
            ("# /// script\n# dependencies = [\n#  1]\n# ///\n", 3),
            ("# /// script\n# requires-python = 'x'\n# ///\n", 2),
            ("# /// script\n# x = 1\n# ///\n\n# /// script\n# x = 1\n# ///\n", 5),
        ] {
            assert_eq!(block(broken).unwrap_err().0, line, "{broken:?}");
        }
    }
}
