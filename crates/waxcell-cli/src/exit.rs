//! Exit codes, as the design fixes them. The same table stands in `docs/cli.md`.

use std::process::ExitCode;

/// What the process ends with.
///
/// | code | meaning |
/// |---|---|
/// | the script's own | it ended by itself |
/// | 2 | wrong usage |
/// | 124 | wall-clock timeout |
/// | 125 | waxcell itself failed |
/// | 126 | refused: policy, analysis, or something that cannot be run or enforced |
/// | 127 | script or interpreter not found |
/// | 128+n | killed by signal n (137 memory, 152 CPU) |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    pub(crate) const SUCCESS: Exit = Exit(0);
    /// A check found something.
    pub(crate) const FOUND: Exit = Exit(1);
    /// What was asked for makes no sense.
    pub(crate) const USAGE: Exit = Exit(2);
    /// `audit verify`: the record is not whole.
    pub(crate) const INCOMPLETE: Exit = Exit(2);
    /// `audit verify` and `check`: it could not be checked.
    pub(crate) const UNCHECKED: Exit = Exit(3);
    pub(crate) const FAILED: Exit = Exit(125);
    pub(crate) const REFUSED: Exit = Exit(126);
    /// `policy lint`: there is no policy.
    pub(crate) const NOT_FOUND: Exit = Exit(127);

    /// The exit code of a run.
    pub(crate) fn of_run(code: i32) -> Exit {
        Exit(code as u8)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.0)
    }
}
