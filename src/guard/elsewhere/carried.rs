//! What is known of a write before an engine plans it, on its way through the engine's plan node.

use core::ffi::c_char;

use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;

use crate::analysis::{self, Finding, Qualification};
use crate::engines::query::{self, Rows};
use crate::engines::{self, references};
use crate::guard::orders::Facts;
use crate::levels;
use crate::pg::local::Local;
use crate::pg::nodes::{self, Node};
use crate::pg::{pg_sys, unique_keys};
use crate::settings::{self, SumOver};

/// What is found out of a statement before the engine plans it, which scribbles on the Query.
#[derive(Clone, Copy)]
pub struct Prepared {
    /// The query that counts; NULL where none can.
    counting: *const c_char,
    /// The query that counts those of the rows that the transaction has made; NULL where nobody asks.
    made: *const c_char,
    /// The query that gives what foreign keys refer to in those rows; NULL where no key goes on to other tables.
    keys: *const c_char,
    /// It writes one row at most.
    is_point_write: bool,
}

/// What the engine's plan node carries of one write, in `custom_exprs`.
#[derive(Clone, Copy)]
pub(super) struct Carried {
    pub facts: Facts,
    /// Of a deferred finding.
    pub conditions: *mut pg_sys::List,
    pub expected: *mut pg_sys::List,
    pub counting: *const c_char,
    pub made: *const c_char,
    pub keys: *const c_char,
    pub is_point_write: bool,
    /// The statement's own write, and not that of a CTE, of which the engine reports no count.
    pub is_main: bool,
}

/// Tells what is carried from what others might put there: the type modifier of its constant, "SafE".
const MARK: i32 = 0x5361_6645;

/// How many writes have been given to plans of engines' in this session.
static GIVEN: Local<u32> = Local::new(0);

pub fn given() -> u32 {
    GIVEN.get()
}

/// What is to be known of a write before it is planned; `None` where no engine runs it.
pub fn prepare(
    query: Node<pg_sys::Query>,
    whole: Node<pg_sys::Query>,
    finding: &Finding,
) -> Option<Prepared> {
    if !engines::runs(finding.write.relation) {
        return None;
    }
    let beside = if query == whole { String::new() } else { query::beside(whole) };
    let is_point_write = matches!(finding.write.command, Command::Delete | Command::Update)
        && query.condition().is_some_and(|condition| {
            unique_keys::leaves_one(finding.write.relation, query.resultRelation, condition)
        });
    let is_free = is_point_write && finding.expected.is_null();
    let counting = if is_free { std::ptr::null() } else { query::counting(query, Rows::All, &beside) };
    let is_alone = levels::plans_clients_own() && settings::scope() == SumOver::Statement;
    let may_be_made = matches!(finding.write.command, Command::Delete | Command::Update) && !is_alone;
    let made = if may_be_made { query::counting(query, Rows::Made, &beside) } else { std::ptr::null() };
    let keys = references::keys(query, finding.write, &beside);
    Some(Prepared { counting, made, keys, is_point_write })
}

/// Gives the findings to the engine's plan of the statement; the last is its own, those before are its CTEs'. Where
/// the engine has planned a CTE by itself, that plan carries what was found of it (`planned_by_itself`).
///
/// # Safety
/// `plan` is what the planner made of the Query that `findings` describe.
pub unsafe fn attach(
    plan: *mut pg_sys::PlannedStmt,
    findings: &[Option<Finding>],
    prepared: &[Option<Prepared>],
    planned_by_itself: bool,
) {
    // SAFETY: a finished plan, ours to change until the planner hook returns.
    unsafe {
        let Some(scan) = engines_node((*plan).planTree) else { return };
        for (at, finding) in findings.iter().enumerate() {
            let (Some(finding), Some(Some(prepared))) = (finding, prepared.get(at)) else { continue };
            let is_main = at + 1 == findings.len() && (*plan).commandType != pg_sys::CmdType::CMD_SELECT;
            if !finding.guarded && !analysis::looks_at_all() && finding.expected.is_null() {
                continue;
            }
            let is_free = prepared.is_point_write
                && is_main
                && prepared.keys.is_null()
                && finding.qualification == Qualification::Qualified
                && finding.free > 0
                && finding.expected.is_null()
                && settings::scope() == SumOver::Statement
                && !analysis::looks_at_all()
                && levels::plans_clients_own();
            if is_free || (!is_main && planned_by_itself) {
                continue;
            }
            let carried = Carried {
                facts: Facts::of_whole_statement(finding),
                conditions: finding.conditions,
                expected: finding.expected,
                counting: prepared.counting,
                made: prepared.made,
                keys: prepared.keys,
                is_point_write: prepared.is_point_write,
                is_main,
            };
            (*scan).custom_exprs = pg_sys::lappend((*scan).custom_exprs, carried.as_list().cast());
            if !is_main {
                // The executor's hooks look at it for this.
                (*plan).hasModifyingCTE = true;
            }
            GIVEN.set(GIVEN.get().wrapping_add(1));
        }
    }
}

