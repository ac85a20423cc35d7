//! What an SQL function in Rust needs: the version-1 calling convention, arguments, and rows of a
//! result. The functions are bare frames like any other; see `api`.

use std::ffi::CStr;

use super::pg_sys;

use super::nodes::Node;
use super::{frame, raw, text};

/// What `pg_finfo_*` functions give.
pub static VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };

/// Exports an SQL function: `function!(name, pg_finfo_name, body)`, where `body` takes the call and
/// gives a Datum, or a report that is raised as an error.
macro_rules! function {
    ($(#[$about:meta])* $name:ident, $finfo:ident, $body:expr) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $finfo() -> *const $crate::pg::pg_sys::Pg_finfo_record {
            &raw const $crate::pg::function::VERSION_1
        }

        $(#[$about])*
        ///
        /// # Safety
        /// A bare frame: PostgreSQL calls it with a call that fits its declaration.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(call: $crate::pg::pg_sys::FunctionCallInfo) -> $crate::pg::pg_sys::Datum {
            let outcome = $crate::pg::frame::guarded(|| {
                let body: fn(
                    $crate::pg::pg_sys::FunctionCallInfo,
                ) -> Result<$crate::pg::pg_sys::Datum, safedelete_core::message::Report> = $body;
                body(call).map_err(|report| $crate::pg::report::freeze(&report, None))
            });
            match outcome {
                Ok(datum) => datum,
                Err(frozen) => {
                    // SAFETY: this frame owns nothing.
                    #[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing")]
                    unsafe { $crate::pg::report::raise(&frozen) };
                    $crate::pg::pg_sys::Datum::from(0)
                }
            }
        }
    };
}
pub(crate) use function;

/// An argument, from 0; `None` where it is NULL.
fn datum(call: pg_sys::FunctionCallInfo, number: usize) -> Option<pg_sys::Datum> {
    // SAFETY: PostgreSQL gives as many arguments as the function declares.
    let argument = unsafe { &*(*call).args.as_ptr().add(number) };
    (!argument.isnull).then_some(argument.value)
}

/// A `text` argument.
pub fn text_argument(call: pg_sys::FunctionCallInfo, number: usize) -> Option<String> {
    server_text_argument(call, number).map(text::from_server)
}

/// A `text` argument as the database has it, copied into the current memory context.
pub fn server_text_argument<'a>(call: pg_sys::FunctionCallInfo, number: usize) -> Option<&'a CStr> {
    let datum = datum(call, number)?;
    // SAFETY: the declaration says text; text_to_cstring detoasts and copies.
    Some(unsafe { CStr::from_ptr(pg_sys::text_to_cstring(datum.cast_mut_ptr())) })
}

/// A `jsonb` argument, as text.
pub fn jsonb_argument(call: pg_sys::FunctionCallInfo, number: usize) -> Option<String> {
    let datum = datum(call, number)?;
    // SAFETY: the declaration says jsonb, whose output function makes a NUL-terminated text.
    let text = unsafe { text::at(pg_sys::OidOutputFunctionCall(pg_sys::F_JSONB_OUT.into(), datum)) };
    text.map(text::from_server)
}

/// An `internal` argument that is a node.
pub fn node_argument<'t>(call: pg_sys::FunctionCallInfo, number: usize) -> Option<Node<'t>> {
    // SAFETY: the declaration keeps it from being called by SQL; PostgreSQL gives a node that stays for the call.
    unsafe { Node::of(datum(call, number)?.cast_mut_ptr()) }
}

/// An `oid` argument, `regclass` and the like among them.
pub fn oid(call: pg_sys::FunctionCallInfo, number: usize) -> Option<pg_sys::Oid> {
    datum(call, number).map(|datum| pg_sys::Oid::from(datum.value() as u32))
}

/// A `text[]` argument of one dimension, as the database has its elements; NULL for NULL. Copied.
pub fn texts_argument(call: pg_sys::FunctionCallInfo, number: usize) -> Option<Vec<*mut core::ffi::c_char>> {
    let datum = datum(call, number)?;
    let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
    // SAFETY: the declaration says text[]; what is taken apart is palloc'd, `count` values and flags.
    unsafe {
        let array = pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast();
        pg_sys::deconstruct_array(
            array,
            pg_sys::TEXTOID,
            -1,
            false,
            b'i' as core::ffi::c_char,
            &mut values,
            &mut nulls,
            &mut count,
        );
        let mut texts = Vec::new();
        for at in 0..count as usize {
            let text = if *nulls.add(at) {
                std::ptr::null_mut()
            } else {
                pg_sys::text_to_cstring((*values.add(at)).cast_mut_ptr())
            };
            super::growing::push(&mut texts, text);
        }
        Some(texts)
    }
}

/// A `bigint` argument.
pub fn bigint_argument(call: pg_sys::FunctionCallInfo, number: usize) -> Option<i64> {
    datum(call, number).map(|datum| datum.value() as i64)
}

/// An argument of any type.
pub fn argument(call: pg_sys::FunctionCallInfo, number: usize) -> Option<pg_sys::Datum> {
    datum(call, number)
}

/// The type of an argument that is declared polymorphic.
pub fn type_of_argument(call: pg_sys::FunctionCallInfo, number: usize) -> pg_sys::Oid {
    // SAFETY: the call's own function.
    unsafe { pg_sys::get_fn_expr_argtype((*call).flinfo, number as i32) }
}

