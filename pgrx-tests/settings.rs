//! What docs/settings.md says of each setting is what PostgreSQL has been told of it.

use pgrx::prelude::*;
use safedelete_core::command::Command;

#[pg_extern]
fn test_every_setting_is_documented() {
    let page = include_str!("../docs/settings.md");
    let row = |name: &str| {
        let line = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")))?;
        let mut cells = line.split('|').skip(2).map(|cell| cell.trim().to_owned());
        Some((cells.next()?, cells.next()?))
    };
    let settings = Spi::connect(|client| {
        let query =
            "SELECT substr(name, 12), boot_val, context FROM pg_settings WHERE name LIKE 'safedelete.%'";
        let rows = client.select(query, None, &[]).expect("pg_settings");
        let text =
            |row: &pgrx::spi::SpiHeapTupleData, at| row.get::<String>(at).ok().flatten().unwrap_or_default();
        rows.map(|row| [1, 2, 3].map(|at| text(&row, at))).collect::<Vec<_>>()
    });
    assert_eq!(settings.len(), page.lines().filter(|line| line.starts_with("| `")).count());
    for [name, default, context] in settings {
        let (shown, who) = row(&name).unwrap_or_else(|| panic!("{name} is not documented"));
        let shown = shown.split(':').next().unwrap_or_default();
        assert_eq!(shown.trim_matches('`'), if default.is_empty() { "empty" } else { &default }, "{name}");
        let meant = match context.as_str() {
            "user" => "anyone",
            "superuser" => "superuser",
            _ => "at server start",
        };
        assert_eq!(who, meant, "{name}");
    }
    let commands =
        Spi::get_one::<String>("SELECT extra_desc FROM pg_settings WHERE name = 'safedelete.commands'");
    let commands = commands.expect("pg_settings").unwrap_or_default();
    assert!(Command::ALL.into_iter().all(|command| commands.contains(command.word())), "{commands}");
}
