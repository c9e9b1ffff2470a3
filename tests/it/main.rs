//! Tests of the command line that need no Docker: what is printed, where, and the exit code.

mod affected;
mod bad_input;
mod command_line;
mod compose;
mod config;
mod daemon;
mod dockerfile;
mod doctor;
mod documents;
mod edges;
mod images;
mod pin;
mod prune;
mod reference;
mod remembered;
mod replay;
mod select;
mod support;
