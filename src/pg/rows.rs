//! Rows as texts, in the forms that PostgreSQL's types are written in and read from, and back; and where rows come
//! from: transition tables and whole tables.

use std::ffi::{CStr, c_char};

use super::slots::get_some_attributes;
use super::{compat, frame, pg_sys, raw};

/// A row that a source has read last.
#[derive(Clone, Copy)]
pub struct Row(*mut pg_sys::TupleTableSlot);

/// A transition table.
pub struct Transition {
    store: *mut pg_sys::Tuplestorestate,
    reader: i32,
    /// Of the row that was read last, from 0.
    place: i64,
    slot: *mut pg_sys::TupleTableSlot,
}

impl Transition {
    /// `None` where there is none.
    ///
    /// # Safety
    /// `store` is NULL or a transition table of `relation`, and lives as long as the trigger's call.
    pub unsafe fn of(store: *mut pg_sys::Tuplestorestate, relation: pg_sys::Relation) -> Option<Transition> {
        if store.is_null() {
            return None;
        }
        // A pointer of its own, for other triggers read it, too; made when it is read.
        // SAFETY: by contract.
        let slot = unsafe {
            pg_sys::MakeSingleTupleTableSlot((*relation).rd_att, &raw const pg_sys::TTSOpsMinimalTuple)
        };
        Some(Transition { store, reader: -1, place: -1, slot })
    }

    pub fn next(&mut self) -> Option<Row> {
        // SAFETY: alive while the trigger runs.
        unsafe {
            if self.reader < 0 {
                self.reader =
                    pg_sys::tuplestore_alloc_read_pointer(self.store, pg_sys::EXEC_FLAG_REWIND as i32);
                pg_sys::tuplestore_select_read_pointer(self.store, self.reader);
                pg_sys::tuplestore_rescan(self.store);
            } else {
                pg_sys::tuplestore_select_read_pointer(self.store, self.reader);
            }
            self.place += 1;
            pg_sys::tuplestore_gettupleslot(self.store, true, false, self.slot).then_some(Row(self.slot))
        }
    }

    /// The row at a place, from 0, behind those that were read.
    pub fn at(&mut self, place: i64) -> Option<Row> {
        let mut row = self.next();
        while row.is_some() && self.place < place {
            row = self.next();
        }
        row
    }

    /// Gives back what reading has taken.
    pub fn end(self) {
        // SAFETY: its own slot.
        unsafe { pg_sys::ExecDropSingleTupleTableSlot(self.slot) };
    }
}

/// How many rows a transition table has.
///
/// # Safety
/// `store` is NULL or a transition table.
pub unsafe fn count(store: *mut pg_sys::Tuplestorestate) -> u64 {
    // SAFETY: by contract.
    if store.is_null() { 0 } else { unsafe { pg_sys::tuplestore_tuple_count(store) as u64 } }
}

/// Every row of a table that there is now, whatever the transaction's snapshot sees.
pub struct Whole {
    scan: pg_sys::TableScanDesc,
    snapshot: pg_sys::Snapshot,
    slot: *mut pg_sys::TupleTableSlot,
}

impl Whole {
    /// # Safety
    /// `relation` is open, and locked so that nobody writes it.
    pub unsafe fn of(relation: pg_sys::Relation) -> Whole {
        // SAFETY: by contract; an error gives snapshot and scan back with the transaction.
        unsafe {
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            let slot = pg_sys::table_slot_create(relation, std::ptr::null_mut());
            Whole { scan: compat::begin_scan(relation, snapshot), snapshot, slot }
        }
    }

    pub fn next(&mut self) -> Option<Row> {
        let forward = pg_sys::ScanDirection::ForwardScanDirection;
        // SAFETY: a scan that goes on.
        unsafe { pg_sys::table_scan_getnextslot(self.scan, forward, self.slot) }.then_some(Row(self.slot))
    }

    pub fn end(self) {
        // SAFETY: what `of` has begun.
        unsafe {
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::table_endscan(self.scan);
            pg_sys::UnregisterSnapshot(self.snapshot);
        }
    }
}

struct Column {
    /// From 0.
    index: usize,
    output: pg_sys::FmgrInfo,
}

/// How the columns of a relation are written.
pub struct Forms {
    columns: Vec<Column>,
    /// Of the relation's columns, those up to the last one that is written.
    width: i32,
    names: Vec<pg_sys::Datum>,
}

/// The texts of the columns of some rows, one row after the other.
#[derive(Default)]
pub struct Texts {
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
    bytes: usize,
}

impl Texts {
    /// About how many bytes their array takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A text[] of all of them, in the current memory context; there are none then.
    pub fn take(&mut self) -> pg_sys::Datum {
        let taken = array(&mut self.values, &mut self.nulls);
        self.values.clear();
        self.nulls.clear();
        self.bytes = 0;
        taken
    }

