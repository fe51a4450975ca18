//! The program `suanpan`.

fn main() -> anyhow::Result<()> {
    Ok(())
}
