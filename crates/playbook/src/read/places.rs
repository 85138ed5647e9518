//! Places that policies bind: a country, a part of one, the Union. A code that is none would bind nobody, in silence.

use super::names;
use crate::diagnostic::{Diagnostic, Report};
use crate::yaml::Node;

/// ISO 3166-1, two letters.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT \
    BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK \
    FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE \
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ \
    MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO \
    RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW \
    TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// Reads places; what is no country, no part of one and not `EU` is said.
pub(super) fn places(report: &Report, node: &Node) -> Vec<String> {
    let places = names(report, node);
    for place in &places {
        let country = place.split_once('-').map_or(place.as_str(), |(country, _)| country);
        if place == "EU" || COUNTRIES.split_whitespace().any(|known| known == country) {
            continue;
        }
        let message = format!("no country `{country}`: the policy would bind nobody");
        let help = if country == "UK" {
            "the United Kingdom is `GB`"
        } else {
            "write ISO codes: `ES`, `ES-CT` for a part of it, `EU` for the Union"
        };
        report.push(Diagnostic::error("PB006", &node.place, message).help(help));
    }
    places
}