    /// Makes room for a row's.
    fn reserve(&mut self, columns: usize) {
        if self.values.try_reserve(columns).is_err() || self.nulls.try_reserve(columns).is_err() {
            frame::out_of_memory();
        }
    }
}

/// Whether a column holds a value in its rows.
fn is_stored(attribute: &pg_sys::FormData_pg_attribute) -> bool {
    !attribute.attisdropped && attribute.attgenerated as u8 != b'v'
}

impl Forms {
    /// Lives in the current memory context.
    ///
    /// # Safety
    /// `relation` is open.
    pub unsafe fn of(relation: pg_sys::Relation) -> Forms {
        let mut forms = Forms { columns: Vec::new(), width: 0, names: Vec::new() };
        // SAFETY: by contract; the descriptor has so many columns, and a column a name.
        unsafe {
            let descriptor = (*relation).rd_att;
            for index in 0..(*descriptor).natts as usize {
                let attribute = compat::attribute(descriptor, index);
                if !is_stored(attribute) {
                    continue;
                }
                let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
                pg_sys::getTypeOutputInfo(attribute.atttypid, &mut function, &mut is_varlena);
                let mut output = pg_sys::FmgrInfo::default();
                pg_sys::fmgr_info(function, &mut output);
                forms.columns.push(Column { index, output });
                forms
                    .names
                    .push(pg_sys::Datum::from(pg_sys::cstring_to_text(attribute.attname.data.as_ptr())));
                forms.width = index as i32 + 1;
            }
        }
        forms
    }

    /// The names of the columns, a text[].
    pub fn names(&mut self) -> pg_sys::Datum {
        let mut nulls = vec![false; self.names.len()];
        array(&mut self.names, &mut nulls)
    }

    /// Adds the columns of a row, made in the current memory context.
    pub fn add(&mut self, row: Row, texts: &mut Texts) {
        let (columns, count, width) = (self.columns.as_mut_ptr(), self.columns.len(), self.width);
        texts.reserve(count);
        let end = texts.values.len();
        // SAFETY: room for as many values and flags as columns.
        let (values, nulls) =
            unsafe { (texts.values.as_mut_ptr().add(end), texts.nulls.as_mut_ptr().add(end)) };
        let bytes = frame::call(|| {
            #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
            // SAFETY: a row of the relation, of as many columns; as many values and flags as columns.
            unsafe {
                get_some_attributes(row.0, width);
                let mut bytes = 0;
                for at in 0..count {
                    let column = &mut *columns.add(at);
                    let is_null = *(*row.0).tts_isnull.add(column.index);
                    nulls.add(at).write(is_null);
                    if is_null {
                        values.add(at).write(pg_sys::Datum::from(0));
                        continue;
                    }
                    let value = *(*row.0).tts_values.add(column.index);
                    let text = raw::cstring_to_text(raw::OutputFunctionCall(&mut column.output, value));
                    bytes += pgrx::varsize_4b(text).next_multiple_of(4);
                    values.add(at).write(pg_sys::Datum::from(text));
                }
                bytes
            }
        });
        // SAFETY: all of them have been written.
        unsafe {
            texts.values.set_len(end + count);
            texts.nulls.set_len(end + count);
        }
        // An array has a bit for each where one is NULL.
        texts.bytes += bytes + count.div_ceil(8);
    }
}

/// A text[] of texts.
fn array(values: &mut [pg_sys::Datum], nulls: &mut [bool]) -> pg_sys::Datum {
    let (mut dimensions, mut from) = ([values.len() as i32], [1]);
    // SAFETY: as many flags as values, which are texts.
    pg_sys::Datum::from(unsafe {
        pg_sys::construct_md_array(
            values.as_mut_ptr(),
            nulls.as_mut_ptr(),
            1,
            dimensions.as_mut_ptr(),
            from.as_mut_ptr(),
            pg_sys::TEXTOID,
            -1,
            false,
            b'i' as c_char,
        )
    })
}

/// The settings that the texts of values hang on, as dumps have them.
const FORMS: [(&CStr, &CStr); 6] = [
    (c"DateStyle", c"ISO, MDY"),
    (c"IntervalStyle", c"postgres"),
    (c"extra_float_digits", c"3"),
    (c"bytea_output", c"hex"),
    (c"lc_monetary", c"C"),
    (c"search_path", c"pg_catalog"),
];

