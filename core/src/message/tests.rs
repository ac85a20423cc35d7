use super::*;
use crate::limit::Bounds;

const BOUNDS: Bounds = Bounds { max_rows: None, max_fraction: 0.1, min_rows: 100 };
const TERMS: Terms = Terms { bounds: BOUNDS, max_rows: None, max_fraction: None, min_rows: None };

fn counted(rows: u64, size: Option<Size>) -> Count {
    Count { rows, size, beside: Some(0) }
}

#[test]
fn a_where_refusal_ends_as_postgrest_expects() {
    for why in [
        Unqualified::NoWhere,
        Unqualified::MatchesEveryRow,
        Unqualified::OuterColumn("id".into()),
        Unqualified::ComparedWithItself("id".into()),
    ] {
        let report = unqualified(Command::Delete, "orders", &why, None);
        assert!(report.message.ends_with("requires a WHERE clause"), "{}", report.message);
        assert_eq!(&report.sqlstate, b"21000");
    }
    assert_eq!(
        unqualified(Command::Delete, "orders", &Unqualified::NoWhere, None).message,
        "DELETE on table \"orders\" requires a WHERE clause"
    );
    assert_eq!(
        unqualified(Command::Delete, "orders", &Unqualified::MatchesEveryRow, None).message,
        "DELETE on table \"orders\" matches every row: it requires a WHERE clause"
    );
}

#[test]
fn a_rows_refusal_tells_count_limit_and_source() {
    let limit = BOUNDS.limit(Some(Size::Exact(5000))).unwrap();
    let report = too_many_rows(
        Command::Delete,
        "orders",
        &counted(501, Some(Size::Exact(5000))),
        &limit,
        &TERMS,
        &Reach::Selected,
        None,
    );
    assert_eq!(report.message, "DELETE on table \"orders\" exceeds the limit of 500 rows");
    assert_eq!(
        report.detail.unwrap(),
        "The statement selected 501 rows; safedelete.max_fraction is 0.1 and the table holds 5000 rows."
    );
    assert!(report.hint.unwrap().contains("SET LOCAL safedelete.allow_rows = 5000;"));
}

#[test]
fn a_refused_override_says_why() {
    let limit = Limit { rows: 5, source: Source::AllowRows };
    let why = Why::Role { user: "app".into(), roles: vec!["dba".into(), "ops".into()] };
    let why = NotHonoured { why, declared: true };
    let by = Reach::ForeignKey { by: Some((Command::Delete, "accounts".into())) };
    let report = too_many_rows(Command::Delete, "t", &counted(6, None), &limit, &TERMS, &by, Some(&why));
    let detail = report.detail.unwrap();
    assert!(
        detail.contains("table \"accounts\"") && detail.contains("override_role (\"dba\", \"ops\")"),
        "{detail}"
    );
    let hint = report.hint.unwrap();
    assert!(hint.ends_with(
        "A member of \"dba\" or \"ops\" can declare with safedelete.allow_rows how many rows it may take."
    ));
}

#[test]
fn a_policy_is_named_and_its_override_not_offered() {
    let terms = Terms { max_rows: Some("schema \"audit\"".into()), ..TERMS };
    let limit = Limit { rows: 3, source: Source::MaxRows };
    let why = Why::Policy { object: "table \"audit.t\"".into(), roles: Vec::new() };
    let why = NotHonoured { why, declared: true };
    let part = Reach::Part { of: "t".into() };
    let report = too_many_rows(Command::Delete, "t_1", &counted(4, None), &limit, &terms, &part, Some(&why));
    assert_eq!(
        report.detail.unwrap(),
        "The statement, which names table \"t\", came to 4 rows of this part of it; max_rows of the policy on \
         schema \"audit\" is 3. safedelete.allow_rows is not honoured: the policy on table \"audit.t\" sets \
         override to false."
    );
    assert!(!report.hint.unwrap().contains("SET LOCAL"));
    assert_eq!(explain_source(&limit, &terms), "max_rows, policy on schema \"audit\"");
}

