//! The program `loadtest`.

fn main() -> anyhow::Result<()> {
    Ok(())
}
