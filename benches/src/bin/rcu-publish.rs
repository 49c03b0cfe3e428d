//! Makes `benches/FIGURES.md`, its plots, `benches/SCALE.md` and the README's tables from the runs in `benches/runs`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use urcu_benches::publish;

fn main() -> ExitCode {
    match publish() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rcu-publish: {error}");
            ExitCode::from(2)
        }
    }
}

fn publish() -> Result<(), String> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cannot = |path: &Path, error| format!("{}: {error}", path.display());
    let readme = repository.join("README.md");
    let text = fs::read_to_string(&readme).map_err(|error| cannot(&readme, error))?;
    let files = publish::files(&text, &publish::kept(&repository)?)?;
    // Remove plots of runs that are no longer kept.
    let plots = repository.join("benches/plots");
    for entry in fs::read_dir(&plots).into_iter().flatten().flatten() {
        let _ = fs::remove_file(entry.path());
    }
    fs::create_dir_all(&plots).map_err(|error| cannot(&plots, error))?;
    for (path, text) in files {
        let path = repository.join(path);
        fs::write(&path, text).map_err(|error| cannot(&path, error))?;
    }
    Ok(())
}
