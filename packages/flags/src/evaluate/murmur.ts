/**
 * MurmurHash3 x86-32 (Austin Appleby, public domain) over the UTF-8 bytes of a string, without building the bytes:
 * ASCII goes four code units
 * at a time, anything else is encoded on the fly. A lone surrogate counts as U+FFFD, as `TextEncoder` has it.
 */

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;
/** How many buckets there are: percentages have three decimals. */
export const BUCKETS = 100_000;

/** A hash under way: what was mixed so far, and up to three bytes that wait for their block. */
export interface HashState {
  readonly hash: number;
  readonly pending: number;
  readonly pendingBits: number;
  readonly length: number;
}

/**
 * The 32-bit hash of a string, unsigned.
 *
 * @param seed - an unsigned 32-bit integer. @defaultValue 0
 */
export function murmur3(input: string, seed = 0): number {
  return finish(absorb({ hash: seed | 0, pending: 0, pendingBits: 0, length: 0 }, input)) >>> 0;
}

/** Absorbs the prefix of many inputs once, for {@link bucketAfter}. */
export function hashPrefix(prefix: string): HashState {
  return absorb({ hash: 0, pending: 0, pendingBits: 0, length: 0 }, prefix);
}

function absorb(state: HashState, input: string): HashState {
  let { hash, pending, pendingBits, length } = state;
  for (const byte of new TextEncoder().encode(input)) {
    pending |= byte << pendingBits;
    pendingBits += 8;
    length++;
    if (pendingBits === 32) {
      hash = mix(hash, pending);
      pending = pendingBits = 0;
    }
  }
  return { hash, pending, pendingBits, length };
}

function mix(hash: number, block: number): number {
  const k = Math.imul(block, C1);
  const h = hash ^ Math.imul((k << 15) | (k >>> 17), C2);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(state: HashState): number {
  return finalize(state.hash, state.pending, state.length);
}

/** A tail of no bytes mixes to zero and changes nothing, so it needs no branch. */
function finalize(hash: number, pending: number, length: number): number {
  const k = Math.imul(pending, C1);
  let h = hash ^ Math.imul((k << 15) | (k >>> 17), C2) ^ length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** The bucket of prefix + unit: floor(h · 100000 / 2³²), 0 … 99,999. Allocates nothing. */
export function bucketAfter(prefix: HashState, unit: string): number {
  let hash = prefix.hash;
  let pending = prefix.pending;
  let bits = prefix.pendingBits;
  const size = unit.length;
  let at = 0;
  for (; at + 4 <= size; at += 4) {
    const a = unit.charCodeAt(at);
    const b = unit.charCodeAt(at + 1);
    const c = unit.charCodeAt(at + 2);
    const d = unit.charCodeAt(at + 3);
    if ((a | b | c | d) > 0x7f) return toBucket(bucketSlow(hash, pending, bits, prefix.length + at, unit, at));
    const block = a | (b << 8) | (c << 16) | (d << 24);
    if (bits === 0) {
      hash = mix(hash, block);
    } else {
      hash = mix(hash, pending | (block << bits));
      pending = block >>> (32 - bits);
    }
  }
  for (; at < size; at++) {
    const code = unit.charCodeAt(at);
    if (code > 0x7f) return toBucket(bucketSlow(hash, pending, bits, prefix.length + at, unit, at));
    pending |= code << bits;
    bits += 8;
    if (bits === 32) {
      hash = mix(hash, pending);
      pending = bits = 0;
    }
  }
  return toBucket(finalize(hash, pending, prefix.length + size));
}

function toBucket(hash: number): number {
  return (((hash >>> 0) * BUCKETS) / 4_294_967_296) | 0;
}

function bucketSlow(
  startHash: number,
  startPending: number,
  startBits: number,
  startLength: number,
  unit: string,
  from: number,
): number {
  let hash = startHash;
  let pending = startPending;
  let bits = startBits;
  let length = startLength;
  for (let at = from; at < unit.length; at++) {
    let code = unit.charCodeAt(at);
    if (code >= 0xd800 && code <= 0xdfff) {
      const low = code < 0xdc00 && at + 1 < unit.length ? unit.charCodeAt(at + 1) : 0;
      if (low >= 0xdc00 && low <= 0xdfff) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at++;
      } else {
        code = 0xfffd;
      }
    }
    const count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (let index = 0; index < count; index++) {
      const shifted = code >>> (6 * (count - 1 - index));
      const byte = count === 1 ? code : index > 0 ? 0x80 | (shifted & 0x3f) : LEAD[count]! | shifted;
      pending |= byte << bits;
      bits += 8;
      length++;
      if (bits === 32) {
        hash = mix(hash, pending);
        pending = bits = 0;
      }
    }
  }
  return finalize(hash, pending, length);
}

/** The marker bits of a UTF-8 sequence's first byte, by the sequence's length. */
const LEAD = [0, 0, 0xc0, 0xe0, 0xf0] as const;
