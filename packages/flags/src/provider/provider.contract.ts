import assert from "node:assert/strict";
import { errorCode } from "@hebra/core";
import type { FlagDocument } from "../evaluate/types.ts";
import type { FlagProvider, ProviderEvent } from "./provider.ts";

/**
 * What a provider's author gives the contract. Each clause gets a fresh one, whose source holds {@link firstDocument}.
 */
export interface ProviderContractHarness {
  /** A provider of the source. Every one that was connected is closed by the clause. */
  connect(): FlagProvider;
  /** Puts another document into the source. */
  publish(document: FlagDocument): Promise<void>;
  /** Makes the source hold something that is no flag document. Absent: the source cannot hold such a thing. */
  corrupt?(): Promise<void>;
  /** Makes the source unreachable. Absent: it cannot be. */
  cutOff?(): Promise<void>;
  /** Undoes `cutOff`; what the source held it holds again. */
  restore?(): Promise<void>;
  /** Lets a moment of the source's time pass, some tens of milliseconds. */
  elapse(): Promise<void>;
  /** Timers of the provider that are still set, where the harness can count them. */
  timers?(): number;
}

/** What the source holds before each clause. */
export const firstDocument: FlagDocument = {
  flags: {},
  rollouts: { contract: { version: 1, canary: { percent: 10 } } },
};
const second: FlagDocument = {
  flags: {},
  rollouts: { contract: { version: 2, canary: { percent: 20 } }, other: { version: 1 } },
};
const third: FlagDocument = {
  flags: {},
  rollouts: { contract: { version: 3, kill: { at: "2026-01-01T00:00:00.000Z", by: "contract", reason: "clause" } } },
};

/** One promise of the port, as a test over a harness. */
export type ProviderClause = (harness: ProviderContractHarness) => Promise<void>;

const percent = (document: FlagDocument) => document.rollouts?.["contract"]?.canary?.percent;

/** Opens a watched provider, runs, and closes it. */
async function watched(
  harness: ProviderContractHarness,
  run: (
    provider: FlagProvider,
    events: ProviderEvent[],
    until: (what: string, holds: () => boolean) => Promise<void>,
  ) => Promise<void>,
): Promise<void> {
  const provider = harness.connect();
  const events: ProviderEvent[] = [];
  try {
    await provider.load();
    provider.watch?.((event) => void events.push(event));
    await run(provider, events, async (what, holds) => {
      for (let count = 0; !holds(); count++) {
        assert.ok(
          count < 400,
          `${what}: it did not happen; events so far: ${events.map(({ type }) => type).join(", ")}`,
        );
        await harness.elapse();
      }
    });
  } finally {
    await provider.close();
  }
}

const loaded = (events: readonly ProviderEvent[]) => events.filter((event) => event.type === "snapshot-loaded");
const has = (events: readonly ProviderEvent[], type: ProviderEvent["type"]) =>
  events.some((event) => event.type === type);

/**
 * What every provider of flags promises, by title. Run each clause against a fresh harness of the real source; the
 * clauses on a source that is corrupt or
 * out of reach pass by themselves where it cannot be.
 *
 * @example
 * ```ts
 * import { staticProvider } from "@hebra/flags";
 * import { firstDocument, providerContract, type ProviderContractHarness } from "@hebra/flags/testing";
 *
 * const source = staticProvider(firstDocument);
 * const harness: ProviderContractHarness = {
 *   connect: () => source,
 *   publish: async (document) => source.set(document),
 *   elapse: () => new Promise((resolve) => setImmediate(resolve)),
 * };
 * await providerContract["load gives what the source holds"]?.(harness);
 * ```
 */
