//! B614 and B615: models that are code.

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::value::{Value, is_constant};

pub(super) static PYTORCH: Rule = Rule {
    id: "B614",
    class: Class::Hygiene,
    name: "pytorch_load",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 502,
    summary: "reading a model can run any code",
    why: "Models of PyTorch are pickles, which say what is called to rebuild them.",
    help: "pass `weights_only=True`, or use safetensors",
    fires: "import torch\ntorch.load('model.pt')\n",
    silent: "import torch\ntorch.load('model.pt', weights_only=True)\n",
    differs: None,
    check: Check::Call(pytorch),
};

pub(super) static HUGGING_FACE: Rule = Rule {
    id: "B615",
    class: Class::Hygiene,
    name: "huggingface_unsafe_download",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 494,
    summary: "what is downloaded is whatever its owner has put there last",
    why: "A name of a branch or tag can be moved to something else, a commit cannot.",
    help: "pass the hash of a commit as `revision`",
    fires: "from transformers import AutoModel\nAutoModel.from_pretrained('a/b')\n",
    silent: "from transformers import AutoModel\nAutoModel.from_pretrained('a/b', revision='0123456789abcdef')\n",
    differs: None,
    check: Check::Call(hugging_face),
};

fn pytorch<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    let loads = matches!(call.qualified.as_str(), "torch.load" | "torch.serialization.load");
    (loads && context.imports.has("torch") && !call.value_is("weights_only", "True")).then(|| call.found())
}

fn hugging_face<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    let library = match call.name() {
        "from_pretrained" => "transformers",
        "load_dataset" => "datasets",
        "hf_hub_download" | "snapshot_download" | "repository_id" => "huggingface_hub",
        _ => return None,
    };
    let libraries = ["transformers", "datasets", "huggingface_hub"];
    if !call.has_part(library) || !libraries.iter().any(|library| context.imports.mention(library)) {
        return None;
    }
    let revisions = ["revision", "commit_id"];
    let is_computed = |name: &&str| call.keyword(name).is_some_and(|keyword| !is_constant(&keyword.value));
    if revisions.iter().any(is_computed) {
        return None;
    }
    let revision = revisions.iter().find_map(|name| call.value(name).filter(Value::is_true));
    let is_commit = revision.and_then(|revision| revision.text()).is_some_and(is_hash);
    let is_local = call
        .arg(0)
        .and_then(|path| path.text())
        .is_some_and(|path| ["./", "/", "../"].iter().any(|start| path.starts_with(start)));
    (!is_commit && !is_local).then(|| call.found())
}

/// Whether it looks like the hash of a commit, in full or shortened.
fn is_hash(revision: &str) -> bool {
    let revision = revision.trim_matches(['"', '\'']);
    revision.len() >= 7 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}
