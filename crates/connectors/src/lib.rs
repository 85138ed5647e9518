//! The edges: channels out, sources in, templates.
