//! Folds records into a case. State is folded, never replayed: changing `decide` never breaks a running case.
