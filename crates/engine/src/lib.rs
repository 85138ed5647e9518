//! The worker: receives news, routes it, advances cases, delivers effects.
