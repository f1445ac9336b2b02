//! Layers as overlayfs makes them, made by hand; then sealed, shown, committed and discarded, with a crash at every step.

mod commits;
mod hostile;
mod support;
