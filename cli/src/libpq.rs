//! libpq, as much of it as is needed here. It is linked, and no driver in Rust is taken, because what a connection
//! means to PostgreSQL's users is what libpq does: the service file, .pgpass, every PG* variable, URLs, several hosts,
//! TLS and GSSAPI as the administrator has set them up. The only file with unsafe code.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr::{self, NonNull};

/// PGconn, PGresult, PGcancel: libpq's own.
#[repr(C)]
struct PGconn([u8; 0]);
#[repr(C)]
struct PGresult([u8; 0]);
#[repr(C)]
struct PGcancel([u8; 0]);

type NoticeProcessor = extern "C" fn(*mut c_void, *const c_char);

// libpq-fe.h. None of these functions calls back but the notice processor, which does nothing.
unsafe extern "C" {
    fn PQconnectdbParams(
        keys: *const *const c_char,
        values: *const *const c_char,
        expand: c_int,
    ) -> *mut PGconn;
    fn PQfinish(connection: *mut PGconn);
    fn PQstatus(connection: *const PGconn) -> c_uint;
    fn PQerrorMessage(connection: *const PGconn) -> *const c_char;
    fn PQsetNoticeProcessor(
        connection: *mut PGconn,
        processor: NoticeProcessor,
        argument: *mut c_void,
    ) -> Option<NoticeProcessor>;
    fn PQexecParams(
        connection: *mut PGconn,
        command: *const c_char,
        count: c_int,
        types: *const c_uint,
        values: *const *const c_char,
        lengths: *const c_int,
        formats: *const c_int,
        result_format: c_int,
    ) -> *mut PGresult;
    fn PQsendQuery(connection: *mut PGconn, command: *const c_char) -> c_int;
    fn PQgetResult(connection: *mut PGconn) -> *mut PGresult;
    fn PQputCopyData(connection: *mut PGconn, data: *const c_char, length: c_int) -> c_int;
    fn PQputCopyEnd(connection: *mut PGconn, error: *const c_char) -> c_int;
    fn PQgetCopyData(connection: *mut PGconn, data: *mut *mut c_char, asynchronous: c_int) -> c_int;
    fn PQfreemem(memory: *mut c_void);
    fn PQresultStatus(result: *const PGresult) -> c_uint;
    fn PQresultErrorField(result: *const PGresult, code: c_int) -> *const c_char;
    fn PQclear(result: *mut PGresult);
    fn PQntuples(result: *const PGresult) -> c_int;
    fn PQgetisnull(result: *const PGresult, row: c_int, column: c_int) -> c_int;
    fn PQgetvalue(result: *const PGresult, row: c_int, column: c_int) -> *const c_char;
    fn PQgetCancel(connection: *mut PGconn) -> *mut PGcancel;
    fn PQcancel(cancel: *mut PGcancel, error: *mut c_char, size: c_int) -> c_int;
}

const CONNECTION_OK: c_uint = 0;
const PGRES_COMMAND_OK: c_uint = 1;
const PGRES_TUPLES_OK: c_uint = 2;
const PGRES_COPY_OUT: c_uint = 3;
const PGRES_COPY_IN: c_uint = 4;
const PGRES_EMPTY_QUERY: c_uint = 0;

/// Why something was not done.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// Empty where libpq itself says it.
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// The character of the text that it is about, from 1.
    pub position: Option<usize>,
    /// The connection is of no more use.
    pub is_lost: bool,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), ..Failure::default() }
    }
}

/// A connection to a server.
pub struct Connection(NonNull<PGconn>);

/// Cancels what a connection runs, from any thread.
pub struct Canceller(NonNull<PGcancel>);

// SAFETY: PQcancel is made to be called beside the connection's own thread, even from a signal handler; nothing else
// is done with it.
unsafe impl Send for Canceller {}

/// What a query gave.
pub struct Rows(NonNull<PGresult>);

extern "C" fn ignore_notice(_: *mut c_void, _: *const c_char) {}

/// # Safety
/// NULL or NUL-terminated.
unsafe fn text(from: *const c_char) -> Option<String> {
    // SAFETY: by contract.
    (!from.is_null()).then(|| unsafe { CStr::from_ptr(from) }.to_string_lossy().trim_end().to_owned())
}

