//! The seam where news comes in.
pub mod record;

/// The message of a YAML error without its place, which is reported beside it.
pub(crate) fn without_place(message: &str) -> String {
    match message.rfind(" at line ") {
        Some(cut) => message[..cut].to_owned(),
        None => message.to_owned(),
    }
}