/// A function that is named as `regprocedure` reads it.
fn find(function: &CStr) -> pg_sys::Oid {
    // SAFETY: NUL-terminated; read by its input function, which raises where there is none.
    let function = unsafe {
        let name = function.as_ptr().cast_mut();
        pg_sys::OidInputFunctionCall(pg_sys::F_REGPROCEDUREIN.into(), name, pg_sys::InvalidOid, -1)
    };
    pg_sys::Oid::from(function.value() as u32)
}

/// Calls a function of the extension's own, which gives a row of two columns, named as `regprocedure` reads it.
pub fn call_for_two(function: &CStr, arguments: [pg_sys::Datum; 3]) -> [Option<pg_sys::Datum>; 2] {
    let (function, collation) = (find(function), pg_sys::InvalidOid);
    let row = frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: as many arguments as the function has, of its types by the caller's word; none is NULL.
        unsafe {
            raw::OidFunctionCall3Coll(function, collation, arguments[0], arguments[1], arguments[2])
        }
    });
    [1, 2].map(|column| {
        let mut is_null = false;
        // SAFETY: a composite value of as many columns.
        let value = unsafe { pg_sys::GetAttributeByNum(row.cast_mut_ptr(), column, &mut is_null) };
        (!is_null).then_some(value)
    })
}

/// Calls a function of the extension's own, named as `regprocedure` reads it, that never gives NULL; as who calls.
pub fn call_with_two(function: &CStr, arguments: [pg_sys::Datum; 2]) -> pg_sys::Datum {
    let (function, collation) = (find(function), pg_sys::InvalidOid);
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: as many arguments as the function has, of its types by the caller's word; none is NULL.
        unsafe {
            raw::OidFunctionCall2Coll(function, collation, arguments[0], arguments[1])
        }
    })
}

/// Calls a function of the extension's own, named as `regprocedure` reads it, with who asks for it as its last
/// argument; `None`, and it is not called, where another is NULL. Nobody needs a right to it.
pub fn call_own<const N: usize>(
    function: &CStr,
    arguments: [Option<pg_sys::Datum>; N],
    who: pg_sys::Datum,
) -> Option<pg_sys::Datum> {
    const { assert!(N == 1 || N == 2) };
    if arguments.iter().any(Option::is_none) {
        return None;
    }
    let arguments = arguments.map(|argument| argument.unwrap_or(pg_sys::Datum::from(0)));
    let (function, collation) = (find(function), pg_sys::InvalidOid);
    Some(frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: as many arguments as the function has, of its types by the caller's word; none is NULL.
        unsafe {
            if N == 1 {
                raw::OidFunctionCall2Coll(function, collation, arguments[0], who)
            } else {
                raw::OidFunctionCall3Coll(function, collation, arguments[0], arguments[N - 1], who)
            }
        }
    }))
}

/// Has a call give NULL.
pub fn null(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the call's own result.
    unsafe { (*call).isnull = true };
    pg_sys::Datum::from(0)
}

/// A value of a result row.
pub enum Value {
    Null,
    Text(String),
    Integer(i32),
    Bigint(i64),
    Double(f64),
    Oid(pg_sys::Oid),
    Timestamp(pg_sys::TimestampTz),
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Value {
        text.map_or(Value::Null, Value::Text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

/// The rows of a function that returns a set.
pub struct ResultRows {
    store: *mut pg_sys::Tuplestorestate,
    descriptor: pg_sys::TupleDesc,
}

impl ResultRows {
    /// Begins the result of a call; PostgreSQL's own error where the caller takes no set.
    pub fn of(call: pg_sys::FunctionCallInfo) -> ResultRows {
        frame::call(|| {
            #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
            // SAFETY: a call of a function that is declared to return a set of rows.
            unsafe {
                raw::InitMaterializedSRF(call, 0)
            }
        });
        // SAFETY: InitMaterializedSRF has filled it in.
        let info = unsafe { &*(*call).resultinfo.cast::<pg_sys::ReturnSetInfo>() };
        ResultRows { store: info.setResult, descriptor: info.setDesc }
    }

    /// Adds a row, a value for each column that the function declares.
    pub fn put(&self, values: Vec<Value>) {
        let mut datums = Vec::with_capacity(values.len());
        let mut nulls = Vec::with_capacity(values.len());
        for value in &values {
            nulls.push(matches!(value, Value::Null));
            datums.push(value.datum());
        }
        // SAFETY: the store and its descriptor live as long as the call; the values are copied.
        unsafe {
            pg_sys::tuplestore_putvalues(
                self.store,
                self.descriptor,
                datums.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
        }
    }
}

impl Value {
    /// In the current memory context.
    pub fn datum(&self) -> pg_sys::Datum {
        match self {
            Value::Null => pg_sys::Datum::from(0),
            Value::Text(text) => {
                // SAFETY: a NUL-terminated text, copied into a new value.
                pg_sys::Datum::from(unsafe { pg_sys::cstring_to_text(text::to_server(text).as_ptr()) })
            }
            Value::Integer(number) => pg_sys::Datum::from(*number),
            Value::Bigint(number) | Value::Timestamp(number) => pg_sys::Datum::from(*number),
            Value::Double(number) => pg_sys::Datum::from(number.to_bits()),
            Value::Oid(oid) => pg_sys::Datum::from(*oid),
        }
    }
}
