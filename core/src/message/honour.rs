//! The override in messages: why it does not count, who may do something about it, and how it is used.

/// Why an override does not count, or would not: what a refusal tells of it is true for its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotHonoured {
    pub why: Why,
    /// The session has declared one.
    pub declared: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The role is in none of the roles of `override_role`.
    Role { user: String, roles: Vec<String> },
    /// `require_reason` is on and `reason` is empty.
    Reason,
    /// `require_reason` is on, and this role, which is not of `override_role`, has given the reason.
    ReasonBy { user: String, roles: Vec<String> },
    /// The policy on this object (as `table "public.events"`) forbids it; these roles may write policy.
    Policy { object: String, roles: Vec<String> },
}

impl NotHonoured {
    /// For a DETAIL: why what was declared does not count.
    pub(super) fn told_in(&self, detail: &mut String) {
        if !self.declared {
            return;
        }
        detail.push_str(" safedelete.allow_rows is not honoured: ");
        detail.push_str(&match &self.why {
            Why::Role { user, roles } => format!(
                "role \"{user}\" is not a member of a role in safedelete.override_role ({}).",
                quoted(roles, ", ")
            ),
            Why::ReasonBy { user, roles } => format!(
                "safedelete.require_reason is on, and role \"{user}\", which set safedelete.reason, is not a member \
                 of a role in safedelete.override_role ({}).",
                quoted(roles, ", ")
            ),
            Why::Policy { object, .. } => format!("the policy on {object} sets override to false."),
            Why::Reason => "safedelete.require_reason is on and safedelete.reason is empty.".to_owned(),
        });
    }

    /// For a HINT, instead of the override: who may do something about it.
    pub(super) fn way_out(&self, purpose: &str) -> Option<String> {
        match &self.why {
            Why::Role { roles, .. } | Why::ReasonBy { roles, .. } => Some(format!(
                "A member of {} can declare with safedelete.allow_rows {purpose}.",
                quoted(roles, " or ")
            )),
            Why::Policy { object, roles } if roles.is_empty() => {
                Some(format!("The policy on {object} allows no override; a superuser can change it."))
            }
            Why::Policy { object, roles } => Some(format!(
                "The policy on {object} allows no override; a superuser, or its owner as a member of {}, can change \
                 it.",
                quoted(roles, " or ")
            )),
            // With a reason it counts.
            Why::Reason => None,
        }
    }
}

fn quoted(names: &[String], between: &str) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(between)
}

/// The next step: what to look at, and the override where it would count.
pub(super) fn hint(check: &str, purpose: &str, budget: &str, not_honoured: Option<&NotHonoured>) -> String {
    match not_honoured.and_then(|not_honoured| not_honoured.way_out("how many rows it may take")) {
        Some(way_out) => format!("{check} {way_out}"),
        None => format!(
            "{check} To {purpose}, run it in a transaction after: SET LOCAL safedelete.allow_rows = {budget}; SET \
             LOCAL safedelete.reason = 'why';"
        ),
    }
}
