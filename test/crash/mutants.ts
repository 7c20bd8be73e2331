import type { Changes, Snapshot, ThreadStore } from "@hebra/thread";

type Active = NonNullable<Snapshot["active"]>;

/** Changes what a process that takes a turn over is told about it. */
const takeOver =
  (change: (active: Active, snapshot: Snapshot) => void) =>
  (store: ThreadStore): ThreadStore => ({
    ...store,
    async takeOver(...args) {
      const snapshot = await store.takeOver(...args);
      if (snapshot.active !== undefined) change(snapshot.active, snapshot);
      return snapshot;
    },
  });

/** Changes what is written. */
const commit =
  (change: (changes: Changes) => Changes) =>
  (store: ThreadStore): ThreadStore => ({
    ...store,
    commit: (tenant, contextId, guard, changes) => store.commit(tenant, contextId, guard, change(changes)),
  });

/**
 * Violations, planted into the process that recovers, each with the rules that must find it. They stand for an engine
 * that
 * gets one thing wrong.
 */
export const mutants: Readonly<Record<string, { finds: string[]; plant(store: ThreadStore): ThreadStore }>> = {
  "forgets that a call has a result": {
    finds: ["call-repeated"],
    plant: takeOver((active) => {
      active.calls = active.calls.map((call) =>
        call.status === "succeeded" ? { ...call, status: "running", effect: "read" } : call,
      );
    }),
  },
  "overwrites a result": {
    finds: ["result-lost"],
    plant(store) {
      let kept: Active["calls"] = [];
      const watched = takeOver((active) => void (kept = active.calls.filter(({ status }) => status === "succeeded")))(
        store,
      );
      return {
        ...watched,
        commit: (tenant, contextId, guard, changes) => {
          const spoilt = kept.splice(0).map((call) => ({ ...call, output: "another" }));
          return store.commit(tenant, contextId, guard, { ...changes, calls: [...(changes.calls ?? []), ...spoilt] });
        },
      };
    },
  },
  "runs a cut-off write again": {
    finds: ["write-repeated", "write-not-interrupted", "effect-twice"],
    plant: takeOver((active) => {
      active.calls = active.calls.map((call) => ({ ...call, effect: "read" }));
    }),
  },
  "runs again under another key": {
    finds: ["key-changed"],
    plant: takeOver((active) => {
      active.calls = active.calls.map((call) => ({ ...call, idempotencyKey: `${call.idempotencyKey}-2` }));
    }),
  },
  "does not run again what it may": {
    finds: ["call-not-run-again"],
    plant: takeOver((active) => {
      active.calls = active.calls.map((call) => (call.status === "running" ? { ...call, effect: "write" } : call));
    }),
  },
  "asks for an answer that it has": {
    finds: ["answer-asked-twice"],
    plant: takeOver((active) => {
      // Of the first answer only: an engine that asked for each again would never come to an end.
      if (active.steps.length > 1) return;
      const last = active.steps.at(-1)!.id;
      active.calls = active.calls.filter(({ stepId }) => stepId !== last);
      active.parts = active.parts.filter(({ stepId }) => stepId !== last);
    }),
  },
  "does not tell the model of a cut-off write": {
    finds: ["model-not-told"],
    plant: commit((changes) => {
      for (const { content } of changes.parts ?? [])
        if (content.kind === "action" && content.error !== undefined) content.error = "It failed.";
      return changes;
    }),
  },
  "loses a trigger that waits in line": {
    finds: ["trigger-lost"],
    plant: (store) => ({
      ...store,
      async load(...args) {
        const snapshot = await store.load(...args);
        return snapshot === undefined
          ? undefined
          : { ...snapshot, queued: snapshot.queued.filter(({ execution }) => execution.triggerId !== "m2") };
      },
    }),
  },
  "shows the model a call without a result": {
    finds: ["history-unsettled"],
    plant: (store) => ({
      ...store,
      async history(...args) {
        const entries = await store.history(...args);
        for (const { parts } of entries)
          for (const { content } of parts) if (content.kind === "action") delete content.status;
        return entries;
      },
    }),
  },
  "forgets a change of state": {
    finds: ["state-wrong"],
    plant: takeOver((_active, snapshot) => {
      snapshot.context = { ...snapshot.context, state: {} };
    }),
  },
  "writes half of what belongs together": {
    finds: ["rows-broken"],
    plant: commit(({ parts: _parts, ...changes }) => changes),
  },
  "cannot go on after the crash": {
    finds: ["following-turn"],
    plant: (store) => ({
      ...store,
      begin: (tenant, begin) =>
        begin.execution.triggerId === "m3" ? Promise.reject(new Error("planted")) : store.begin(tenant, begin),
    }),
  },
};
