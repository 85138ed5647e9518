//! Money: integer minor units with an ISO 4217 currency. Never floats; adding two currencies is refused.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An ISO 4217 currency code, three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// Why a text is not a currency.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not an ISO 4217 currency code in use")]
pub struct UnknownCurrency(pub String);

/// Codes in use, with the number of their minor digits where it is not two (ISO 4217, list one).
const ZERO_DIGITS: &[&str] = &[
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
    "XPF",
];
const THREE_DIGITS: &[&str] = &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
const TWO_DIGITS: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BMD", "BND",
    "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CUP", "CVE", "CZK",
    "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GTQ", "GYD",
    "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD", "KZT", "LAK",
    "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN",
    "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "QAR", "RON",
    "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP",
    "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "USD", "UYU", "UZS", "VED", "VES", "WST",
    "XCD", "YER", "ZAR", "ZMW", "ZWG",
];

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// The code, for example `EUR`.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("built from ASCII letters")
    }

    /// How many digits the minor unit has: 2 for EUR, 0 for JPY, 3 for KWD.
    #[must_use]
    pub fn digits(self) -> u32 {
        if ZERO_DIGITS.contains(&self.code()) {
            0
        } else if THREE_DIGITS.contains(&self.code()) {
            3
        } else {
            2
        }
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [ZERO_DIGITS, TWO_DIGITS, THREE_DIGITS].iter().any(|list| list.contains(&text));
        let bytes: [u8; 3] = text.as_bytes().try_into().map_err(|_| UnknownCurrency(text.to_owned()))?;
        if known { Ok(Self(bytes)) } else { Err(UnknownCurrency(text.to_owned())) }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount in minor units of one currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units: cents for EUR.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

/// Why an amount could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AmountError {
    /// Not a number at all.
    #[error("`{0}` is not an amount")]
    NotANumber(String),
    /// More digits after the point than the currency has.
    #[error("`{0}` has more decimals than {1} knows ({2})")]
    TooFine(String, Currency, u32),
    /// Outside 64-bit minor units.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

impl Money {
    /// An amount from minor units.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads `1234.50` exactly; more decimals than the currency has are refused, never rounded away.
    ///
    /// # Errors
    /// [`AmountError`] says which rule the text broke.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, AmountError> {
        let decimal: Decimal =
            Decimal::from_str_exact(text.trim()).map_err(|_| AmountError::NotANumber(text.to_owned()))?;
        let scaled = decimal
            .checked_mul(Decimal::from(10_i64.pow(currency.digits())))
            .ok_or_else(|| AmountError::TooLarge(text.to_owned()))?;
        if !scaled.fract().is_zero() {
            return Err(AmountError::TooFine(text.to_owned(), currency, currency.digits()));
        }
        let minor = i64::try_from(scaled.trunc().mantissa()).ok().filter(|_| scaled.trunc().scale() == 0);
        minor
            .or_else(|| scaled.normalize().to_string().parse().ok())
            .map(|minor| Self { minor, currency })
            .ok_or_else(|| AmountError::TooLarge(text.to_owned()))
    }

    /// The amount in major units, with the currency's digits: `7200.00`.
    #[must_use]
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.minor, self.currency.digits())
    }

    /// The sum, or nothing where currencies differ or the sum does not fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        Some(Self { minor: self.minor.checked_add(other.minor)?, ..self })
    }
}

/// Groups thousands: `7,200.00 EUR`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_decimal().abs().to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let mut grouped = String::new();
        for (i, digit) in whole.chars().enumerate() {
            if i > 0 && (whole.len() - i).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        let sign = if self.minor < 0 { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{grouped}{point}{fraction} {}", self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_or_refused() {
        assert_eq!(Money::parse("7200", Currency::EUR).unwrap().minor, 720_000);
        assert_eq!(Money::parse("0.01", Currency::EUR).unwrap().minor, 1);
        assert_eq!(Money::parse("-12.5", Currency::EUR).unwrap().minor, -1250);
        assert_eq!(Money::parse("5.00", "JPY".parse().unwrap()).unwrap().minor, 5);
        assert!(matches!(Money::parse("1.005", Currency::EUR), Err(AmountError::TooFine(..))));
        assert!(matches!(Money::parse("1,5", Currency::EUR), Err(AmountError::NotANumber(_))));
        assert!(matches!(Money::parse("99999999999999999999", Currency::EUR), Err(AmountError::TooLarge(_))));
    }

    #[test]
    fn people_read_grouped_digits() {
        assert_eq!(Money::new(720_000, Currency::EUR).to_string(), "7,200.00 EUR");
        assert_eq!(Money::new(-100, Currency::EUR).to_string(), "-1.00 EUR");
        assert_eq!(Money::new(1_234_567, "JPY".parse().unwrap()).to_string(), "1,234,567 JPY");
    }

    #[test]
    fn currencies_never_mix() {
        let euro = Money::new(1, Currency::EUR);
        assert_eq!(euro.checked_add(Money::new(1, "USD".parse().unwrap())), None);
        assert_eq!(euro.checked_add(euro).unwrap().minor, 2);
    }
}
