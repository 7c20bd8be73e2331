import type { EvaluationContext, FlagValueType, JsonValue, ResolutionDetails } from "@openfeature/core";
import type { FlagdCore } from "@openfeature/flagd-core";
import type { Flags } from "../client/create-flags.ts";
import { createFlagd, loadFlagd, toMode } from "../client/targets.ts";
import type { FlagdFlag, FlagDocument } from "../evaluate/types.ts";

const silent = { error() {}, warn() {}, info() {}, debug() {} };

/**
 * The flags of all layers that have nothing to do with modes: of any type, evaluated by flagd's evaluator. @internal
 */
export interface PlainFlags {
  /** Loads the evaluator. @throws HebraError `PEER_MISSING` */
  load(): Promise<void>;
  /** The flags changed. */
  reload(): void;
  /**
   * Whether the flag decides between engines: it has a rollout, or its values are modes, or nobody but a layer of
   * overrides knows it.
   */
  isMode(key: string): boolean;
  /** Whether the same context always gets the same answer: not when a rule looks at the clock. */
  isStable(key: string): boolean;
  evaluate(
    type: FlagValueType,
    key: string,
    defaultValue: JsonValue,
    context: EvaluationContext,
  ): ResolutionDetails<JsonValue>;
}

/** @internal */
export function createPlainFlags(flags: Flags): PlainFlags {
  let module: Awaited<ReturnType<typeof loadFlagd>> | undefined;
  let document: FlagDocument | undefined;
  let core: FlagdCore | undefined;

  /** One document of all layers: for one key the strongest layer's flag. */
  const merged = (): FlagDocument =>
    (document ??= {
      flags: Object.assign(
        {},
        ...flags
          .snapshots()
          .map((layer) => layer?.document.flags ?? {})
          .reverse(),
      ) as Record<string, FlagdFlag>,
      $evaluators: Object.assign(
        {},
        ...flags
          .snapshots()
          .map((layer) => layer?.document.$evaluators ?? {})
          .reverse(),
      ) as Record<string, unknown>,
    });
  const flagOf = (key: string) => (Object.hasOwn(merged().flags, key) ? merged().flags[key] : undefined);
  const hasRollout = (key: string) =>
    flags
      .snapshots()
      .some((layer) => layer?.document.rollouts !== undefined && Object.hasOwn(layer.document.rollouts, key));
  const hasModes = (flag: FlagdFlag) =>
    Object.values(flag.variants).every((value) => typeof value === "string" && toMode(value) !== undefined);

  return {
    load: async () => void (module ??= await loadFlagd()),
    reload: () => void (document = core = undefined),
    isMode(key) {
      const flag = flagOf(key);
      return hasRollout(key) || (flag !== undefined && hasModes(flag));
    },
    isStable: (key) => !JSON.stringify([flagOf(key)?.targeting, merged().$evaluators]).includes("$flagd.timestamp"),
    evaluate(type, key, defaultValue, context) {
      if (module === undefined)
        return { value: defaultValue, reason: "ERROR", errorCode: "PROVIDER_NOT_READY" as never };
      if (flagOf(key)?.state === "DISABLED")
        return { value: defaultValue, reason: "DISABLED", flagMetadata: flagOf(key)?.metadata ?? {} };
      core ??= createFlagd(module, merged());
      return core.resolve(type, key, defaultValue, context, silent);
    },
  };
}
