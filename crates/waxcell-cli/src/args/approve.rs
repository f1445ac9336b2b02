//! Arguments of `waxcell approve`.

use std::path::PathBuf;

use clap::Args;
use waxcell::policy::Date;

const OF_APPROVE: &str = "\
Examples:
  waxcell approve scripts/migrate.py --reason 'read it; runs once, on Friday' --until 2027-01-31
  waxcell approve --list
  waxcell approve --withdraw scripts/migrate.py --reason 'done'

An approval is of the bytes that the script has now: of another version it says nothing. It lets the script through the gate of
runs that are recorded in this state directory; the kernel holds it to its policy all the same.

Exit codes: 0 done; 1 no such approval; 125 it cannot be recorded; 126 it cannot be approved, or the policy cannot be used;
127 no such script or interpreter; 2 wrong usage.";

#[derive(Args, Debug)]
#[command(after_help = OF_APPROVE)]
pub(crate) struct Approve {
    /// The script; to withdraw an approval also the SHA-256 of its bytes
    #[arg(required_unless_present = "list", conflicts_with = "list")]
    pub(crate) script: Option<PathBuf>,
    /// Why: goes into the record
    #[arg(long, value_name = "TEXT", required_unless_present = "list", conflicts_with = "list", value_parser = some_text)]
    pub(crate) reason: Option<String>,
    /// The last day on which it counts, as 2027-01-31 (UTC)
    #[arg(long, value_name = "DATE", conflicts_with_all = ["list", "withdraw"])]
    pub(crate) until: Option<Date>,
    /// Take an approval back
    #[arg(long, conflicts_with = "list")]
    pub(crate) withdraw: bool,
    /// What is approved, by whom and why
    #[arg(long)]
    pub(crate) list: bool,
}

fn some_text(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("say why".to_owned()) } else { Ok(text.to_owned()) }
}