/// Runs `f` with the settings that give every value one text, whatever the session's are.
pub fn in_one_form<T>(f: impl FnOnce() -> T) -> T {
    let level = pg_sys::NewGUCNestLevel();
    for (name, value) in FORMS {
        // SAFETY: NUL-terminated; an error undoes the level with the (sub)transaction.
        unsafe {
            pg_sys::set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
    }
    let result = f();
    // SAFETY: the level that was begun.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
    result
}

/// A composite type's descriptor, given back when it is dropped by `end`.
struct Descriptor(pg_sys::TupleDesc);

impl Descriptor {
    fn of(row_type: pg_sys::Oid, modifier: i32) -> Descriptor {
        Descriptor(pg_sys::lookup_rowtype_tupdesc(row_type, modifier))
    }

    fn width(&self) -> usize {
        // SAFETY: alive until `end`.
        unsafe { (*self.0).natts as usize }
    }

    /// The column of a name.
    ///
    /// # Safety
    /// `name` is NUL-terminated.
    unsafe fn column(&self, name: *const c_char) -> Option<(usize, &pg_sys::FormData_pg_attribute)> {
        // SAFETY: by contract; alive until `end`.
        unsafe {
            (0..self.width()).map(|index| (index, compat::attribute(self.0, index))).find(|(_, a)| {
                !a.attisdropped && CStr::from_ptr(a.attname.data.as_ptr()) == CStr::from_ptr(name)
            })
        }
    }

    fn end(self) {
        // SAFETY: ReleaseTupleDesc.
        unsafe {
            if (*self.0).tdrefcount >= 0 {
                pg_sys::DecrTupleDescRefCount(self.0);
            }
        }
    }
}

/// The texts of the columns of these names of a row; NULL where there is none of a name.
///
/// # Safety
/// `row` is a value of a composite type; the names are NULL or NUL-terminated.
pub unsafe fn texts_of(row: pg_sys::Datum, names: &[*mut c_char]) -> pg_sys::Datum {
    // SAFETY: by contract: a composite value tells its type.
    unsafe {
        let header = pg_sys::pg_detoast_datum(row.cast_mut_ptr()).cast::<pg_sys::HeapTupleHeaderData>();
        let fields = (*header).t_choice.t_datum;
        let descriptor = Descriptor::of(fields.datum_typeid, fields.datum_typmod);
        let mut tuple = pg_sys::HeapTupleData {
            t_len: fields.datum_len_ as u32 >> 2,
            t_data: header,
            ..pg_sys::HeapTupleData::default()
        };
        let (mut values, mut nulls) =
            (vec![pg_sys::Datum::from(0); descriptor.width()], vec![true; descriptor.width()]);
        pg_sys::heap_deform_tuple(&mut tuple, descriptor.0, values.as_mut_ptr(), nulls.as_mut_ptr());
        let (mut texts, mut missing) = (vec![pg_sys::Datum::from(0); names.len()], vec![true; names.len()]);
        in_one_form(|| {
            for (at, name) in names.iter().enumerate().filter(|(_, name)| !name.is_null()) {
                let Some((index, attribute)) = descriptor.column(*name) else { continue };
                if nulls[index] {
                    continue;
                }
                let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
                pg_sys::getTypeOutputInfo(attribute.atttypid, &mut function, &mut is_varlena);
                let text = pg_sys::OidOutputFunctionCall(function, values[index]);
                texts[at] = pg_sys::Datum::from(pg_sys::cstring_to_text(text));
                missing[at] = false;
            }
        });
        descriptor.end();
        array(&mut texts, &mut missing)
    }
}

/// A row of a composite type, of texts by the names of its columns; the others are NULL.
///
/// # Safety
/// The names and texts are NULL or NUL-terminated.
pub unsafe fn row_of(row_type: pg_sys::Oid, names: &[*mut c_char], texts: &[*mut c_char]) -> pg_sys::Datum {
    let descriptor = Descriptor::of(row_type, -1);
    let (mut values, mut nulls) =
        (vec![pg_sys::Datum::from(0); descriptor.width()], vec![true; descriptor.width()]);
    // SAFETY: by contract; as many values and flags as columns.
    unsafe {
        in_one_form(|| {
            for (name, text) in names.iter().zip(texts).filter(|(name, _)| !name.is_null()) {
                let Some((index, attribute)) = descriptor.column(*name) else { continue };
                if text.is_null() {
                    continue;
                }
                let (mut function, mut of) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
                pg_sys::getTypeInputInfo(attribute.atttypid, &mut function, &mut of);
                let mut input = pg_sys::FmgrInfo::default();
                pg_sys::fmgr_info(function, &mut input);
                values[index] = pg_sys::InputFunctionCall(&mut input, *text, of, attribute.atttypmod);
                nulls[index] = false;
            }
        });
        let tuple = pg_sys::heap_form_tuple(descriptor.0, values.as_mut_ptr(), nulls.as_mut_ptr());
        let row = pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data);
        descriptor.end();
        row
    }
}