#[test]
fn a_size_that_was_not_counted_proposes_any_number() {
    let limit = Limit { rows: 5, source: Source::MaxRows };
    for (size, budget) in [
        (None, "-1"),
        (Some(Size::AtLeast(9)), "-1"),
        (Some(Size::About(9)), "-1"),
        (Some(Size::Exact(9)), "9"),
    ] {
        let report =
            too_many_rows(Command::Delete, "t", &counted(6, size), &limit, &TERMS, &Reach::Selected, None);
        let hint = report.hint.unwrap();
        assert!(hint.contains(&format!("allow_rows = {budget};")), "{hint}");
    }
}

#[test]
fn an_override_that_would_not_count_is_not_offered() {
    let limit = Limit { rows: 1, source: Source::MaxRows };
    let report = |why: Option<&NotHonoured>| {
        too_many_rows(Command::Truncate, "t", &counted(2, None), &limit, &TERMS, &Reach::WholeTable, why)
    };
    assert_eq!(report(None).message, "TRUNCATE on table \"t\" exceeds the limit of 1 row");
    assert!(report(None).hint.unwrap().contains("SET LOCAL safedelete.allow_rows = "));
    let roles = vec!["dba".to_owned()];
    for why in [
        Why::Role { user: "app".into(), roles: roles.clone() },
        Why::Policy { object: "table \"t\"".into(), roles: roles.clone() },
        Why::Policy { object: "table \"t\"".into(), roles: Vec::new() },
    ] {
        let why = NotHonoured { why, declared: false };
        let reports = [
            report(Some(&why)),
            unqualified(Command::Delete, "t", &Unqualified::NoWhere, Some(&why)),
            drop_database("d", Some(&why)),
        ];
        for report in reports {
            let (detail, hint) = (report.detail.unwrap(), report.hint.unwrap());
            assert!(!detail.contains("honoured") && !hint.contains("SET"), "{detail} {hint}");
        }
    }
    // A reason mends it, and the HINT has one.
    let why = NotHonoured { why: Why::Reason, declared: true };
    let report = report(Some(&why));
    assert!(report.detail.unwrap().contains("require_reason is on"));
    assert!(report.hint.unwrap().contains("SET LOCAL safedelete.reason = 'why';"));
}

#[test]
fn the_number_proposed_lets_the_statement_through() {
    let report = |count: u64, size| {
        let limit = Limit { rows: count - 1, source: Source::MaxRows };
        let reach = Reach::Summed { in_transaction: false };
        too_many_rows(Command::Delete, "t", &counted(count, size), &limit, &TERMS, &reach, None)
    };
    let proposed = |count, size| {
        let hint = report(count, size).hint.unwrap();
        hint.split("allow_rows = ").nth(1).unwrap().split(';').next().unwrap().to_owned()
    };
    // The count has stopped at 101, and any more may come.
    assert_eq!(proposed(101, Some(Size::Exact(200))), "200");
    assert_eq!(proposed(101, Some(Size::AtLeast(200))), "-1");
    assert_eq!(proposed(101, Some(Size::About(200))), "-1");
    assert_eq!(proposed(101, None), "-1");
    assert_eq!(proposed(101, Some(Size::Exact(3_000_000_000))), "-1");
    // The statement comes to other tables as well, and a budget has to suffice for each.
    let with = |beside| {
        let limit = Limit { rows: 9, source: Source::MaxRows };
        let count = Count { beside, ..counted(100, Some(Size::Exact(200))) };
        let report = too_many_rows(Command::Delete, "t", &count, &limit, &TERMS, &Reach::Selected, None);
        report.hint.unwrap().split("allow_rows = ").nth(1).unwrap().split(';').next().unwrap().to_owned()
    };
    assert_eq!([with(Some(0)), with(Some(3000)), with(None)], ["200", "3000", "-1"]);
    // A row that is modified again and again.
    assert_eq!(proposed(101, Some(Size::Exact(2))), "-1");
    assert!(
        report(101, Some(Size::Exact(2))).detail.unwrap().contains("came to 101 writes of rows of the table")
    );
}
