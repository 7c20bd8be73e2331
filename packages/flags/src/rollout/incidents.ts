import { HebraError, type Clock } from "@hebra/core";
import type { IncidentSink } from "../incident/incident.ts";
import { guardIncident, rollbackIncident } from "../incident/rollout-incidents.ts";
import type { GuardReport } from "./guards/evaluate.ts";
import type { RolloutState } from "./state.ts";
import type { RolloutStore } from "./store/store.ts";

/** How long a rollout waits for the sink, ms. What it did not take is written at the next look. */
const LIMIT_MS = 5_000;
/** How long a closed postmortem's incident is looked after, ms. */
const RECENT_MS = 7 * 86_400_000;

/** Writes the incidents of rollouts. */
export interface RolloutIncidents {
  /**
   * Writes the incidents of rollbacks and of guards that found something, unless this process did so already. Never
   * throws.
   */
  open(state: RolloutState, report: GuardReport | undefined): Promise<void>;
}

/** @param options - `sink`: absent, nothing is written. */
export function rolloutIncidents(options: {
  readonly sink: IncidentSink | undefined;
  readonly store: RolloutStore;
  readonly engines?: { readonly legacy?: string; readonly new?: string };
  readonly onError: (error: unknown) => void;
  readonly clock: Clock;
}): RolloutIncidents {
  const { sink, store, engines, onError, clock } = options;
  const written = new Set<string>();

  async function write(state: RolloutState, report: GuardReport | undefined, to: IncidentSink): Promise<void> {
    const rollout = { ...state, ...(engines === undefined ? {} : { engines }) };
    const now = clock.now();
    for (const verdict of report?.verdicts ?? []) {
      const key = JSON.stringify([state.flag, state.enteredAt, verdict.guard]);
      if (verdict.answer !== "breach" || written.has(key)) continue;
      await to.write([guardIncident(rollout, verdict, now)]);
      written.add(key);
    }
    for (const postmortem of state.postmortems) {
      if (written.has(postmortem.id) || now - postmortem.openedAt > RECENT_MS) continue;
      await to.write([await rollbackIncident(rollout, postmortem, await store.evidence(state.flag), to)]);
      written.add(postmortem.id);
    }
  }

  return {
    async open(state, report) {
      if (sink === undefined) return;
      const late = new HebraError("TIMEOUT", `The incident sink took over ${LIMIT_MS} ms; the rollout goes on.`);
      let cancel = () => {};
      const limit = new Promise<never>((_, reject) => {
        cancel = clock.after(LIMIT_MS, () => reject(late));
      });
      await Promise.race([write(state, report, sink), limit])
        .catch(onError)
        .finally(() => cancel());
    },
  };
}
