//! `drydock …`: the same without Cargo, for machines that have no Rust.

/// Planning allocates many short texts from several threads, at which this one is faster than most systems' own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> cargo_drydock::Exit {
    cargo_drydock::run(std::env::args_os())
}
