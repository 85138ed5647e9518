//! Tests of expressions and hooks over one made-up case.

mod engine_tests;
mod fixtures;
mod rule_tests;
