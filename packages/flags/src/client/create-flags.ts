import { compileAll, compileUnknown, type CompileAllInput } from "../evaluate/compile-all.ts";
import { fixedDecision, type CompiledFlag, type LocalState } from "../evaluate/compile.ts";
import type { Assigned, Decision, FlagContext, Unit } from "../evaluate/types.ts";
import type { ProviderSnapshot } from "../provider/provider.ts";
import type { FlagsEvent, FlagsStatus } from "./flags-status.ts";
import { createLayers } from "./layers.ts";
import { parseFlagsOptions, type FlagsOptions } from "./options.ts";

/** The flags of one process. */
export interface Flags {
  /**
   * Which engine serves. Synchronous; never throws: whatever goes wrong is `legacy` with an `errorCode`.
   *
   * @param key - the flag.
   * @param context - who asks; without the flag's unit the answer is legacy.
   * @param assigned - the engine that serves the session already, when it does; the router knows.
   */
  decide(key: string, context: FlagContext, assigned?: Assigned): Decision;
  /**
   * Resolves when every provider has loaded. @throws HebraError what the first failing `load` threw; the flags go on,
   * and may get ready later
   */
  ready(): Promise<void>;
  status(): FlagsStatus;
  /** What is known of one flag. */
  describe(key: string): { readonly key: string; readonly version: number; readonly unit: Unit } | undefined;
  keys(): readonly string[];
  /** What each provider said last, the strongest first; `undefined` for one that has not loaded. */
  snapshots(): readonly (ProviderSnapshot | undefined)[];
  /** Opens or closes the brake of one flag in this process; the router does so by itself. */
  setBreaker(key: string, open: boolean): void;
  /** @returns stops */
  subscribe(listener: (event: FlagsEvent) => void): () => void;
  /** Closes the providers too. Decisions stay possible, on what was in force. */
  close(): Promise<void>;
}

/**
 * The flags of one process: layers of providers, compiled once for each change, swapped at once.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createFlags, envProvider, staticProvider } from "@hebra/flags";
 *
 * const flags = createFlags({
 *   providers: [envProvider(), staticProvider({ flags: {}, rollouts: { "engine-v2": { version: 1, canary: { percent: 10
 * } } } })],
 *   environment: "production",
 * });
 * await flags.ready();
 * const { mode, reason } = flags.decide("engine-v2", { session: "s1", org: "acme" });
 * console.log(mode, reason);
 * await flags.close();
 * ```
 */
export function createFlags(options: FlagsOptions): Flags {
  const { providers, environment, maxStaleMs, clock, logger } = parseFlagsOptions(options);
  const locals = new Map<string, LocalState>();
  const listeners = new Set<(event: FlagsEvent) => void>();
  const failed = fixedDecision("legacy", "ERROR", "failed", 0, "GENERAL");
  let compiled: ReadonlyMap<string, CompiledFlag> = new Map();
  let unknown = new Map<string, CompiledFlag>();
  // Most calls ask for the same flag as the call before: comparing one interned string is cheaper than a lookup.
  let lastKey: string | undefined;
  let lastFlag: CompiledFlag | undefined;
  let lastConstant: Decision | undefined;
  let cancelExpiry = () => {};
  let closed = false;

  const local = (key: string): LocalState => {
    let state = locals.get(key);
    if (state === undefined) locals.set(key, (state = { breakerOpen: false }));
    return state;
  };
  const emit = (event: FlagsEvent) => {
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        logger.warn("A listener of the flags threw.", { event: event.type, error: String(error) });
      }
    }
  };
  const layers = createLayers({ providers, clock, logger, maxStaleMs, emit, changed: recompile });

  function compileInput(): CompileAllInput {
    return {
      layers: layers.snapshots(),
      environment,
      now: clock.now(),
      local,
      target: layers.target,
      expired: layers.expired(),
    };
  }

  function recompile(): void {
    const next = compileAll(compileInput());
    const keys = [...new Set([...compiled.keys(), ...next.keys()])];
    compiled = next;
    unknown = new Map();
    lastKey = lastFlag = lastConstant = undefined;
    cancelExpiry();
    const ends = [...next.values()].map(({ expiresAt }) => expiresAt).filter((at) => at !== undefined);
    // Pins end by compiling again: a decision itself never looks at a clock.
    cancelExpiry =
      ends.length === 0 || closed ? () => {} : clock.after(Math.max(1, Math.min(...ends) - clock.now()), recompile);
    emit({ type: "flags-changed", keys });
  }

  function missing(key: string): CompiledFlag {
    let found = unknown.get(key);
    if (found === undefined) {
      found = compileUnknown(key, compileInput());
      // Keys come from code; a caller that makes them up must not fill the memory.
      if (unknown.size < 1_000) unknown.set(key, found);
    }
    return found;
  }

  layers.start();
  return {
    decide(key, context, assigned) {
      try {
        if (key === lastKey) return lastConstant ?? lastFlag!.evaluate(context, assigned);
        const flag = compiled.get(key) ?? missing(key);
        lastKey = key;
        lastFlag = flag;
        lastConstant = flag.constant;
        return flag.evaluate(context, assigned);
      } catch {
        return failed;
      }
    },
    ready: () => layers.ready(),
    status: () => layers.status(),
    describe(key) {
      const flag = compiled.get(key);
      return flag === undefined ? undefined : { key, version: flag.version, unit: flag.unit };
    },
    keys: () => [...compiled.keys()],
    snapshots: () => layers.snapshots(),
    setBreaker(key, open) {
      local(key).breakerOpen = open;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      closed = true;
      cancelExpiry();
      await layers.close();
      listeners.clear();
    },
  };
}
