//! PostgreSQL's settings with types: a row for each, its variable, and who hears of its values. What PostgreSQL
//! calls are bare frames of this file; what they call are safe functions of ours.

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use pg_sys::GucContext::{self, PGC_POSTMASTER, PGC_SIGHUP};

use super::local::Local;
use super::{backend, compat, frame, pg_sys, roles, text};

pub struct Setting {
    pub name: &'static CStr,
    /// What pg_settings shows: in one sentence, and beyond it.
    pub short: &'static CStr,
    pub long: &'static CStr,
    /// PGC_SUSET unless an ordinary role may loosen by it as well as tighten: SET, set_config, ALTER ROLE and
    /// a function's SET clause are anyone's.
    pub context: GucContext::Type,
    pub value: Value,
}

/// The variable, which has the default; from where to where it goes; and the hooks.
pub enum Value {
    Bool(&'static Local<bool>, Assign<bool>),
    Int(&'static Local<i32>, (c_int, c_int), pg_sys::GucIntCheckHook, pg_sys::GucIntAssignHook),
    Real(&'static Local<f64>, (f64, f64), Assign<f64>),
    /// See [`Value::words`].
    Enum(*mut c_int, *const pg_sys::config_enum_entry, Assign<c_int>),
    Text(&'static Text, c_int, pg_sys::GucStringCheckHook, pg_sys::GucStringAssignHook),
}

// SAFETY: addresses of what lives as long as the library, and of variables that a backend's one thread uses.
unsafe impl Sync for Setting {}

/// An assign hook: a bare frame. PostgreSQL assigns the variable after it, so it still sees the old value.
pub type Assign<V> = extern "C-unwind" fn(V, *mut c_void);

/// SET takes `a, b` for a list as well as 'a, b'.
pub const LIST: c_int = pg_sys::GUC_LIST_INPUT as c_int;

/// A type whose values are a setting's words; [`words`] makes one of an enum.
///
/// # Safety
/// It has an int's size, each number in WORDS is a value of it, and the last word is NULL.
pub unsafe trait Words: Copy {
    const WORDS: &'static [pg_sys::config_enum_entry];
}

/// `words!(Type { c"word" => Variant, … })`
macro_rules! words {
    ($type:ident { $($word:literal => $variant:ident,)* }) => {
        // SAFETY: the numbers are those of the type's variants, and the last word is NULL.
        unsafe impl $crate::pg::guc::Words for $type {
            const WORDS: &'static [$crate::pg::pg_sys::config_enum_entry] = {
                assert!(size_of::<$type>() == size_of::<core::ffi::c_int>());
                &[
                    $($crate::pg::guc::word($word.as_ptr(), $type::$variant as core::ffi::c_int),)*
                    $crate::pg::guc::word(std::ptr::null(), 0),
                ]
            };
        }
    };
}
pub(crate) use words;

pub const fn word(name: *const c_char, val: c_int) -> pg_sys::config_enum_entry {
    pg_sys::config_enum_entry { name, val, hidden: false }
}

impl Value {
    /// A setting of a few words.
    pub const fn words<E: Words>(variable: &'static Local<E>, assign: Assign<c_int>) -> Value {
        Value::Enum(variable.as_ptr().cast(), E::WORDS.as_ptr(), assign)
    }

    /// A text that is read.
    pub const fn text<R: Reader>(variable: &'static Text, flags: c_int) -> Value {
        Value::Text(variable, flags, Some(check_text::<R>), Some(assign_text::<R>))
    }

    /// A text of which is known who has declared it.
    pub const fn declared_text<D: Declared>(variable: &'static Text) -> Value {
        Value::Text(variable, 0, Some(keep_declarer), Some(tell_declarer::<_, D>))
    }

    /// A number of which is known who has declared it.
    pub const fn declared_int<D: Declared>(variable: &'static Local<i32>, range: (c_int, c_int)) -> Value {
        Value::Int(variable, range, Some(keep_declarer), Some(tell_declarer::<_, D>))
    }

    pub const fn int(variable: &'static Local<i32>, range: (c_int, c_int), assign: Assign<c_int>) -> Value {
        Value::Int(variable, range, None, Some(assign))
    }
}

/// A text's variable.
pub struct Text(Local<*mut c_char>);

impl Text {
    pub const fn new(default: &'static CStr) -> Text {
        Text(Local::new(default.as_ptr().cast_mut()))
    }

    /// The text; empty where there is none.
    pub fn get(&self) -> String {
        // SAFETY: NULL or NUL-terminated: what PostgreSQL has written, or the default. It stays until it is set anew.
        unsafe { text::at(self.0.get()) }.map(text::from_server).unwrap_or_default()
    }
}

/// What reads a text when it is set.
pub trait Reader {
    /// Whether the text can be read; if not, the DETAIL of PostgreSQL's error.
    fn check(new: &str) -> Result<(), String>;

    /// The variable is about to have this text, which `check` has passed.
    fn assign(new: &str);
}

/// A check hook.
unsafe extern "C-unwind" fn check_text<R: Reader>(
    new: *mut *mut c_char,
    _: *mut *mut c_void,
    _: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL passes where the proposed text is: NULL or NUL-terminated.
    let new = unsafe { text::at(*new) };
    frame::undisturbed(false, || R::check(&of_setting(new)).map_err(|detail| explain(&detail)).is_ok())
}

/// An assign hook, which must not fail.
unsafe extern "C-unwind" fn assign_text<R: Reader>(new: *const c_char, _: *mut c_void) {
    // SAFETY: PostgreSQL's argument: NULL or NUL-terminated.
    let new = unsafe { text::at(new) };
    frame::undisturbed((), || R::assign(&of_setting(new)));
}

fn of_setting(text: Option<&CStr>) -> String {
    text.map(text::of_setting).unwrap_or_default()
}

/// Leaves DETAIL for PostgreSQL's "invalid value for parameter".
fn explain(detail: &str) {
    let Ok(detail) = CString::new(detail) else { return };
    // SAFETY: what the macro GUC_check_errdetail does; ErrorContext lives until the report is out.
    unsafe {
        pg_sys::GUC_check_errdetail_string =
            pg_sys::MemoryContextStrdup(pg_sys::ErrorContext, detail.as_ptr());
    }
}

/// What is told who has declared a value.
pub trait Declared {
    /// The role that did by SET; InvalidOid where the value came with the session, from its start, its role,
    /// its database or the configuration.
    fn declared(by: pg_sys::Oid);
}

/// A check hook: passes on who declares a value, to be kept beside it by PostgreSQL itself, so that the end of a
/// transaction or function brings both back. Not, where there is no memory.
unsafe extern "C-unwind" fn keep_declarer<V>(
    _: *mut V,
    extra: *mut *mut c_void,
    source: pg_sys::GucSource::Type,
) -> bool {
    if source != pg_sys::GucSource::PGC_S_SESSION {
        return true;
    }
    let place = compat::setting_extra(size_of::<pg_sys::Oid>()).cast::<pg_sys::Oid>();
    if place.is_null() {
        return false;
    }
    // SAFETY: PostgreSQL passes where the extra belongs; the place has room for an Oid. SET runs as a user.
    unsafe {
        *place = roles::current().0;
        *extra = place.cast();
    }
    true
}

/// An assign hook.
unsafe extern "C-unwind" fn tell_declarer<V, D: Declared>(_: V, extra: *mut c_void) {
    // SAFETY: NULL or what `keep_declarer` has made.
    D::declared(unsafe { extra.cast::<pg_sys::Oid>().as_ref() }.copied().unwrap_or(pg_sys::InvalidOid));
}

/// Defines settings and reserves their prefix, so that a misspelt name is an error.
pub fn define(settings: &'static [Setting], prefix: &'static CStr) {
    settings.iter().for_each(Setting::define);
    // SAFETY: a NUL-terminated prefix; drops what was set under unknown names, with a warning.
    unsafe { pg_sys::MarkGUCPrefixReserved(prefix.as_ptr()) };
}

impl Setting {
    fn define(&'static self) {
        let (name, short, long) = (self.name.as_ptr(), self.short.as_ptr(), self.long.as_ptr());
        let context = match self.context {
            // Where the library comes later, a postmaster's setting could not be defined any more.
            PGC_POSTMASTER if !backend::is_preloading() => PGC_SIGHUP,
            context => context,
        };
        // SAFETY: names, texts, variables and words live as long as the library, and so do the hooks, which
        // are bare frames. An enum's variable has an int's size, and each number of its words is a value of it.
        unsafe {
            match self.value {
                Value::Bool(of, assign) => {
                    let (at, boot) = (of.as_ptr(), of.get());
                    pg_sys::DefineCustomBoolVariable(
                        name,
                        short,
                        long,
                        at,
                        boot,
                        context,
                        0,
                        None,
                        Some(assign),
                        None,
                    );
                }
                Value::Int(of, (min, max), check, assign) => {
                    let (at, boot) = (of.as_ptr(), of.get());
                    pg_sys::DefineCustomIntVariable(
                        name, short, long, at, boot, min, max, context, 0, check, assign, None,
                    );
                }
                Value::Real(of, (min, max), assign) => {
                    let (at, boot) = (of.as_ptr(), of.get());
                    pg_sys::DefineCustomRealVariable(
                        name,
                        short,
                        long,
                        at,
                        boot,
                        min,
                        max,
                        context,
                        0,
                        None,
                        Some(assign),
                        None,
                    );
                }
                Value::Enum(at, words, assign) => {
                    pg_sys::DefineCustomEnumVariable(
                        name,
                        short,
                        long,
                        at,
                        *at,
                        words,
                        context,
                        0,
                        None,
                        Some(assign),
                        None,
                    );
                }
                Value::Text(of, flags, check, assign) => {
                    let (at, boot) = (of.0.as_ptr(), of.0.get());
                    pg_sys::DefineCustomStringVariable(
                        name, short, long, at, boot, context, flags, check, assign, None,
                    );
                }
            }
        }
    }
}

/// What is set from here on, until it is undone.
#[derive(Clone, Copy)]
pub struct NestLevel(c_int);

impl NestLevel {
    pub fn begin() -> NestLevel {
        NestLevel(pg_sys::NewGUCNestLevel())
    }

    /// Undoes what was set since it began, in levels that began later, too.
    pub fn undo(self) {
        // SAFETY: ends what `begin` has begun; where that has ended before, nothing is left to undo.
        unsafe { pg_sys::AtEOXact_GUC(false, self.0) }
    }
}
