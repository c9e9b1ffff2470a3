//! `drydock …`: the same without Cargo, for machines that have no Rust.

fn main() -> cargo_drydock::Exit {
    cargo_drydock::run(std::env::args_os())
}
