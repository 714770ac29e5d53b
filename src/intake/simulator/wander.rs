//! A value that wanders about zero and comes back.

use rand::RngExt;
use rand::rngs::StdRng;

/// How much of the distance to zero a step takes back: a deviation halves in about seven steps.
const RETURN: f64 = 0.1;

/// A mean-reverting random walk with a hard bound. Its usual size is an eighth of the bound.
#[derive(Debug)]
pub(super) struct Wander {
    value: f64,
    bound: f64,
}

impl Wander {
    /// A walk that begins at zero and stays within ± `bound`: with steps of at most `RETURN * bound`, the return is
    /// never smaller than the push.
    pub(super) fn within(bound: f64) -> Self {
        Self { value: 0.0, bound }
    }

    pub(super) fn step(&mut self, random: &mut StdRng) -> f64 {
        let push = random.random_range(-1.0..=1.0) * RETURN * self.bound;
        self.value = self.value * (1.0 - RETURN) + push;
        self.value
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_walk_moves_stays_within_its_bound_and_comes_back() {
        let mut random = StdRng::seed_from_u64(1);
        let mut wander = Wander::within(10.0);
        let path: Vec<f64> = (0..10_000).map(|_| wander.step(&mut random)).collect();
        assert!(path.iter().all(|value| value.abs() <= 10.0));
        assert!(path.iter().any(|value| *value > 2.0) && path.iter().any(|value| *value < -2.0));
        assert!((path.iter().sum::<f64>() / 10_000.0).abs() < 0.2);
    }
}
