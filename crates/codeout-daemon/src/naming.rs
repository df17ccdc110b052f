//! Names that no other has.

use codeout_protocol::name::Name;

/// The form in which names are compared.
pub(crate) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// `wanted`, or the first of `wanted-2`, `wanted-3`... that is not taken. Where nothing of
/// `wanted` can be shown, `unnamed` is wanted. There must be fewer taken names than numbers.
pub(crate) fn unique(wanted: &str, is_taken: impl Fn(&Name) -> bool) -> Name {
    let wanted = Name::clean(wanted).map_or("unnamed".to_owned(), |name| name.to_string());
    let first = std::iter::once(String::new());
    let mut suffixes = first.chain((2u64..).map(|number| format!("-{number}")));
    let name = suffixes.find_map(|suffix| {
        let room = Name::MAX_BYTES - suffix.len();
        let end = (0..=room).rev().find(|end| wanted.is_char_boundary(*end))?;
        let name = Name::clean(&format!("{}{suffix}", wanted[..end].trim_end()))?;
        (!is_taken(&name)).then_some(name)
    });
    name.expect("there are more suffixes than names")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gets_a_number_when_it_is_taken() {
        let taken = ["api", "api-2", &"x".repeat(64)].map(str::to_owned);
        let unique = |wanted: &str| {
            unique(wanted, |name| taken.contains(&folded(name.as_str()))).to_string()
        };
        assert_eq!(unique("web"), "web");
        assert_eq!(unique("API"), "API-3");
        assert_eq!(unique(&"x".repeat(64)), format!("{}-2", "x".repeat(62)));
        assert_eq!(unique("\x1b"), "unnamed");
    }
}
