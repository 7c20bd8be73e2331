import type { LeaseRow } from "./tables.ts";

/** What a lock manager asks of a lease. `token` names one acquisition. */
export type LeaseRequest =
  /** Take it if it is free and nobody came before; with `graceMs`, else keep a place in line for that long. */
  | { ask: "take"; token: string; ttlMs: number; graceMs?: number }
  | { ask: "extend"; token: string; ttlMs: number }
  /** Give it back, or leave the line. */
  | { ask: "release"; token: string }
  /** Never give a fence up to this one. */
  | { ask: "seed"; fence: number };

/** What came of it. */
export interface LeaseAnswer {
  /** The fence of the lease when the token holds it now. */
  fence: number | undefined;
  /** Milliseconds after which it may be free; -1 when others come first. */
  freeInMs: number;
}

/** Leases kept in a store's database: enough to build a lock manager on. Time is the database's. */
export interface LeasePort {
  request(key: string, request: LeaseRequest): Promise<LeaseAnswer>;
  /** Calls back soon after a lease was given back, where the database can tell; else never. @returns stops watching */
  watch(key: string, onFreed: () => void): () => void;
}

/** What a request makes of a lease: the answer, and the row when it changed. */
export interface LeaseDecision {
  answer: LeaseAnswer;
  row: LeaseRow | undefined;
  /** The lease became free while others wait. */
  freed: boolean;
}

/**
 * The whole meaning of a lease, as a function of its row. Fences are the last plus one and at least the microseconds
 * since
 * the epoch, so that they grow also when the row was lost.
 *
 * @param now - milliseconds since the epoch, by the database's clock
 */
export function decideLease(kept: LeaseRow, request: LeaseRequest, now: number): LeaseDecision {
  const holder = kept.holder !== null && kept.until > now ? kept.holder : null;
  const line = kept.line.filter((waiter) => waiter.until > now);
  const row: LeaseRow = { ...kept, holder, line };
  const no = (freeInMs = -1): LeaseAnswer => ({ fence: undefined, freeInMs });
  switch (request.ask) {
    case "take":
      return take(row, request, now);
    case "extend":
      if (holder !== request.token) return { answer: no(), row: undefined, freed: false };
      return { answer: { fence: kept.fence, freeInMs: 0 }, row: { ...row, until: now + request.ttlMs }, freed: false };
    case "release": {
      const held = holder === request.token;
      const others = line.filter(({ token }) => token !== request.token);
      if (!held && others.length === line.length) return { answer: no(), row: undefined, freed: false };
      return { answer: no(), row: { ...row, holder: held ? null : holder, line: others }, freed: others.length > 0 };
    }
    case "seed":
      return {
        answer: no(),
        row: kept.fence < request.fence ? { ...row, fence: request.fence } : undefined,
        freed: false,
      };
  }
}

function take(
  row: LeaseRow,
  { token, ttlMs, graceMs }: Extract<LeaseRequest, { ask: "take" }>,
  now: number,
): LeaseDecision {
  const { holder, line, fence } = row;
  // The holder's own token is a request that was sent twice.
  if (holder === token) return { answer: { fence, freeInMs: 0 }, row: { ...row, until: now + ttlMs }, freed: false };
  const place = line.findIndex((waiter) => waiter.token === token);
  if (holder === null && (line.length === 0 || place === 0)) {
    const next = Math.max(fence + 1, Math.trunc(now * 1_000));
    return {
      answer: { fence: next, freeInMs: 0 },
      row: { ...row, holder: token, until: now + ttlMs, fence: next, line: line.slice(place === 0 ? 1 : 0) },
      freed: false,
    };
  }
  const first = line.length === 0 || place === 0;
  const answer = { fence: undefined, freeInMs: first && holder !== null ? row.until - now : -1 };
  if (graceMs === undefined) return { answer, row: undefined, freed: false };
  const waiter = { token, until: now + graceMs };
  return { answer, row: { ...row, line: place === -1 ? [...line, waiter] : line.with(place, waiter) }, freed: false };
}
