//! What `cargo pgrx install` makes the extension's SQL of. It writes safedelete--VERSION.sql itself, from what the
//! library's section .pgrxsc says, and copies update scripts beside it, so the section says what they come to in a row.
//! The linker leaves the section out of every other build.

use pgrx::pgrx_sql_entity_graph::section::{
    ENTITY_CUSTOM_SQL, EntryWriter, bool_len, list_len, str_len, u8_len, u32_len,
};

/// Every version's script (packaging/check-meta sees that none is missing); PostgreSQL skips their `\echo` lines.
const SQL: &str = concat!(
    include_str!("../sql/safedelete--0.1.0.sql"),
    include_str!("../sql/safedelete--0.1.0--0.2.0.sql"),
    include_str!("../sql/safedelete--0.2.0--0.3.0.sql"),
);

const PLACE: &str = file!();

// As pgrx's extension_sql_file! writes it, which holds one file.
const LENGTH: usize = u8_len()
    + str_len(SQL)
    + str_len(module_path!())
    + 2 * str_len(PLACE)
    + u32_len()
    + str_len("scripts")
    + 2 * bool_len()
    + 2 * list_len(&[]);

pgrx::pgrx_sql_entity_graph::__pgrx_schema_entry!(SCRIPTS, u32_len() + LENGTH, {
    EntryWriter::<{ u32_len() + LENGTH }>::new()
        .u32(LENGTH as u32)
        .u8(ENTITY_CUSTOM_SQL)
        .str(SQL)
        .str(module_path!())
        .str(PLACE)
        .str(PLACE)
        .u32(line!())
        .str("scripts")
        .bool(false)
        .bool(false)
        .u32(0)
        .u32(0)
        .finish()
});
