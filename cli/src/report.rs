//! How findings are told: one file for each format, and what they have in common.

mod common;
mod github;
mod gitlab;
mod human;
mod json;
mod sarif;

pub use common::Report;

use crate::arguments::Format;

pub fn of(format: Format, colored: bool) -> Box<dyn Report> {
    match format {
        Format::Human => Box::new(human::Human::new(colored)),
        Format::Github => Box::new(github::Github),
        Format::Gitlab => Box::new(gitlab::Gitlab::default()),
        Format::Sarif => Box::new(sarif::Sarif::default()),
        Format::Json => Box::new(json::Json::default()),
    }
}
