/**
 * One-sided upper confidence limit of a share (C. J. Clopper and E. S. Pearson, Biometrika 26, 1934), by bisection of
 * the binomial distribution.
 *
 * @param level - confidence, 0 … 1. @defaultValue 0.95
 */
export function clopperPearsonUpper(count: number, runs: number, level = 0.95): number {
  if (count >= runs) return 1;
  let [low, high] = [count / runs, 1];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (atMost(count, runs, middle) > 1 - level) low = middle;
    else high = middle;
  }
  return high;
}

/** P(X ≤ count) of a binomial distribution. */
export function atMost(count: number, runs: number, share: number): number {
  let log = runs * Math.log1p(-share);
  let sum = Math.exp(log);
  for (let k = 1; k <= count; k++) {
    log += Math.log((runs - k + 1) / k) + Math.log(share) - Math.log1p(-share);
    sum += Math.exp(log);
  }
  return sum;
}
