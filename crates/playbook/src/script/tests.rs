//! Tests of expressions and hooks over one made-up case.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

mod check_tests;
mod engine_tests;
mod fixtures;
mod generated_tests;
mod hook_table_tests;
mod hook_tests;
mod rule_tests;
