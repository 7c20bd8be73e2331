import { HebraError } from "@hebra/core";
import type { ArmRow, CounterRow } from "../counter-row.ts";
import type { EvidenceRecord } from "../evidence.ts";
import type { RolloutState } from "../state.ts";
import { checkCommit } from "./check-commit.ts";
import type { RolloutStore } from "./store.ts";

const copy = <T>(value: T): T => structuredClone(value);

/** A copy of its own that nobody can change, so that it needs no further copies. */
function sealed<T>(value: T): T {
  const freeze = (part: unknown): void => {
    if (typeof part !== "object" || part === null) return;
    Object.freeze(part);
    for (const member of Object.values(part)) freeze(member);
  };
  const own = copy(value);
  freeze(own);
  return own;
}

/** Tuples are replaced, never changed, and there are thousands of them. */
const copyArm = (arm: ArmRow): ArmRow => ({
  ...arm,
  failed: [...arm.failed],
  unknown: [...arm.unknown],
  actionFailed: [...arm.actionFailed],
  ...(arm.units === undefined ? {} : { units: [...arm.units] }),
  ...(arm.incomplete === undefined ? {} : { incomplete: [...arm.incomplete] }),
  durations: [...arm.durations],
  costs: [...arm.costs],
  steps: [...arm.steps],
});
const copyRow = (row: CounterRow): CounterRow => ({
  ...row,
  new: copyArm(row.new),
  legacy: copyArm(row.legacy),
  ...(row.operations === undefined ? {} : { operations: copy(row.operations) }),
  ...(row.errorClasses === undefined ? {} : { errorClasses: { ...row.errorClasses } }),
  ...(row.persistence === undefined ? {} : { persistence: { ...row.persistence } }),
  ...(row.shadow === undefined ? {} : { shadow: { ...row.shadow } }),
});

/** The key of a counter row. */
export const rowKey = (row: Pick<CounterRow, "source" | "start">): string => `${row.start} ${row.source}`;

/** A rollout store that forgets with its process: for tests, simulations and single-process hosts that start over. */
export function memoryRolloutStore(): RolloutStore {
  const states = new Map<string, RolloutState>();
  const records = new Map<string, EvidenceRecord[]>();
  const rows = new Map<string, Map<string, CounterRow>>();
  const listeners = new Set<(flag: string) => void>();
  let closed = false;
  const open = () => {
    if (closed) throw new HebraError("CLOSED", "The rollout store is closed.");
  };
  return {
    async list() {
      open();
      return [...states.keys()].sort();
    },
    async read(flag) {
      open();
      return states.get(flag);
    },
    async commit(commit) {
      open();
      const { flag } = commit.state;
      checkCommit(commit, states.get(flag));
      states.set(flag, sealed(commit.state));
      records.set(flag, [...(records.get(flag) ?? []), ...copy(commit.evidence)]);
      for (const listener of listeners) listener(flag);
    },
    async evidence(flag) {
      open();
      return copy(records.get(flag) ?? []);
    },
    async report(fresh) {
      open();
      for (const row of fresh) {
        const own = rows.get(row.flag) ?? new Map<string, CounterRow>();
        rows.set(row.flag, own);
        if ((own.get(rowKey(row))?.sequence ?? -1) < row.sequence) own.set(rowKey(row), copyRow(row));
      }
    },
    async counters(flag, from) {
      open();
      // Rows are replaced, never changed: they need no copy, and there may be thousands.
      return [...(rows.get(flag)?.values() ?? [])].filter((row) => row.start >= from);
    },
    async prune(flag, before) {
      open();
      for (const [key, row] of rows.get(flag) ?? []) if (row.end < before) rows.get(flag)!.delete(key);
    },
    watch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      closed = true;
      listeners.clear();
    },
  };
}
