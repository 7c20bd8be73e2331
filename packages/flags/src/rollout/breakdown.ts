import type { Outcome } from "../route/router.ts";

/** Turns of one arm. */
export interface TurnCounts {
  readonly turns: number;
  /** Failed or incomplete. */
  readonly failed: number;
}

/** Turns that one block adds for tenants and error signatures. For people: no guard reads it. */
export interface BreakdownRow {
  readonly tenants: Readonly<Record<string, { readonly new: TurnCounts; readonly legacy: TurnCounts }>>;
  /** By fingerprint. */
  readonly signatures: Readonly<
    Record<string, { readonly code: string; readonly message: string; readonly new: number; readonly legacy: number }>
  >;
}

/** What a rollout's turns are made of, the worst first. */
export interface Breakdown {
  readonly tenants: readonly { readonly org: string; readonly new: TurnCounts; readonly legacy: TurnCounts }[];
  readonly signatures: readonly {
    readonly fingerprint: string;
    readonly code: string;
    readonly message: string;
    readonly new: number;
    readonly legacy: number;
  }[];
}

/** Most tenants and signatures of one block and process; the rest of the tenants is `…`. */
const MOST = 50;
/** Most of each that are told. */
const TOLD = 10;
/** The tenant of turns without one, and of those beyond the limit. */
const OTHERS = "…";

const none: TurnCounts = { turns: 0, failed: 0 };
const add = (a: TurnCounts, b: TurnCounts): TurnCounts => ({ turns: a.turns + b.turns, failed: a.failed + b.failed });

/** Counts turns by tenant and signature. */
export interface BreakdownCounter {
  add(outcome: Outcome): void;
  /** `undefined` when nothing was counted. */
  row(): BreakdownRow | undefined;
}

/** One for each block. */
export function createBreakdown(): BreakdownCounter {
  const tenants = new Map<string, { new: TurnCounts; legacy: TurnCounts }>();
  const signatures = new Map<string, { code: string; message: string; new: number; legacy: number }>();
  return {
    add({ context, arm, status, signature }) {
      const side = arm === "new" ? "new" : "legacy";
      const failed = status === "failed" || status === "incomplete";
      if (status !== "ok" && !failed) return;
      const asked = context.org ?? OTHERS;
      const org = tenants.has(asked) || tenants.size < MOST ? asked : OTHERS;
      const counts = tenants.get(org) ?? { new: none, legacy: none };
      tenants.set(org, { ...counts, [side]: add(counts[side], { turns: 1, failed: failed ? 1 : 0 }) });
      if (signature === undefined) return;
      const { fingerprint, code, message } = signature;
      const seen = signatures.get(fingerprint);
      if (seen === undefined && signatures.size >= MOST) return;
      const before = seen ?? { code, message: message.slice(0, 120), new: 0, legacy: 0 };
      signatures.set(fingerprint, { ...before, [side]: before[side] + 1 });
    },
    row: () =>
      tenants.size === 0
        ? undefined
        : { tenants: Object.fromEntries(tenants), signatures: Object.fromEntries(signatures) },
  };
}

/** Adds the rows of all processes up. */
export function breakdownOf(rows: readonly { readonly breakdown?: BreakdownRow }[]): Breakdown {
  const tenants = new Map<string, { new: TurnCounts; legacy: TurnCounts }>();
  const signatures = new Map<string, { code: string; message: string; new: number; legacy: number }>();
  for (const { breakdown } of rows) {
    for (const [org, counts] of Object.entries(breakdown?.tenants ?? {})) {
      const before = tenants.get(org) ?? { new: none, legacy: none };
      tenants.set(org, { new: add(before.new, counts.new), legacy: add(before.legacy, counts.legacy) });
    }
    for (const [fingerprint, seen] of Object.entries(breakdown?.signatures ?? {})) {
      const before = signatures.get(fingerprint) ?? { ...seen, new: 0, legacy: 0 };
      signatures.set(fingerprint, { ...before, new: before.new + seen.new, legacy: before.legacy + seen.legacy });
    }
  }
  return {
    tenants: [...tenants]
      .map(([org, counts]) => ({ org, ...counts }))
      .sort((a, b) => b.new.failed - a.new.failed || b.new.turns - a.new.turns)
      .slice(0, TOLD),
    signatures: [...signatures]
      .map(([fingerprint, seen]) => ({ fingerprint, ...seen }))
      .sort((a, b) => b.new - a.new || b.legacy - a.legacy)
      .slice(0, TOLD),
  };
}
