//! `safedelete.exactly(n)` and `safedelete.at_most(n)`: found by what the parser resolved them to, and taken out of
//! the condition before anything judges or plans it, so that they restrict nothing, cost nothing a row and
//! keep no index from being used. What is left in a statement is not enforced, and raises when that is planned.

use safedelete_core::expectation::{self, BadNumber, Expectation, Word};

use super::rules;
use crate::pg::local::Local;
use crate::pg::nodes::{Kind, Node, Nodes, expressions};
use crate::pg::{compat, pg_sys, relations, report, text};

/// Whether a statement has been looked into since the library came.
static LOOKS: Local<bool> = Local::new(false);

/// A statement is looked into. For bare frames.
#[inline(always)]
pub fn look() {
    LOOKS.set(true);
}

/// Whether statements of this session are.
pub fn is_looked_for() -> bool {
    LOOKS.get()
}

type Query<'t> = Node<'t, pg_sys::Query>;
type Call<'t> = Node<'t, pg_sys::FuncExpr>;

/// Whether the condition of a DELETE or UPDATE may have one in its top-level AND. For bare frames; says yes to any
/// other function.
#[inline]
pub fn may_be_in(query: Query) -> bool {
    match query.condition().map(Node::kind) {
        Some(Kind::FuncExpr(_)) => true,
        Some(Kind::BoolExpr(and)) if and.boolop == pg_sys::BoolExprType::AND_EXPR => {
            and.args().iter().any(|arm| matches!(arm.kind(), Kind::FuncExpr(_) | Kind::BoolExpr(_)))
        }
        _ => false,
    }
}

/// What is expected, as a plan carries it: the argument, ready to be run, and the word by its number.
pub type Said<'t> = Node<'t, pg_sys::TargetEntry>;

/// Takes what is expected out of the condition of a write, which is ours to change: its WHERE, MERGE's ON, the WHERE
/// of ON CONFLICT DO UPDATE. Raises 22023 for an argument that is not one number for the whole statement.
pub fn take(query: Query) -> Nodes<pg_sys::TargetEntry> {
    let condition = match query.commandType {
        pg_sys::CmdType::CMD_MERGE => compat::merge_condition(query),
        pg_sys::CmdType::CMD_INSERT => query.onConflict().and_then(|conflict| conflict.onConflictWhere()),
        _ => query.condition(),
    };
    let mut calls = Vec::new();
    let left = condition.and_then(|condition| without(condition, &mut calls));
    if !calls.is_empty() {
        match (query.commandType, query.onConflict()) {
            // A join has a condition.
            (pg_sys::CmdType::CMD_MERGE, _) => {
                compat::set_merge_condition(
                    query,
                    left.unwrap_or_else(|| expressions::constant_condition(Some(true))),
                );
            }
            (pg_sys::CmdType::CMD_INSERT, Some(conflict)) => conflict.set_condition(left),
            _ => query.set_condition(left),
        }
    }
    calls.into_iter().filter_map(|(word, call)| prepared(word, call)).collect()
}

/// Takes out what a rule that adds to a statement copies of that statement's condition: it is of that statement, which
/// runs besides. Left in, and so an error, where it does not.
pub fn leave_to_the_statement(action: Query) {
    let is_there = |condition: Node| {
        let mut found = false;
        arms(condition, &mut |arm| {
            found |= matches!(arm.kind(), Kind::FuncExpr(call) if word(call).is_some())
        });
        found
    };
    if action.condition().is_some_and(is_there) && rules::leave_the_statement(action) {
        let left = action.condition().and_then(|condition| without(condition, &mut Vec::new()));
        action.set_condition(left);
    }
}

/// What a condition joins by AND.
fn arms<'t>(condition: Node<'t>, to: &mut impl FnMut(Node<'t>)) {
    match condition.kind() {
        Kind::BoolExpr(and) if and.boolop == pg_sys::BoolExprType::AND_EXPR => {
            and.args().iter().for_each(|arm| arms(arm, to));
        }
        _ => to(condition),
    }
}

/// A condition without the calls, which are put aside; `None` where nothing is left.
fn without<'t>(condition: Node<'t>, calls: &mut Vec<(Word, Call<'t>)>) -> Option<Node<'t>> {
    match condition.kind() {
        Kind::FuncExpr(call) => {
            let Some(word) = word(call) else { return Some(condition) };
            calls.push((word, call));
            None
        }
        Kind::BoolExpr(and) if and.boolop == pg_sys::BoolExprType::AND_EXPR => {
            let before = calls.len();
            let left: Nodes = and.args().iter().filter_map(|arm| without(arm, calls)).collect();
            if calls.len() == before {
                return Some(condition);
            }
            if left.len() > 1 {
                and.set_args(left);
                return Some(condition);
            }
            left.first()
        }
        _ => Some(condition),
    }
}

/// Which of the functions is called, if one is.
pub fn word(call: Call) -> Option<Word> {
    let looks_so = call.funcresulttype == pg_sys::BOOLOID
        && call.funcid.to_u32() >= pg_sys::FirstNormalObjectId
        && call.args().len() == 1;
    if !looks_so || relations::schema_of_name(c"safedelete")? != pg_sys::get_func_namespace(call.funcid) {
        return None;
    }
    let name = pg_sys::get_func_name(call.funcid).map(text::from_server)?;
    // The schema is the extension's alone, but a superuser may put an overload there.
    Word::ALL
        .into_iter()
        .find(|word| word.name() == name)
        .filter(|_| relations::takes_one(call.funcid, pg_sys::INT8OID))
}

/// A call of `word` as a plan carries it.
fn prepared(word: Word, call: Call) -> Option<Said> {
    let argument = call.args().first()?;
    // PostgreSQL takes the name off a whole call only.
    let argument = match argument.kind() {
        Kind::NamedArgExpr(named) => named.arg().unwrap_or(argument),
        _ => argument,
    };
    if argument.has_columns() || argument.has_sub_selects() || argument.is_volatile() {
        report::raise_here(&expectation::bad_number(word, BadNumber::Varies));
    }
    let number = Word::ALL.iter().position(|other| *other == word)?;
    Some(expressions::target_entry(argument.planned(), number as i16))
}

/// Which word was said. Owns and allocates nothing, so bare frames may call it.
pub fn word_of(said: Said) -> Option<Word> {
    Word::ALL.get(said.resno as usize).copied()
}

/// The number that was said, where it is a constant.
fn constant(said: Said) -> Option<u64> {
    let constant = said.expr()?.as_a::<pg_sys::Const>().filter(|constant| !constant.constisnull)?;
    u64::try_from(constant.constvalue.value() as i64).ok()
}

/// Which word was said first.
pub fn first(said: Nodes<pg_sys::TargetEntry>) -> Option<Word> {
    word_of(said.first()?)
}

/// What is expected whatever is bound.
pub fn constants(said: Nodes<pg_sys::TargetEntry>) -> Expectation {
    said.iter().fold(Expectation::default(), |all, said| match (word_of(said), constant(said)) {
        (Some(word), Some(count)) => all.and(word, count),
        _ => all,
    })
}

/// Up to how many rows all expectations are met whatever is bound, where that is so of any number.
pub fn surely_met_up_to(said: Nodes<pg_sys::TargetEntry>) -> Option<u64> {
    let mut most = u64::MAX;
    for said in said.iter() {
        if word_of(said) != Some(Word::AtMost) {
            return None;
        }
        most = most.min(constant(said)?);
    }
    Some(most)
}
