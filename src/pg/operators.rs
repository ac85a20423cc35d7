//! What catalogs tell of operators, functions and types, where PostgreSQL's own functions give it through pointers.

use super::pg_sys;

/// The types of an operator's operands.
pub fn input_types(operator: pg_sys::Oid) -> (pg_sys::Oid, pg_sys::Oid) {
    let (mut left, mut right) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    // SAFETY: a catalog cache look-up.
    unsafe { pg_sys::op_input_types(operator, &mut left, &mut right) };
    (left, right)
}

/// A function's result and arguments.
pub fn signature<'a>(function: pg_sys::Oid) -> (pg_sys::Oid, &'a [pg_sys::Oid]) {
    let (mut types, mut count) = (std::ptr::null_mut(), 0);
    // SAFETY: a catalog cache look-up that gives as many types as it counts, palloc'd.
    unsafe {
        let result = pg_sys::get_func_signature(function, &mut types, &mut count);
        (result, std::slice::from_raw_parts(types, count.max(0) as usize))
    }
}

/// The function of a cast that PostgreSQL makes by itself.
pub fn implicit_cast(to: pg_sys::Oid, from: pg_sys::Oid) -> Option<pg_sys::Oid> {
    let mut function = pg_sys::InvalidOid;
    let context = pg_sys::CoercionContext::COERCION_IMPLICIT;
    // SAFETY: a catalog cache look-up.
    let path = unsafe { pg_sys::find_coercion_pathway(to, from, context, &mut function) };
    (path == pg_sys::CoercionPathType::COERCION_PATH_FUNC).then_some(function)
}

/// Whether an operator is the negator of an equality.
pub fn is_inequality(operator: pg_sys::Oid) -> bool {
    let negator = pg_sys::get_negator(operator);
    negator != pg_sys::InvalidOid && !pg_sys::get_mergejoin_opfamilies(negator).is_null()
}
