//! Tables of hook tests (being widened).
