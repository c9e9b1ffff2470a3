//! A replay as a page: one file, without scripts, that opens anywhere.

use std::fmt::Write as _;

use super::Replay;
use crate::report::units;

/// How wide and high the chart is, in its own units.
const CHART: (usize, usize) = (960, 160);

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1c2733;background:#fff}\
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}p{margin:.4rem 0}svg{width:100%;height:auto;margin:1rem 0}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #e3e8ee;vertical-align:top}\
td.n,th.n{text-align:right}code{font:13px ui-monospace,monospace}.q{color:#67788a}\
@media(prefers-color-scheme:dark){body{color:#dbe3eb;background:#12181f}td,th{border-color:#2a3541}.q{color:#8da0b3}}";

pub(super) fn html(replay: &Replay) -> String {
    let mut page = String::new();
    let commits = units::count(replay.planned() as u64, "commit");
    line(&mut page, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">");
    line(&mut page, "<meta name=\"viewport\" content=\"width=device-width\"><title>What commits rebuild</title>");
    line(&mut page, &format!("<style>{STYLE}</style><h1>What the last {commits} rebuild</h1>"));
    line(
        &mut page,
        &format!(
            "<p>{} of them change an image of {} in {}. {} install anew though they leave the lockfile alone; {} \
             change an image without touching what it is made of.</p>",
            replay.affected(),
            units::count(replay.targets as u64, "target"),
            units::count(replay.stages as u64, "stage"),
            replay.idle_installs(),
            replay.unfounded()
        ),
    );
    chart(&mut page, replay);
    causes(&mut page, replay);
    table(&mut page, replay);
    page
}

/// A bar for each commit: as high as the stages that run, the installs among them darker.
fn chart(page: &mut String, replay: &Replay) {
    let (width, height) = CHART;
    let most = replay.commits.iter().map(|commit| commit.stages.len()).max().unwrap_or(0).max(1);
    line(
        page,
        &format!(
            "<svg viewBox=\"0 0 {width} {}\" role=\"img\" aria-label=\"Stages that run, by commit\">",
            height + 20
        ),
    );
    let count = replay.commits.len().max(1);
    for (index, commit) in replay.commits.iter().enumerate() {
        let (left, right) = (index * width / count, (index + 1) * width / count);
        let bar = (right - left).saturating_sub(1).max(1);
        let title = format!("{} {}: {} stages", commit.commit, commit.subject, commit.stages.len());
        let title = escaped(&title);
        let tall = commit.stages.len() * height / most;
        let dark = commit.installs.len() * height / most;
        line(
            page,
            &format!(
                "<g><title>{title}</title><rect x=\"{left}\" y=\"{}\" width=\"{bar}\" height=\"{tall}\" fill=\"#5b9bd5\"/>\
                 <rect x=\"{left}\" y=\"{}\" width=\"{bar}\" height=\"{dark}\" fill=\"#1f4e79\"/>\
                 <rect x=\"{left}\" y=\"{}\" width=\"{bar}\" height=\"2\" fill=\"#b7c3cf\"/></g>",
                height - tall,
                height - dark,
                height
            ),
        );
    }
    line(
        page,
        &format!(
            "<text x=\"0\" y=\"{}\" font-size=\"12\" fill=\"#67788a\">stages that run, by commit, oldest first; installs \
             are dark; the highest is {most}</text></svg>",
            height + 16
        ),
    );
}

fn causes(page: &mut String, replay: &Replay) {
    if replay.causes.is_empty() {
        return;
    }
    line(
        page,
        "<h2>What rebuilds most</h2><table><tr><th>file<th class=\"n\">stages<th class=\"n\">commits<th>to avoid it",
    );
    for (path, blame) in replay.causes.iter().take(2 * super::BLAMED) {
        let advice = Replay::advice(path, blame).map(|advice| format!("<code>{}</code>", escaped(&advice)));
        line(
            page,
            &format!(
                "<tr><td><code>{}</code><td class=\"n\">{}<td class=\"n\">{}<td>{}",
                escaped(path.as_str()),
                blame.stages,
                blame.commits,
                advice.unwrap_or_default()
            ),
        );
    }
    line(page, "</table>");
}

fn table(page: &mut String, replay: &Replay) {
    line(page, "<h2>Commits, newest first</h2><table><tr><th>commit<th>subject<th>images<th class=\"n\">stages");
    for commit in replay.commits.iter().rev() {
        let images = match &commit.unreadable {
            Some(why) => format!("<span class=\"q\">has no plan: {}</span>", escaped(why)),
            None if commit.targets.is_empty() => "<span class=\"q\">none</span>".to_owned(),
            None => escaped(&commit.targets.join(", ")),
        };
        line(
            page,
            &format!(
                "<tr><td><code>{}</code><td>{}<td>{images}<td class=\"n\">{}",
                escaped(&commit.commit),
                escaped(&commit.subject),
                commit.stages.len()
            ),
        );
    }
    line(page, "</table></html>");
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("writing to a string does not fail");
}

/// Text as HTML shows it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escaped("<b title=\"x\">a & b</b>"), "&lt;b title=&quot;x&quot;&gt;a &amp; b&lt;/b&gt;");
    }
}
