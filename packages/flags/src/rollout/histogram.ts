/**
 * A histogram with fixed logarithmic buckets, 16 an octave (4.4 % wide), as pairs `[bucket, count]` sorted by bucket.
 * Bucket `i` holds the values in
 * `[2^(i/16), 2^((i+1)/16))`; values under 1 fall into bucket 0. Fixed edges make histograms of many processes addable
 * without loss, and let the share
 * above a limit be counted after the fact for any limit that is an edge.
 */
export type Histogram = readonly (readonly [bucket: number, count: number])[];

const PER_OCTAVE = 16;
const LAST = 40 * PER_OCTAVE;

/** How many buckets there are. */
export const BUCKETS: number = LAST + 1;

/** The bucket of a value. */
export function bucketOf(value: number): number {
  if (!(value > 1)) return 0;
  return Math.min(LAST, Math.floor(Math.log2(value) * PER_OCTAVE + 1e-9));
}

/** The upper edge of a bucket. */
export function upperEdge(bucket: number): number {
  return 2 ** ((bucket + 1) / PER_OCTAVE);
}

/** The first bucket that lies wholly above a limit: a limit inside a bucket is moved up to that bucket's edge. */
export function firstBucketOver(limit: number): number {
  return limit <= 1 ? 1 : Math.ceil(Math.log2(limit) * PER_OCTAVE - 1e-9);
}

/** Both histograms in one. */
export function mergeHistograms(a: Histogram, b: Histogram): Histogram {
  const counts = new Map<number, number>();
  for (const [bucket, count] of a) counts.set(bucket, (counts.get(bucket) ?? 0) + count);
  for (const [bucket, count] of b) counts.set(bucket, (counts.get(bucket) ?? 0) + count);
  return [...counts].sort((x, y) => x[0] - y[0]);
}

/** How many values there are. */
export function histogramTotal(histogram: Histogram): number {
  let total = 0;
  for (let at = 0; at < histogram.length; at++) total += histogram[at]![1];
  return total;
}

/** How many values lie in buckets wholly above the limit. */
export function countOver(histogram: Histogram, limit: number): number {
  const first = firstBucketOver(limit);
  let over = 0;
  for (let at = histogram.length - 1; at >= 0 && histogram[at]![0] >= first; at--) over += histogram[at]![1];
  return over;
}

/** The upper edge of the bucket in which the quantile lies; `undefined` without values. */
export function quantile(histogram: Histogram, q: number): number | undefined {
  const total = histogramTotal(histogram);
  if (total === 0) return undefined;
  let seen = 0;
  for (let at = 0; at < histogram.length; at++) {
    const pair = histogram[at]!;
    seen += pair[1];
    if (seen >= q * total) return upperEdge(pair[0]);
  }
  return undefined;
}

/** The mean of the buckets' geometric middles; `undefined` without values. */
export function histogramMean(histogram: Histogram): number | undefined {
  const total = histogramTotal(histogram);
  if (total === 0) return undefined;
  let sum = 0;
  for (let at = 0; at < histogram.length; at++) {
    const pair = histogram[at]!;
    sum += pair[1] * middles[pair[0]]!;
  }
  return sum / total;
}

const middles = Float64Array.from({ length: LAST + 1 }, (_, bucket) => 2 ** ((bucket + 0.5) / PER_OCTAVE));
