//! The two definitions that solves get: where the context comes from, which is the same for all, and the Dockerfile.
//!
//! Equal bytes give equal digests: that is how all solves of a run come to
//! share one context vertex and one transfer.

use std::collections::BTreeMap;

use bollard_buildkit_proto::pb;
use prost::Message;
use sha2::{Digest, Sha256};

/// The name by which the context is asked for in the session.
pub(crate) const CONTEXT_NAME: &str = "context";
/// The name of the Dockerfile inside its definition.
pub(crate) const DOCKERFILE_NAME: &str = "Dockerfile";

/// A source that the session serves under [`CONTEXT_NAME`].
pub(crate) fn context(session: &str, full_transfer: bool) -> pb::Definition {
    let mut attrs = BTreeMap::from([
        ("local.session".to_owned(), session.to_owned()),
        ("local.sharedkeyhint".to_owned(), CONTEXT_NAME.to_owned()),
    ]);
    if full_transfer {
        attrs.insert("local.differ".to_owned(), "none".to_owned());
    }
    let source = pb::SourceOp { identifier: format!("local://{CONTEXT_NAME}"), attrs };
    define(pb::op::Op::Source(source), "[internal] load build context")
}

/// A file system that holds nothing but the Dockerfile.
pub(crate) fn dockerfile(text: &str) -> pb::Definition {
    let file = pb::FileActionMkFile {
        path: format!("/{DOCKERFILE_NAME}"),
        mode: 0o644,
        data: text.as_bytes().to_vec(),
        owner: None,
        timestamp: -1,
    };
    let action = pb::FileAction {
        input: -1,
        secondary_input: -1,
        output: 0,
        action: Some(pb::file_action::Action::Mkfile(file)),
    };
    define(pb::op::Op::File(pb::FileOp { actions: vec![action] }), "[internal] load build definition from Dockerfile")
}

/// A definition of one operation, shown as `label` in the progress.
fn define(op: pb::op::Op, label: &str) -> pb::Definition {
    let op = pb::Op {
        inputs: Vec::new(),
        platform: None,
        constraints: Some(pb::WorkerConstraints { filter: Vec::new() }),
        op: Some(op),
    };
    let bytes = op.encode_to_vec();
    let digest = digest(&bytes);
    let last = pb::Op {
        inputs: vec![pb::Input { digest: digest.clone(), index: 0 }],
        platform: None,
        constraints: None,
        op: None,
    };
    let metadata = pb::OpMetadata {
        description: BTreeMap::from([("llb.customname".to_owned(), label.to_owned())]),
        ..pb::OpMetadata::default()
    };
    pb::Definition {
        def: vec![bytes, last.encode_to_vec()],
        metadata: BTreeMap::from([(digest, metadata)]),
        source: None,
    }
}

fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_input_gives_equal_bytes() {
        assert_eq!(dockerfile("FROM scratch"), dockerfile("FROM scratch"));
        assert_ne!(dockerfile("FROM scratch"), dockerfile("FROM scratch\n"));
        assert_eq!(context("s", false).encode_to_vec(), context("s", false).encode_to_vec());
    }

    #[test]
    fn the_terminal_names_the_operation() {
        let definition = context("s", false);
        let last = pb::Op::decode(definition.def[1].as_slice()).unwrap();
        assert_eq!(last.inputs[0].digest, digest(&definition.def[0]));
        assert_eq!(definition.metadata.keys().collect::<Vec<_>>(), [&last.inputs[0].digest]);
    }
}