export const providerContract: Readonly<Record<string, ProviderClause>> = {
  "load gives what the source holds": async (harness) => {
    const provider = harness.connect();
    assert.equal(percent((await provider.load()).document), 10);
    await harness.publish(second);
    assert.equal(percent((await provider.load()).document), 20);
    await provider.close();
  },

  "a change reaches those who watch, whole": (harness) =>
    watched(harness, async (_, events, until) => {
      await harness.publish(second);
      await until("the second document", () => loaded(events).length > 0);
      assert.deepEqual(loaded(events).at(-1)!.snapshot.document.rollouts, second.rollouts);
      await harness.publish(third);
      await until(
        "the third document",
        () => loaded(events).at(-1)!.snapshot.document.rollouts?.["contract"]?.version === 3,
      );
      assert.deepEqual(loaded(events).at(-1)!.snapshot.document.rollouts, third.rollouts);
    }),

  "a snapshot never changes in place": (harness) =>
    watched(harness, async (provider, events, until) => {
      const before = await provider.load();
      const copy = JSON.stringify(before);
      await harness.publish(second);
      await until("the change", () => loaded(events).length > 0);
      assert.equal(JSON.stringify(before), copy);
      assert.notEqual(loaded(events)[0]!.snapshot, before);
    }),

  "two watchers hear the same, and one that stopped hears nothing more": (harness) =>
    watched(harness, async (provider, events, until) => {
      const heard: ProviderEvent[] = [];
      const stopped: ProviderEvent[] = [];
      provider.watch?.((event) => void heard.push(event));
      const stop = provider.watch?.((event) => void stopped.push(event));
      stop?.();
      stop?.();
      await harness.publish(second);
      await until("the change", () => loaded(events).length > 0 && loaded(heard).length > 0);
      assert.deepEqual(stopped, []);
    }),

  "an unchanged source is silent": (harness) =>
    watched(harness, async (_, events) => {
      for (let count = 0; count < 10; count++) await harness.elapse();
      assert.deepEqual(
        events.map(({ type }) => type),
        [],
      );
    }),

  "a corrupt source is refused, and what follows it is taken": async (harness) => {
    if (harness.corrupt === undefined) return;
    await watched(harness, async (_, events, until) => {
      await harness.corrupt!();
      await until("the refusal", () => has(events, "snapshot-rejected"));
      assert.deepEqual(loaded(events), []);
      await harness.publish(second);
      await until("the good document", () => loaded(events).length > 0);
      assert.equal(percent(loaded(events)[0]!.snapshot.document), 20);
    });
  },

  "a corrupt source fails load, and a watcher still gets the first good document": async (harness) => {
    if (harness.corrupt === undefined) return;
    await harness.corrupt();
    const provider = harness.connect();
    const events: ProviderEvent[] = [];
    await assert.rejects(
      async () => provider.load(),
      (error) => ["FLAG_INVALID", "PARSE_ERROR"].includes(errorCode(error) ?? ""),
    );
    provider.watch?.((event) => void events.push(event));
    await harness.publish(second);
    for (let count = 0; loaded(events).length === 0; count++) {
      assert.ok(count < 400, "the good document never came");
      await harness.elapse();
    }
    await provider.close();
  },

  "a source out of reach is told, and so is its return, with what changed meanwhile": async (harness) => {
    if (harness.cutOff === undefined) return;
    await watched(harness, async (_, events, until) => {
      await harness.cutOff!();
      await until("the loss", () => has(events, "source-lost"));
      assert.deepEqual(loaded(events), [], "the last good document stays");
      await harness.restore!();
      await harness.publish(second);
      await until("the return", () => loaded(events).length > 0);
      assert.equal(percent(loaded(events).at(-1)!.snapshot.document), 20);
    });
  },

  "a source out of reach fails load with UNREACHABLE": async (harness) => {
    if (harness.cutOff === undefined) return;
    await harness.cutOff();
    const provider = harness.connect();
    await assert.rejects(
      async () => provider.load(),
      (error) => errorCode(error) === "UNREACHABLE",
    );
    await provider.close();
    await harness.restore!();
  },

  "after close: load fails with CLOSED, nobody hears anything, no timer is left; closing again is fine": async (
    harness,
  ) => {
    const provider = harness.connect();
    const events: ProviderEvent[] = [];
    await provider.load();
    provider.watch?.((event) => void events.push(event));
    await provider.close();
    await provider.close();
    await assert.rejects(
      async () => provider.load(),
      (error) => errorCode(error) === "CLOSED",
    );
    await harness.publish(second);
    for (let count = 0; count < 5; count++) await harness.elapse();
    assert.deepEqual(events, []);
    assert.equal(harness.timers?.() ?? 0, 0);
  },

  "a provider may be closed without ever having been used": async (harness) => {
    const provider = harness.connect();
    await provider.close();
    assert.equal(harness.timers?.() ?? 0, 0);
  },
};
