//! `man`: the manual page, of all commands in one.

use clap::CommandFactory;
use clap_mangen::Man;

use crate::args::Cli;
use crate::failure::Failure;
use crate::shell::Shell;

pub(super) fn run(shell: &mut Shell) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let written = (|| {
        let man = Man::new(command.clone());
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
            let name = subcommand.get_name().to_uppercase();
            std::io::Write::write_all(&mut page, format!(".SH {name}\n").as_bytes())?;
            let man = Man::new(subcommand.clone());
            let mut own = Vec::new();
            man.render_description_section(&mut own)?;
            man.render_synopsis_section(&mut own)?;
            man.render_options_section(&mut own)?;
            // A section of the page has parts, not sections.
            let own = String::from_utf8_lossy(&own).replace("\n.SH ", "\n.SS ").replace(".SH DESCRIPTION\n", "");
            std::io::Write::write_all(&mut page, own.as_bytes())?;
        }
        man.render_extra_section(&mut page)
    })();
    written.expect("memory takes what is written");
    shell.print(&String::from_utf8(page).expect("clap_mangen writes UTF-8"))
}
