//! Workflow commands of GitHub Actions, which become annotations of a change.
//!
//! Source: "Workflow commands for GitHub Actions", *Setting a notice, warning, error message*.

use waxcell_analysis::Severity;

use super::Checked;
use super::text::summary;
use crate::edge;

pub(super) fn render(checked: &[Checked]) -> String {
    let mut text = String::new();
    for file in checked {
        let path = property(&file.path.to_string_lossy());
        if let Some(why) = &file.unread {
            text += &format!("::error file={path},title=unread::{}\n", message(why));
        }
        for told in file.new_findings() {
            let finding = &told.finding;
            let level = match finding.severity {
                Severity::High => "error",
                Severity::Medium => "warning",
                Severity::Low => "notice",
            };
            let (line, column) = (finding.span.line, finding.span.column);
            let said = message(&format!("{}; {}", finding.message, finding.help));
            text +=
                &format!("::{level} file={path},line={line},col={column},title={}::{said}\n", finding.rule);
        }
    }
    text + &summary(checked)
}

pub(super) fn message(text: &str) -> String {
    let lines = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    // A log is shown on terminals as well.
    edge::printable(&lines)
}

pub(super) fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::property;

    #[test]
    fn nothing_in_a_name_is_taken_for_a_command() {
        assert_eq!(property("a,b:c%\n::error::x"), "a%2Cb%3Ac%25%0A%3A%3Aerror%3A%3Ax");
    }
}
