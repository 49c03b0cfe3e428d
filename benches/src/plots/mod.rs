//! The plots of a run, and their texts.

mod draw;
mod schemes;
mod structures;

pub use draw::Plot;

use crate::run::Run;

/// Returns the plots of the part of the report that has this title.
#[must_use]
pub fn of_part(run: &Run, title: &str) -> Vec<Plot> {
    let plots = match title {
        "Read side" => vec![schemes::read_side(run)],
        "Reads by many threads" => vec![schemes::scaling(run)],
        "Reads and updates" => vec![schemes::mixed(run)],
        "Grace periods" => vec![schemes::grace(run)],
        "More readers than CPUs" => vec![schemes::crowd(run)],
        "Updates" => vec![schemes::updates(run)],
        "Reclamation" => vec![schemes::reclaim(run)],
        "Memory" => vec![
            schemes::curve_of_memory(run, false),
            schemes::curve_of_memory(run, true),
        ],
        "A large value, reloaded" => vec![schemes::reload(run)],
        "Hash maps" => vec![
            structures::map_sizes(run),
            structures::map_updates(run),
            structures::map_bytes(run),
            structures::map_growth(run),
        ],
        "Ordered maps" => vec![structures::tree_lookups(run), structures::tree_updates(run)],
        "Queues" => vec![structures::queue_loads(run)],
        _ => Vec::new(),
    };
    plots.into_iter().flatten().collect()
}
