//! What a country says about language and time zone where the ledger says nothing. A default taken is reported.

use chrono_tz::Tz;

/// Country, its main language, the time zone of its capital.
const COUNTRIES: &[(&str, &str, Tz)] = &[
    ("AR", "es", Tz::America__Argentina__Buenos_Aires),
    ("AT", "de", Tz::Europe__Vienna),
    ("AU", "en", Tz::Australia__Sydney),
    ("BE", "fr", Tz::Europe__Brussels),
    ("BR", "pt", Tz::America__Sao_Paulo),
    ("CA", "en", Tz::America__Toronto),
    ("CH", "de", Tz::Europe__Zurich),
    ("CL", "es", Tz::America__Santiago),
    ("CO", "es", Tz::America__Bogota),
    ("CZ", "cs", Tz::Europe__Prague),
    ("DE", "de", Tz::Europe__Berlin),
    ("DK", "da", Tz::Europe__Copenhagen),
    ("ES", "es", Tz::Europe__Madrid),
    ("FI", "fi", Tz::Europe__Helsinki),
    ("FR", "fr", Tz::Europe__Paris),
    ("GB", "en", Tz::Europe__London),
    ("GR", "el", Tz::Europe__Athens),
    ("HU", "hu", Tz::Europe__Budapest),
    ("IE", "en", Tz::Europe__Dublin),
    ("IN", "en", Tz::Asia__Kolkata),
    ("IT", "it", Tz::Europe__Rome),
    ("JP", "ja", Tz::Asia__Tokyo),
    ("LU", "fr", Tz::Europe__Luxembourg),
    ("MX", "es", Tz::America__Mexico_City),
    ("NL", "nl", Tz::Europe__Amsterdam),
    ("NO", "no", Tz::Europe__Oslo),
    ("NZ", "en", Tz::Pacific__Auckland),
    ("PE", "es", Tz::America__Lima),
    ("PL", "pl", Tz::Europe__Warsaw),
    ("PT", "pt", Tz::Europe__Lisbon),
    ("RO", "ro", Tz::Europe__Bucharest),
    ("SE", "sv", Tz::Europe__Stockholm),
    ("US", "en", Tz::America__New_York),
    ("UY", "es", Tz::America__Montevideo),
];

/// Language and zone of a country; English and UTC where we do not know it.
pub(super) fn of_country(country: &str) -> (&'static str, Tz) {
    COUNTRIES.iter().find(|(code, ..)| *code == country).map_or(("en", Tz::UTC), |(_, locale, zone)| (locale, *zone))
}

/// Parts of countries that keep another time than their capital; of a part with two times the one most people keep.
const PARTS: &[(Tz, &[&str])] = &[
    (
        Tz::America__Chicago,
        &[
            "US-AL", "US-AR", "US-IA", "US-IL", "US-KS", "US-LA", "US-MN", "US-MO", "US-MS", "US-ND", "US-NE", "US-OK",
            "US-SD", "US-TN", "US-TX", "US-WI",
        ],
    ),
    (Tz::America__Denver, &["US-CO", "US-MT", "US-NM", "US-UT", "US-WY"]),
    (Tz::America__Boise, &["US-ID"]),
    (Tz::America__Phoenix, &["US-AZ"]),
    (Tz::America__Los_Angeles, &["US-CA", "US-NV", "US-OR", "US-WA"]),
    (Tz::America__Anchorage, &["US-AK"]),
    (Tz::Pacific__Honolulu, &["US-HI"]),
    (Tz::America__Puerto_Rico, &["US-PR", "US-VI"]),
    (Tz::Pacific__Guam, &["US-GU", "US-MP"]),
    (Tz::Atlantic__Canary, &["ES-CN", "ES-GC", "ES-TF"]),
    (Tz::Atlantic__Madeira, &["PT-30"]),
    (Tz::Atlantic__Azores, &["PT-20"]),
    (Tz::America__Martinique, &["FR-972", "FR-MQ"]),
    (Tz::America__Guadeloupe, &["FR-971", "FR-GP", "FR-MF", "FR-BL"]),
    (Tz::America__Cayenne, &["FR-973", "FR-GF"]),
    (Tz::Indian__Reunion, &["FR-974", "FR-RE"]),
    (Tz::Indian__Mayotte, &["FR-976", "FR-YT"]),
    (Tz::America__Punta_Arenas, &["CL-MA"]),
    (Tz::America__Vancouver, &["CA-BC", "CA-YT"]),
    (Tz::America__Edmonton, &["CA-AB", "CA-NT"]),
    (Tz::America__Regina, &["CA-SK"]),
    (Tz::America__Winnipeg, &["CA-MB"]),
    (Tz::America__Halifax, &["CA-NB", "CA-NS", "CA-PE"]),
    (Tz::America__St_Johns, &["CA-NL"]),
    (Tz::America__Cancun, &["MX-ROO"]),
    (Tz::America__Tijuana, &["MX-BCN"]),
    (Tz::America__Hermosillo, &["MX-SON"]),
    (Tz::America__Mazatlan, &["MX-BCS", "MX-NAY", "MX-SIN"]),
    (Tz::America__Manaus, &["BR-AM", "BR-RO", "BR-RR"]),
    (Tz::America__Cuiaba, &["BR-MT"]),
    (Tz::America__Campo_Grande, &["BR-MS"]),
    (Tz::America__Rio_Branco, &["BR-AC"]),
    (Tz::Australia__Brisbane, &["AU-QLD"]),
    (Tz::Australia__Adelaide, &["AU-SA"]),
    (Tz::Australia__Darwin, &["AU-NT"]),
    (Tz::Australia__Perth, &["AU-WA"]),
];

/// Countries where the time of the capital says too little about a person whose part of the country nobody knows: what
/// is nine o'clock there may be the middle of their night.
const WIDE: [&str; 5] = ["AU", "BR", "CA", "MX", "US"];

/// The zone of a customer whose zone the ledger does not name: that of their part of the country, else the capital's.
/// Nothing for a person in a wide country whose part is not known.
pub(super) fn zone(country: &str, subdivision: Option<&str>, kind: &str) -> Option<Tz> {
    let part = subdivision.map(str::to_uppercase);
    let named = part.as_deref().filter(|part| part.starts_with(country));
    if let Some((zone, _)) = PARTS.iter().find(|(_, parts)| named.is_some_and(|named| parts.contains(&named))) {
        return Some(*zone);
    }
    let unknown = named.is_none() && kind == "person" && WIDE.contains(&country);
    (!unknown).then(|| of_country(country).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_country_keeps_its_own_time_and_a_wide_country_tells_nothing_of_a_person() {
        assert_eq!(zone("US", Some("US-HI"), "person"), Some(Tz::Pacific__Honolulu));
        assert_eq!(zone("US", Some("us-ca"), "business"), Some(Tz::America__Los_Angeles));
        assert_eq!(zone("US", Some("US-NY"), "person"), Some(Tz::America__New_York));
        assert_eq!(zone("ES", Some("ES-CN"), "person"), Some(Tz::Atlantic__Canary));
        assert_eq!(zone("US", None, "person"), None);
        assert_eq!(zone("US", Some("CA-BC"), "person"), None, "a part of another country");
        assert_eq!(zone("US", None, "business"), Some(Tz::America__New_York));
        assert_eq!(zone("ES", None, "person"), Some(Tz::Europe__Madrid));
    }
}
