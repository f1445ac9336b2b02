//! All layers of a run, and what they say together.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use waxcell_sandbox::{LAYER_PARTS, PathMap};

use super::place::Place;
use super::sealed::{Deed, Ground, Node, Top, Tree};
use super::survey::Survey;
use crate::changes::{Before, Room};

#[derive(Default)]
pub(super) struct Looked {
    pub(super) trees: Vec<Tree>,
    /// Files of the host in folders that go.
    pub(super) gone: BTreeSet<PathBuf>,
    /// Why this is not all, if it is not.
    pub(super) partly: Option<String>,
}

impl Looked {
    /// Looks through the layers in the folder of a run. `before` is what was there when it began, if that was noted;
    /// `withheld` are places that the script does not get at; `claimed` are missing folders that it made itself.
    pub(super) fn into(
        folder: &Path,
        grounds: &[Ground],
        before: Option<&Before>,
        withheld: &PathMap<'_, ()>,
        claimed: &[PathBuf],
    ) -> io::Result<Looked> {
        let mut looked = Looked::default();
        let mut room = Room::new();
        for (number, ground) in grounds.iter().enumerate() {
            let layer = Place::open(&folder.join(&ground.layer).join(LAYER_PARTS[0]))?;
            let host = Place::open(ground.anchor.as_path()).ok();
            let number = number as u32;
            let survey = Survey {
                number,
                ground,
                layer: &layer,
                host: host.as_ref(),
                before,
                withheld,
                room: &mut room,
            };
            let found = survey.look(&|path| claimed.iter().any(|claimed| claimed == path));
            looked.partly = looked.partly.or(found.partly);
            looked.gone.extend(found.gone);
            match looked.trees.iter_mut().find(|tree| tree.top.path == ground.anchor) {
                Some(tree) => graft(&mut tree.nodes, found.nodes),
                None => {
                    let top = Top { path: ground.anchor.clone(), inode: ground.inode };
                    looked.trees.push(Tree { top, nodes: found.nodes });
                }
            }
        }
        for tree in &mut looked.trees {
            tree.nodes = in_order(std::mem::take(&mut tree.nodes));
        }
        Ok(looked)
    }

    pub(super) fn changes(&self) -> u64 {
        let nodes = self.trees.iter().flat_map(|tree| &tree.nodes);
        nodes.filter(|node| node.deed() != Deed::Keep).count() as u64
    }
}

/// Adds what one layer says to what others below the same anchor say. Where they meet is on the way to a layer: what a
/// layer itself says about a folder is more than that.
fn graft(tree: &mut Vec<Node>, nodes: Vec<Node>) {
    let mut places: Vec<u32> = Vec::with_capacity(nodes.len());
    for mut node in nodes {
        node.parent = node.parent.map(|parent| places[parent as usize]);
        let is_same = |other: &Node| other.parent == node.parent && other.name == node.name;
        let known = node.ground.is_none().then(|| tree.iter().position(is_same)).flatten();
        places.push(known.unwrap_or(tree.len()) as u32);
        if known.is_none() {
            tree.push(node);
        }
    }
}

/// From the order of looking to one in which all of a folder comes right behind it.
fn in_order(nodes: Vec<Node>) -> Vec<Node> {
    let mut inside: Vec<Vec<u32>> = vec![Vec::new(); nodes.len()];
    let mut waiting = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        match node.parent {
            Some(parent) => inside[parent as usize].push(at as u32),
            None => waiting.push(at as u32),
        }
    }
    waiting.reverse();
    let mut nodes: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    let mut places = vec![0u32; nodes.len()];
    let mut sorted = Vec::with_capacity(nodes.len());
    while let Some(at) = waiting.pop() {
        let Some(mut node) = nodes[at as usize].take() else { continue };
        places[at as usize] = sorted.len() as u32;
        node.parent = node.parent.map(|parent| places[parent as usize]);
        sorted.push(node);
        waiting.extend(inside[at as usize].iter().rev());
    }
    sorted
}
