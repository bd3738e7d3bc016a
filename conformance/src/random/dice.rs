//! Chance that can be repeated: the same seed gives the same throws on every machine.

/// A generator of pseudo-random numbers (SplitMix64: a counter whose bits are mixed).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice for a seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// Whether something happens that happens in `percent` of a hundred throws.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of some things. The list is not empty.
    pub fn pick<'a, T: ?Sized>(&mut self, things: &[&'a T]) -> &'a T {
        things[self.below(things.len())]
    }

    /// One of some things of which each has a weight. The weights' sum is not 0.
    pub fn weighted<T: Copy>(&mut self, things: &[(usize, T)]) -> T {
        let mut left = self.below(things.iter().map(|(weight, _)| weight).sum());
        for &(weight, thing) in things {
            if left < weight {
                return thing;
            }
            left -= weight;
        }
        things[0].1
    }

    /// Any 64-bit number.
    pub fn any(&mut self) -> i64 {
        self.next().cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same() {
        let throw = |seed| {
            let mut dice = Dice::new(seed);
            [dice.below(1000), dice.between(3, 5000), dice.weighted(&[(1, 7), (5, 9), (100, 11)])]
        };
        assert_eq!(throw(5), throw(5));
        assert_ne!(throw(5), throw(6));
    }

    #[test]
    fn what_has_no_weight_is_never_chosen() {
        let mut dice = Dice::new(1);
        assert!((0..200).all(|_| dice.weighted(&[(0, false), (3, true), (0, false)])));
        assert!((0..200).all(|_| (2..=4).contains(&dice.between(2, 4))));
    }
}
