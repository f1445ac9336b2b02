//! What a rule may ask for beside what it is shown.

use std::cell::Cell;

use crate::imports::Imports;
use crate::options::Options;
use crate::version::PythonVersion;
use crate::walk::Node;

/// How many steps all rules together may take that are more than one a node. No script that a person wrote comes near.
const BUDGET: usize = 4 << 20;

#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The script's path as it was given.
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
    pub(crate) target: PythonVersion,
    pub(crate) options: &'a Options,
    pub(crate) imports: Imports<'a>,
    /// From the module to the node at hand.
    pub(crate) path: Vec<Node<'a>>,
    budget: Cell<usize>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        file: &'a str,
        text: &'a str,
        target: PythonVersion,
        options: &'a Options,
    ) -> Context<'a> {
        Context {
            file,
            text,
            target,
            options,
            imports: Imports::default(),
            path: Vec::new(),
            budget: Cell::new(BUDGET),
        }
    }

    /// Takes steps off the budget of the script; false when there is none left. For what would take the square of the
    /// script's length if the script was made for that.
    pub(crate) fn spend(&self, steps: usize) -> bool {
        let left = self.budget.get().checked_sub(steps);
        self.budget.set(left.unwrap_or(0));
        left.is_some()
    }
}
