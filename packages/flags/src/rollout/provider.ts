import { digest, parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import type { FlagOverride } from "../evaluate/types.ts";
import type { FlagProvider } from "../provider/provider.ts";
import { createRefresher } from "../provider/refresher.ts";
import { overrideOf } from "./state.ts";
import type { RolloutStore } from "./store/store.ts";

/** Options of {@link rolloutProvider}. */
export interface RolloutProviderOptions {
  readonly store: RolloutStore;
  /** Time between two looks where the store cannot tell of changes, ms. @defaultValue 5,000 */
  readonly pollMs?: number;
  readonly clock?: Clock;
}

const schema = z.strictObject({
  store: z.custom<RolloutStore>(
    (value) => typeof (value as RolloutStore | null)?.read === "function",
    "must be a RolloutStore",
  ),
  pollMs: z.number().positive().default(5_000),
  clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function", "must be a clock").optional(),
});

/**
 * Rollouts as a layer of flags: what each phase makes of its flag, laid over the document. Put it above the provider of
 * the document and below the
 * environment's.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createFlags, envProvider, fileProvider } from "@hebra/flags";
 * import { memoryRolloutStore, rolloutProvider } from "@hebra/flags/rollout";
 *
 * const store = memoryRolloutStore();
 * export const flags = createFlags({ providers: [envProvider(), rolloutProvider({ store }), fileProvider({ path:
 * "flags.json" })] });
 * ```
 */
export function rolloutProvider(options: RolloutProviderOptions): FlagProvider {
  const { store, pollMs, clock } = parseOptions("rolloutProvider", schema, options);
  let stop: (() => void) | undefined;
  const refresher = createRefresher({
    name: "rollouts",
    clock: clock ?? systemClock,
    pollMs,
    async read() {
      const overrides: Record<string, FlagOverride> = {};
      for (const flag of await store.list()) {
        const state = await store.read(flag);
        if (state !== undefined) overrides[flag] = overrideOf(state);
      }
      return { revision: digest(overrides), snapshot: { document: { flags: {} }, overrides } };
    },
  });
  return {
    name: "rollouts",
    load: () => refresher.load(),
    watch(listener) {
      stop ??= store.watch?.(() => refresher.refresh());
      return refresher.watch(listener);
    },
    async close() {
      stop?.();
      refresher.close();
    },
  };
}
