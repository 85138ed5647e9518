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
