//! Tests of expressions and hooks over one made-up case.

mod check_tests;
mod engine_tests;
mod fixtures;
mod generated_tests;
mod hook_table_tests;
mod hook_tests;
mod rule_tests;
