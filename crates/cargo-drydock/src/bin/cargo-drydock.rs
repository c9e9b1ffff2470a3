//! `cargo drydock …`: Cargo finds this binary by its name.

fn main() -> cargo_drydock::Exit {
    cargo_drydock::run(std::env::args_os())
}
