//! A small deterministic generator (SplitMix64): the same seed gives the same portfolio on any machine.

/// The generator.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator of its own for each named thing, so that adding one never changes the others.
    pub(crate) fn of(seed: u64, name: &str) -> Self {
        let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
        for byte in name.bytes() {
            // FNV-1a keeps different names apart; SplitMix64 spreads what is left.
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let mut random = Self(state);
        random.next();
        random
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high - low).unwrap_or(0) + 1;
        low + i64::try_from(self.next() % width).unwrap_or(0)
    }

    /// True in so many cases of a thousand.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.next() % 1000 < per_mille
    }

    /// One of a list.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        let index = usize::try_from(self.next() % list.len() as u64).unwrap_or(0);
        &list[index]
    }

    /// One of a list of words.
    pub(crate) fn word(&mut self, list: &[&'static str]) -> &'static str {
        self.pick::<&'static str>(list)
    }

    /// Index of a weight, chosen in proportion.
    pub(crate) fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut left = self.next() % weights.iter().sum::<u64>().max(1);
        for (i, weight) in weights.iter().enumerate() {
            if left < *weight {
                return i;
            }
            left -= weight;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_gives_the_same_numbers_and_another_name_others() {
        let take = |name| (0..4).map(|_| Random::of(7, name).next()).collect::<Vec<_>>();
        assert_eq!(take("a"), take("a"));
        assert_ne!(take("a"), take("b"));
        let mut random = Random::of(1, "range");
        assert!((0..1000).all(|_| (-3..=3).contains(&random.between(-3, 3))));
    }

    #[test]
    fn weights_are_kept() {
        let mut random = Random::of(1, "weights");
        let hits = (0..10_000).filter(|_| random.weighted(&[800, 200]) == 1).count();
        assert!((1_800..2_200).contains(&hits), "{hits}");
    }
}
