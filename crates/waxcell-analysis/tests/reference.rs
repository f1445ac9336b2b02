//! `docs/rules.md` is written from the registry of rules: `cargo test -p waxcell-analysis --test reference -- --ignored`.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::fmt::Write as _;
use std::path::Path;

use waxcell_analysis::{Options, RULES, Rule};

const HEAD: &str = "\
# Rules

Everything that analysis knows to say about a script. This page is written from the rules themselves, by
`cargo test -p waxcell-analysis --test reference -- --ignored`; each rule is one file below `crates/waxcell-analysis/src/rules/`, or
one row of a table there.

Each rule has a class, which says what kind of thing it tells and so what follows:

- *reading*: the script [cannot be read](#what-cannot-be-read) or analysed. It never runs, whatever a policy says.
- *threat*: attacks do this, and honest programs practically never.
- *dynamic*: code is run whose content cannot be known before.
- *capability*: the script can reach something that is worth knowing before it runs; some honest programs do.
- *hygiene*: it would be better done otherwise; honest programs do it all the time. All rules of Bandit are of this class.

What follows from findings of a class is for the [policy](policy.md#analysis) to say. Rules whose ids begin with `B` have the
ids, names, severities and confidences of [Bandit](https://pypi.org/project/bandit/) 1.9.4, and find the same on the same lines. The
others see what Bandit does not: names are followed through scopes, imports, aliases and simple functions, texts that are put
together or decoded are known, and such a text that is run as code is judged like a script of its own
([decision 0030](decisions/0030-names-and-texts-are-followed-without-running.md)). What is found in it is told where it is run.

*Severity* is how bad it is if it is true, *confidence* how likely it is to be true. Single findings of a rule may be milder or less
sure than the table says.
";

const COMMENTS: &str = "\
## Comments in a script

`# nosec` silences every rule, `# nosec B602, B607` or `# nosec: assert_used` those that it names, by id or by name. Such a comment
counts on the line of a finding and on every line of what the finding is about: a call, a statement, a function, of a string what
it stands in. Of several comments there, the first counts, together with the one on the line itself. A comment that names no rule
that exists silences all of them. What cannot be read is never silenced.

A profile decides whether anybody listens to them. For a script that is going to be run, nobody should: its author must not
silence who judges it.
";

const DIFFERENCES: &str = "\
## Where this differs from Bandit

On purpose, beside what is said above of single rules:

- A file that cannot be read is a finding that blocks. Bandit leaves it out and ends with success.
- Of `# nosec B101,B102`, without a blank, both ids count. Bandit reads only the last.
- A comment on the line of a finding counts for every rule. Bandit looks there only for rules that name an argument's line; for
  the others, a comment on an earlier line of the same statement hides it.
- Where Bandit crashes inside a rule and says nothing of the place, the rule goes on.
- At most 10,000 findings of one rule are told of one script, and names of more than 1,000 bytes stand for nothing.

Messages are our own, and never show the value of what looks like a password.

Where a piece of an f-string begins depends on the version of Python that the script is for, as with Bandit on that of the Python
that it runs on. Of what Bandit finds on its own examples and on the standard library, run fresh, the tests hold that at least
0.99 and 0.97 are found here, and that as much of what is found here is found by Bandit
([bandit.rs](../crates/waxcell-analysis/tests/bandit.rs)).
";

fn reference() -> String {
    let mut page = HEAD.to_owned();
    let (unreadable, others): (Vec<&Rule>, Vec<&Rule>) = RULES.iter().partition(|rule| rule.blocks());
    // What is found outside of the script has no example.
    let (elsewhere, hygiene): (Vec<&Rule>, Vec<&Rule>) =
        others.into_iter().partition(|rule| rule.fires.is_empty());
    page += "\n| rule | name | class | severity | confidence | what it means |\n|---|---|---|---|---|---|\n";
    for rule in &hygiene {
        let Rule { id, name, class, severity, confidence, summary, .. } = rule;
        let anchor = title(rule).replace(' ', "-").to_lowercase();
        writeln!(page, "| [{id}](#{anchor}) | `{name}` | {class} | {severity} | {confidence} | {summary} |")
            .unwrap();
    }
    page += "\n## What cannot be read\n\nOf high severity and confidence, all of them.\n\n";
    page += "| rule | what it means | what to do |\n|---|---|---|\n";
    for rule in unreadable {
        writeln!(page, "| `{}` | {} | {} |", rule.id, rule.summary, rule.help).unwrap();
    }
    page += "\n## What is known of dependencies\n\nBy `waxcell check --osv-db`, and by the gate of `run` where the policy names a database ([dependencies.md](dependencies.md)).\n\n";
    page += "| rule | what it means | what to do |\n|---|---|---|\n";
    for rule in elsewhere {
        writeln!(page, "| `{}` | {}. {} | {} |", rule.id, rule.summary, rule.why, rule.help).unwrap();
    }
    page += "\n## The rules\n";
    hygiene.iter().for_each(|rule| page += &section(rule));
    page += "\n## Options\n\nWhat can be set, with the keys of Bandit's configuration, and what it is unless it is set.\n\n";
    page += &options();
    page + "\n" + COMMENTS + "\n" + DIFFERENCES
}

/// The id, and the name where that is another one.
fn title(rule: &Rule) -> String {
    if rule.id == rule.name { rule.id.to_owned() } else { format!("{} {}", rule.id, rule.name) }
}

fn section(rule: &Rule) -> String {
    let Rule { summary, why, help, cwe, .. } = rule;
    let mut text = format!("\n### {}\n\nFinds: {summary}. {why} What to do: {help}.", title(rule));
    if *cwe > 0 {
        write!(text, " ([CWE-{cwe}](https://cwe.mitre.org/data/definitions/{cwe}.html))").unwrap();
    }
    let shown = |script: &str| script.replace(|c: char| !c.is_ascii(), "\u{fffd}");
    write!(
        text,
        "\n\n```python\n{}```\n\nand not\n\n```python\n{}```\n",
        shown(rule.fires),
        shown(rule.silent)
    )
    .unwrap();
    if let Some(differs) = rule.differs {
        write!(text, "\nThe difference: {differs}\n").unwrap();
    }
    text
}

fn options() -> String {
    let mut table = "| key | default |\n|---|---|\n".to_owned();
    let options = serde_json::to_value(Options::default()).unwrap();
    for (rule, keys) in options.as_object().unwrap() {
        for (key, value) in keys.as_object().unwrap() {
            let value = value.to_string().replace(',', ", ");
            writeln!(table, "| `{rule}.{key}` | `{value}` |").unwrap();
        }
    }
    table
}

fn page() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules.md")
}

#[test]
fn the_page_is_what_the_rules_say() {
    let there = std::fs::read_to_string(page()).unwrap();
    assert!(
        there == reference(),
        "docs/rules.md is not what the rules say; write it anew as it says at its top"
    );
}

#[test]
#[ignore = "writes the page anew"]
fn write_the_page() {
    std::fs::write(page(), reference()).unwrap();
}