fn without_nul(text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| Failure::new("a text holds a NUL"))
}

impl Connection {
    /// Connects as `conninfo` says (a URL, or keywords and values) and, as far as it is silent, libpq's variables and
    /// files. The connection speaks UTF-8.
    ///
    /// # Errors
    /// What libpq says.
    pub fn open(conninfo: &str) -> Result<Connection, Failure> {
        let conninfo = without_nul(conninfo)?;
        let keys = [c"dbname", c"fallback_application_name", c"client_encoding"];
        let values = [conninfo.as_c_str(), c"safedelete-check", c"UTF8"];
        // Without a connection string there is none to expand, and dbname is libpq's to choose.
        let first = usize::from(conninfo.is_empty());
        let ends = |texts: &[&CStr]| -> Vec<*const c_char> {
            texts[first..].iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
        };
        // SAFETY: two arrays of NUL-terminated texts, each ended by NULL; libpq copies them.
        let raw = unsafe { PQconnectdbParams(ends(&keys).as_ptr(), ends(&values).as_ptr(), 1) };
        let connection = Connection(NonNull::new(raw).ok_or_else(|| Failure::new("out of memory"))?);
        // SAFETY: a PGconn of libpq's, connected or not.
        unsafe {
            if PQstatus(raw) != CONNECTION_OK {
                return Err(connection.own_failure());
            }
            PQsetNoticeProcessor(raw, ignore_notice, ptr::null_mut());
        }
        Ok(connection)
    }

    fn raw(&self) -> *mut PGconn {
        self.0.as_ptr()
    }

    fn own_failure(&self) -> Failure {
        // SAFETY: a PGconn; its message lives until the next call.
        let (message, status) = unsafe { (text(PQerrorMessage(self.raw())), PQstatus(self.raw())) };
        Failure { is_lost: status != CONNECTION_OK, ..Failure::new(message.unwrap_or_default()) }
    }

    pub fn canceller(&self) -> Option<Canceller> {
        // SAFETY: a PGconn; what is given is a copy of what cancelling needs.
        NonNull::new(unsafe { PQgetCancel(self.raw()) }).map(Canceller)
    }

    /// Runs one statement with parameters, all of them and all results as text.
    ///
    /// # Errors
    /// The server's error, or libpq's.
    pub fn query(&self, command: &str, parameters: &[Option<&str>]) -> Result<Rows, Failure> {
        let command = without_nul(command)?;
        let owned =
            parameters.iter().map(|one| one.map(without_nul).transpose()).collect::<Result<Vec<_>, _>>()?;
        let values: Vec<_> =
            owned.iter().map(|one| one.as_ref().map_or(ptr::null(), |value| value.as_ptr())).collect();
        let count = c_int::try_from(values.len()).map_err(|_| Failure::new("too many parameters"))?;
        // SAFETY: `count` NUL-terminated texts; types are the server's to find.
        let raw = unsafe {
            PQexecParams(
                self.raw(),
                command.as_ptr(),
                count,
                ptr::null(),
                values.as_ptr(),
                ptr::null(),
                ptr::null(),
                0,
            )
        };
        self.rows(raw)
    }

    /// Runs a text of several statements as one message, which is one transaction unless it says otherwise; each
    /// COPY FROM STDIN in it is given the next of `data`.
    ///
    /// # Errors
    /// The first error.
    pub fn run(&self, text: &str, data: &[&str]) -> Result<(), Failure> {
        let text = without_nul(text)?;
        // SAFETY: NUL-terminated; results are read to the end below.
        if unsafe { PQsendQuery(self.raw(), text.as_ptr()) } != 1 {
            return Err(self.own_failure());
        }
        let mut data = data.iter();
        let mut outcome = Ok(());
        loop {
            // SAFETY: a query is running; NULL is its end.
            let raw = unsafe { PQgetResult(self.raw()) };
            if raw.is_null() {
                return outcome;
            }
            // SAFETY: a result of libpq's.
            let status = unsafe { PQresultStatus(raw) };
            let one = self.rows(raw).map(drop);
            match status {
                PGRES_COPY_IN => self.put(data.next().copied().unwrap_or_default()),
                PGRES_COPY_OUT => self.skip_copy(),
                _ => outcome = outcome.and(one),
            }
            if outcome.as_ref().is_err_and(|failure: &Failure| failure.is_lost) {
                return outcome;
            }
        }
    }

