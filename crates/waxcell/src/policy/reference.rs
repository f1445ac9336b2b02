//! The reference page of all keys, written out of the key table.

use super::keys::{KEYS, Key, Kind};
use super::model::Degradation;
use super::operations::{self, Blockable};
use super::starting_file::builtin_text;
use waxcell_operations::Operation;

const INTRODUCTION: &str = "\
# Policy reference

<!-- Written by `policy::reference()` from the table of keys; a test holds the two equal. Do not edit by hand. -->

A policy is one YAML file. It says what a script may do; the Linux kernel holds the script to it. Start with
`waxcell policy init`, check with `waxcell policy lint`, see what each line becomes on your host with
`waxcell policy explain`, and point your editor at the output of `waxcell policy schema`.

## Which file holds

The first of these: `--policy FILE`; the variable `WAXCELL_POLICY`; `security_policy.yml` in the project root of the
script, in its `config/`, in its `scripts/config/`; the same in the working directory, if that lies in the script's
project or above it; else the built-in strict default, which is at the end of this page.

The **project root** is the nearest folder above the policy file that holds `.git`, else the folder of the file itself,
where `config/` and `scripts/config/` count as their parent project. Without a policy file it is the nearest folder above
the script that holds `.git`, else the script's folder (the one above it if it is called `scripts` and a policy lies
there). `project_root: folder` does without looking for `.git`. It can never be `/`. Relative paths are relative to it,
and a script sees it read-only; a home directory, `/tmp` and the like are never shown whole.

## How it is read

- The keys stand at the top of the file, or all of them under `security:`; not both.
- A key that is left out has its default. A section may be empty, a single key may not.
- All problems of a file are told at once, each with its line, its column and what to do. A file with one error is not used.
- Refused: unknown keys, keys that are written twice, contradictions, and keys that a later version will enforce. A rule
  that nobody holds must not look like one that holds.
- YAML is read strictly: one document, no anchors, aliases, tags or directives, no control characters, at most 1 MiB,
  32 levels and 10,000 values, UTF-8. Numbers are plain decimals (not `0777`, `0x10`, `1e3`, `22:22` or `\"512\"`), truth
  values are `true` and `false`. Text that some program reads as a number or a truth value needs quotes.
- Paths are taken as they are written: `~`, `$VARIABLE`, patterns and `..` are refused, as are `/` and everything in
  `/proc`, `/sys` and `/dev`. No policy can make itself, waxcell's state or the system's programs (`/usr`, `/bin`, ...)
  writable, hide what Python cannot start without, or lay a path of the host over the script's home folder.

";

/// The reference page in Markdown.
pub fn reference() -> String {
    let mut out = String::from(INTRODUCTION);
    out.push_str("## Keys\n");
    for key in KEYS.iter().filter(|key| key.is_enforced()) {
        out.push_str(&entry(key));
    }
    out.push_str("\n## Blocked operations\n\n");
    out.push_str("What `filesystem.blocked_operations` says about each operation:\n\n");
    out.push_str("| operation | what it is | in `blocked_operations` |\n|---|---|---|\n");
    for operation in Operation::ALL {
        out.push_str(&operation_row(*operation));
    }
    out.push_str("\n## Degradations\n\n");
    out.push_str(
        "A host may lack a layer. A run is then refused, unless the policy names the layer under `degrade:`; the record\n\
         of the run says so. The system-call filter, the dropped capabilities, `no_new_privs` and the limits cannot be\n\
         given up.\n\n",
    );
    for degradation in Degradation::ALL {
        out.push_str(&format!("- `{}`: {}.\n", degradation.name(), degradation.loses()));
    }
    out.push_str("\n## Known, not enforced yet\n\nThese keys are refused by this version:\n\n");
    for key in KEYS.iter().filter(|key| !key.is_enforced()) {
        out.push_str(&format!("- `{}`: {}.\n", key.path, lower_first(key.summary)));
    }
    out.push_str("\n## The built-in default\n\nWhat holds where there is no policy file:\n\n```yaml\n");
    out.push_str(&builtin_text());
    out.push_str("```\n");
    out
}

fn entry(key: &Key) -> String {
    if key.kind == Kind::Section {
        return format!("\n### `{}`\n\n{}.\n", key.path, key.summary);
    }
    let mut out = format!("\n#### `{}`\n\n{}.\n\n", key.path, key.summary);
    out.push_str(&format!("- value: {}\n", kind_of(key)));
    let default = if key.default.is_empty() { "none".to_owned() } else { format!("`{}`", key.default) };
    out.push_str(&format!("- default: {default}\n"));
    out.push_str(&format!("- example: `{}: {}`\n", key.name(), key.example));
    out
}

fn kind_of(key: &Key) -> String {
    match key.kind {
        Kind::Section | Kind::Later => String::new(),
        Kind::Number { unit, min, max } => {
            let whole = if unit.has_fractions() { "a number" } else { "a whole number" };
            let unit = if unit.name().is_empty() { String::new() } else { format!(" {}", unit.name()) };
            format!("{whole} from {min} to {max}{unit}")
        }
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Path => "a path".to_owned(),
        Kind::Paths => {
            "a list of paths or `{path, access: read | write | none, shared: true | false, execute: true | false}`"
                .to_owned()
        }
        Kind::Operations => "a list of operations, see below".to_owned(),
        Kind::Domains => "a list of names or `{name, ports}`".to_owned(),
        Kind::Addresses => "a list of addresses, networks (`10.0.0.0/24`) or `{address, ports}`".to_owned(),
        Kind::Ports => "a list of ports from 1 to 65535".to_owned(),
        Kind::Names => "a list of names of environment variables".to_owned(),
        Kind::Secrets => "a list of texts and of names behind a `$`".to_owned(),
        Kind::Variables => "names of environment variables, each with a text".to_owned(),
        Kind::File => "the path of a file".to_owned(),
        Kind::RuleLevels => "ids of rules, each with `refuse`, `report` or `ignore`".to_owned(),
        Kind::Suppressions => {
            "a list of `{rule, path, fingerprint, reason, until}`, with a reason, and a rule or a fingerprint"
                .to_owned()
        }
        Kind::Words(words) => {
            let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            format!("a list of {}", words.join(", "))
        }
    }
}

fn operation_row(operation: Operation) -> String {
    let aliases: String = operation.aliases().iter().map(|alias| format!(", `{alias}`")).collect();
    let meaning = match operations::blockable(operation) {
        Blockable::OnLastingPaths => "refused on lasting paths".to_owned(),
        Blockable::Always => "accepted; refused in every run, named or not".to_owned(),
        Blockable::Otherwise(way) => format!("not by itself in this version; {way}"),
    };
    format!("| `{operation}`{aliases} | {} | {meaning} |\n", operation.summary())
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