/// The node of an engine's that is the whole plan.
///
/// # Safety
/// `plan` is NULL or a plan node.
pub(super) unsafe fn engines_node(plan: *mut pg_sys::Plan) -> Option<*mut pg_sys::CustomScan> {
    // SAFETY: the cast follows the tag; a node's methods have a name.
    unsafe {
        let scan = nodes::cast::<pg_sys::CustomScan, _>(plan, NodeTag::T_CustomScan)?;
        let name = core::ffi::CStr::from_ptr((*(*scan).methods).CustomName);
        engines::here()?.is_own_node(name).then_some(scan)
    }
}

impl Carried {
    fn as_list(self) -> *mut pg_sys::List {
        const SIZE: usize = pg_sys::VARHDRSZ + size_of::<Carried>();
        let nothing = pg_sys::InvalidOid;
        // SAFETY: makes nodes in the current memory context; a varlena has its bytes behind its head.
        unsafe {
            let value = pg_sys::palloc0(SIZE).cast::<pg_sys::varlena>();
            pgrx::set_varsize_4b(value, SIZE as i32);
            value.byte_add(pg_sys::VARHDRSZ).cast::<Carried>().write_unaligned(self);
            let fixed = pg_sys::makeConst(pg_sys::BYTEAOID, MARK, nothing, -1, value.into(), false, false);
            let node = |text: *const c_char| match text.is_null() {
                true => std::ptr::null_mut(),
                false => pg_sys::makeString(text.cast_mut()).cast(),
            };
            let texts = [node(self.counting), node(self.made), node(self.keys)];
            let parts = [fixed.cast(), self.conditions.cast(), self.expected.cast()].into_iter().chain(texts);
            parts.fold(std::ptr::null_mut(), |list, part| pg_sys::lappend(list, part))
        }
    }

    /// Reads what `as_list` wrote; the plan may have been copied since. Owns nothing.
    ///
    /// # Safety
    /// `list` is NULL or a node of a plan.
    pub unsafe fn read(list: *mut pg_sys::Node) -> Option<Carried> {
        // SAFETY: by contract, casts follow tags; a plan stays in the process that made it.
        unsafe {
            let list = nodes::cast::<pg_sys::List, _>(list, NodeTag::T_List)?;
            let mut items = nodes::items::<pg_sys::Node>(list);
            let fixed = nodes::cast::<pg_sys::Const, _>(items.next()?, NodeTag::T_Const)?;
            if (*fixed).consttypmod != MARK {
                return None;
            }
            let (conditions, expected) = (items.next()?, items.next()?);
            let (counting, made, keys) = (items.next()?, items.next()?, items.next()?);
            let value = (*fixed).constvalue.cast_mut_ptr::<pg_sys::varlena>();
            let carried = value.byte_add(pg_sys::VARHDRSZ).cast::<Carried>().read_unaligned();
            let text = |node| {
                nodes::cast::<pg_sys::String, _>(node, NodeTag::T_String)
                    .map_or(std::ptr::null(), |text| (*text).sval.cast_const())
            };
            let (counting, made, keys) = (text(counting), text(made), text(keys));
            let (conditions, expected) = (conditions.cast(), expected.cast());
            Some(Carried { conditions, expected, counting, made, keys, ..carried })
        }
    }
}
