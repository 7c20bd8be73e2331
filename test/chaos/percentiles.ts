/** The usual places in a list of figures, to a tenth; `NaN` of none. */
export function percentiles(figures: readonly number[]): { p50: number; p95: number; p99: number; max: number } {
  const sorted = [...figures].sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN) * 10) / 10;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}
