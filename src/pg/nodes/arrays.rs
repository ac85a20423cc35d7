//! The constant lists of `x op ANY (list)`.

use super::super::pg_sys;
use super::Node;

/// A constant that is an array, or NULL.
#[derive(Clone, Copy)]
pub struct Array<'t>(Node<'t, pg_sys::Const>);

/// The values of an array.
pub struct Elements<'t> {
    pub of: pg_sys::Oid,
    /// A constant for each that is not NULL.
    pub values: Vec<Node<'t>>,
    pub has_null: bool,
}

impl<'t> Node<'t, pg_sys::ScalarArrayOpExpr> {
    /// The list, where it is a constant.
    pub fn constant_list(self) -> Option<Array<'t>> {
        // The parser lets nothing but an array stand there.
        Some(Array(self.args().get(1)?.without_relabel().as_a()?))
    }
}

impl<'t> Array<'t> {
    pub fn is_null(self) -> bool {
        self.0.constisnull
    }

    /// How many elements it has; `None` for NULL.
    pub fn len(self) -> Option<u64> {
        // SAFETY: of an array's type.
        unsafe { super::array_length(self.0.as_ptr()) }
    }

    /// The same where it is stored plainly, without a call of PostgreSQL's.
    pub fn plain_len(self) -> Option<u64> {
        // SAFETY: of an array's type.
        unsafe { super::plain_array_length(self.0.as_ptr()) }
    }

    /// Whether one of its elements is NULL.
    pub fn holds_null(self) -> bool {
        // SAFETY: of an array's type; what is not NULL is an array, which may be out of line.
        !self.is_null()
            && unsafe {
                let array = pg_sys::pg_detoast_datum(self.0.constvalue.cast_mut_ptr());
                pg_sys::array_contains_nulls(array.cast())
            }
    }

    /// Its elements, as constants; `None` for NULL, and where the type is not an array's own but a domain's.
    pub fn elements(self) -> Option<Elements<'t>> {
        let of = pg_sys::get_element_type(self.0.consttype);
        if self.is_null() || of == pg_sys::InvalidOid {
            return None;
        }
        let (mut length, mut by_value, mut align) = (0, false, 0);
        let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        // SAFETY: an array of such elements; deconstruct_array gives as many values and flags as it counts.
        let (values, nulls) = unsafe {
            pg_sys::get_typlenbyvalalign(of, &mut length, &mut by_value, &mut align);
            let array = pg_sys::pg_detoast_datum(self.0.constvalue.cast_mut_ptr()).cast();
            let length = length.into();
            pg_sys::deconstruct_array(
                array,
                of,
                length,
                by_value,
                align,
                &mut values,
                &mut nulls,
                &mut count,
            );
            let count = count as usize;
            (std::slice::from_raw_parts(values, count), std::slice::from_raw_parts(nulls, count))
        };
        let constant = |value: &pg_sys::Datum| {
            // SAFETY: a value of the type.
            unsafe {
                let collation = self.0.constcollid;
                Node::of(pg_sys::makeConst(of, -1, collation, length.into(), *value, false, by_value).cast())
            }
        };
        let has_null = nulls.contains(&true);
        let present = values.iter().zip(nulls).filter(|(_, is_null)| !**is_null);
        Some(Elements { of, values: present.filter_map(|(value, _)| constant(value)).collect(), has_null })
    }
}