    /// The data of a COPY; what goes wrong is told by the result that comes next.
    fn put(&self, data: &str) {
        for piece in data.as_bytes().chunks(1 << 20) {
            // SAFETY: a COPY is going on; libpq copies.
            unsafe { PQputCopyData(self.raw(), piece.as_ptr().cast(), piece.len() as c_int) };
        }
        // SAFETY: as above.
        unsafe { PQputCopyEnd(self.raw(), ptr::null()) };
    }

    fn skip_copy(&self) {
        let mut line = ptr::null_mut();
        // SAFETY: a COPY is going on; each line is libpq's to free.
        unsafe {
            while PQgetCopyData(self.raw(), &raw mut line, 0) > 0 {
                PQfreemem(line.cast());
            }
        }
    }

    /// What a result is, taken over from libpq.
    fn rows(&self, raw: *mut PGresult) -> Result<Rows, Failure> {
        let rows = Rows(NonNull::new(raw).ok_or_else(|| self.own_failure())?);
        // SAFETY: a result of libpq's.
        match unsafe { PQresultStatus(raw) } {
            PGRES_COMMAND_OK | PGRES_TUPLES_OK | PGRES_EMPTY_QUERY | PGRES_COPY_IN | PGRES_COPY_OUT => {
                Ok(rows)
            }
            _ => Err(self.failure(&rows)),
        }
    }

    fn failure(&self, rows: &Rows) -> Failure {
        // SAFETY: a result of libpq's, whose fields are NULL or NUL-terminated; postgres_ext.h names them by letters.
        let field = |letter: u8| unsafe { text(PQresultErrorField(rows.0.as_ptr(), c_int::from(letter))) };
        let own = self.own_failure();
        Failure {
            sqlstate: field(b'C').unwrap_or_default(),
            message: field(b'M').unwrap_or(own.message),
            detail: field(b'D'),
            hint: field(b'H'),
            position: field(b'P').and_then(|position| position.parse().ok()),
            is_lost: own.is_lost,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: made by PQconnectdbParams, and used no more.
        unsafe { PQfinish(self.raw()) };
    }
}

impl Canceller {
    /// Asks the server to cancel; whether it did is told by the connection.
    pub fn cancel(&self) {
        let mut error = [0; 256];
        // SAFETY: made by PQgetCancel; the room for its error is as large as told.
        unsafe { PQcancel(self.0.as_ptr(), error.as_mut_ptr(), error.len() as c_int) };
    }
}

impl Rows {
    pub fn count(&self) -> usize {
        // SAFETY: a result of libpq's.
        usize::try_from(unsafe { PQntuples(self.0.as_ptr()) }).unwrap_or(0)
    }

    /// A value, from row and column 0; `None` for NULL and what is not there.
    pub fn value(&self, row: usize, column: usize) -> Option<&str> {
        let (row, column) = (c_int::try_from(row).ok()?, c_int::try_from(column).ok()?);
        // SAFETY: a result of libpq's, which minds numbers that are too high and gives NULL; a value lives as long
        // as the result.
        unsafe {
            if PQgetisnull(self.0.as_ptr(), row, column) != 0 {
                return None;
            }
            let value = PQgetvalue(self.0.as_ptr(), row, column);
            if value.is_null() { None } else { CStr::from_ptr(value).to_str().ok() }
        }
    }

    pub fn number<T: std::str::FromStr>(&self, row: usize, column: usize) -> Option<T> {
        self.value(row, column)?.parse().ok()
    }

    pub fn text(&self, row: usize, column: usize) -> Option<String> {
        self.value(row, column).map(str::to_owned)
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // SAFETY: libpq's, and used no more.
        unsafe { PQclear(self.0.as_ptr()) };
    }
}

/// Takes libpq's variables from the environment, which are not meant for a scratch server.
pub fn forget_variables() {
    let names =
        std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("PG"));
    for name in names.collect::<Vec<_>>() {
        // SAFETY: called before there is another thread.
        unsafe { std::env::remove_var(name) };
    }
}
