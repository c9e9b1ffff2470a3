//! `cargo xtask images` builds the images of this workspace; `cargo xtask drydock …` is drydock itself, at the version that
//! Cargo.lock says.

use std::env;
use std::ffi::OsString;

use cargo_drydock::Exit;

fn main() -> Exit {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.to_string_lossy(), rest),
        None => (Default::default(), &[][..]),
    };
    match &*command {
        // What everybody here builds alike; what is special about one build follows on the command line.
        "images" => drydock(&["build", "--tag", "acme/{target}:{version}"], rest),
        "drydock" => drydock(&[], rest),
        _ => {
            eprintln!("usage: cargo xtask images|drydock [ARGUMENTS]");
            Exit::Usage
        }
    }
}

/// Runs drydock in this process. It prints as it does alone, and answers how it ended.
fn drydock(own: &[&str], given: &[OsString]) -> Exit {
    let name = OsString::from("drydock");
    let own = own.iter().map(OsString::from);
    cargo_drydock::run([name].into_iter().chain(own).chain(given.iter().cloned()))
}
