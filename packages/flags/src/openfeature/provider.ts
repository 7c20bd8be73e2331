import { assertPeer, errorMessage, HebraError, parseOptions } from "@hebra/core";
import type {
  EvaluationContext,
  FlagValueType,
  JsonValue,
  ResolutionDetails,
  TrackingEventDetails,
} from "@openfeature/core";
import type { Provider } from "@openfeature/server-sdk";
import * as z from "zod";
import type { Flags } from "../client/create-flags.ts";
import type { FlagsEvent } from "../client/flags-status.ts";
import type { Decision } from "../evaluate/types.ts";
import { flagdPeer } from "../client/targets.ts";
import { createProviderEvents } from "./events.ts";
import { createPlainFlags } from "./plain-flags.ts";
import { createResultCache } from "./result-cache.ts";
import { toFlagContext } from "./context.ts";

/** Options of {@link openFeatureProvider}. */
export interface OpenFeatureProviderOptions {
  readonly flags: Flags;
  /** How many results of plain flags are kept until the flags change, and told with reason `CACHED`. @defaultValue 0 */
  readonly cacheSize?: number;
  /** Gets what the application tracks, for guard counters. */
  readonly onTrack?: (name: string, context: EvaluationContext, details: TrackingEventDetails) => void;
}

const schema = z.strictObject({
  flags: z.custom<Flags>((value) => typeof (value as Flags | null)?.decide === "function", { message: "not flags" }),
  cacheSize: z.int().min(0).default(0),
  onTrack: z
    .custom<NonNullable<OpenFeatureProviderOptions["onTrack"]>>((value) => typeof value === "function")
    .optional(),
});

/** Errors that waiting does not cure. */
const FATAL = new Set(["PEER_MISSING", "UNAUTHENTICATED", "FORBIDDEN", "CLOSED", "INVALID_OPTIONS"]);

/**
 * Our flags as a server provider of OpenFeature. A flag with a rollout is a boolean (`true`: new) or a string (the
 * mode), and is legacy explicitly
 * whatever default the caller gives: a kill must not be overruled by one. Plain flags of any type are evaluated by
 * flagd's evaluator.
 * Closing the provider leaves the flags open.
 *
 * @throws HebraError `INVALID_OPTIONS`, `PEER_MISSING`
 *
 * @example
 * ```ts
 * import { createFlags, staticProvider } from "@hebra/flags";
 * import { openFeatureProvider } from "@hebra/flags/openfeature";
 * import { OpenFeature } from "@openfeature/server-sdk";
 *
 * const flags = createFlags({ provider: staticProvider({ flags: {}, rollouts: { "engine-v2": { version: 1, allow: {
 * org: ["acme"] } } } }) });
 * await OpenFeature.setProviderAndWait(openFeatureProvider({ flags }));
 * console.log(await OpenFeature.getClient().getBooleanValue("engine-v2", false, { targetingKey: "s1", org: "acme" }));
 * // true
 * await OpenFeature.close();
 * await flags.close();
 * ```
 */
export function openFeatureProvider(options: OpenFeatureProviderOptions): Provider {
  const { flags, cacheSize, onTrack } = parseOptions("openFeatureProvider", schema, options);
  assertPeer({ ...flagdPeer, neededBy: "@hebra/flags/openfeature" }, import.meta.url);
  const { emitter, emit } = createProviderEvents();
  const plain = createPlainFlags(flags);
  const cache = createResultCache(cacheSize);
  let unsubscribe = () => {};
  let initialized = false;

  function tell(event: FlagsEvent): void {
    if (event.type === "flags-changed") emit("PROVIDER_CONFIGURATION_CHANGED", { flagsChanged: [...event.keys] });
    else if (event.type === "provider-staled") emit("PROVIDER_STALE", { message: event.error.message });
    else if (event.type === "provider-recovered" && !flags.status().stale) emit("PROVIDER_READY");
  }

  function resolve<T extends JsonValue>(
    type: FlagValueType,
    key: string,
    defaultValue: T,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<T>> {
    try {
      const details = plain.isMode(key)
        ? modeDetails(type, key, defaultValue, context)
        : cache.through(type, key, context, plain.isStable(key), () =>
            plain.evaluate(type, key, defaultValue, context),
          );
      return Promise.resolve(details as ResolutionDetails<T>);
    } catch (error) {
      return Promise.resolve({
        value: defaultValue,
        reason: "ERROR",
        errorCode: "GENERAL" as never,
        errorMessage: errorMessage(error),
      });
    }
  }

  function modeDetails(
    type: FlagValueType,
    key: string,
    defaultValue: JsonValue,
    context: EvaluationContext,
  ): ResolutionDetails<JsonValue> {
    if (type !== "boolean" && type !== "string") {
      return {
        value: defaultValue,
        reason: "ERROR",
        errorCode: "TYPE_MISMATCH" as never,
        errorMessage: `The flag ${key} is a boolean or a string, not a ${type}.`,
      };
    }
    const decision = flags.decide(key, toFlagContext(context, flags.describe(key)?.unit ?? "session"));
    return {
      value: type === "boolean" ? decision.mode === "new" : decision.mode,
      variant: decision.mode,
      reason: decision.reason,
      flagMetadata: metadataOf(decision),
    };
  }

  return {
    metadata: { name: "hebra" },
    runsOn: "server",
    events: emitter,
    async initialize() {
      unsubscribe = flags.subscribe((event) => {
        if (event.type === "flags-changed") {
          cache.clear();
          plain.reload();
        }
        if (initialized) tell(event);
      });
      try {
        await flags.ready();
        await plain.load();
      } catch (cause) {
        const fatal = HebraError.isInstance(cause) && FATAL.has(cause.code);
        throw Object.assign(new Error(errorMessage(cause), { cause }), { code: fatal ? "PROVIDER_FATAL" : "GENERAL" });
      }
      initialized = true;
      // The SDK calls the provider ready after this promise; what is stale then is told after that.
      if (flags.status().stale) setImmediate(() => emit("PROVIDER_STALE"));
    },
    onClose() {
      unsubscribe();
      return Promise.resolve();
    },
    resolveBooleanEvaluation: (key, defaultValue, context) => resolve("boolean", key, defaultValue, context),
    resolveStringEvaluation: (key, defaultValue, context) => resolve("string", key, defaultValue, context),
    resolveNumberEvaluation: (key, defaultValue, context) => resolve("number", key, defaultValue, context),
    resolveObjectEvaluation: (key, defaultValue, context) => resolve("object", key, defaultValue, context),
    ...(onTrack === undefined
      ? {}
      : {
          track: (name: string, context?: EvaluationContext, details?: TrackingEventDetails) =>
            onTrack(name, context ?? {}, details ?? {}),
        }),
  };
}

function metadataOf({ flagVersion, ruleId, bucket, arm, errorCode }: Decision): Record<string, string | number> {
  return {
    flagVersion,
    ruleId,
    ...(bucket < 0 ? {} : { bucket }),
    ...(arm === undefined ? {} : { arm }),
    ...(errorCode === undefined ? {} : { errorCode }),
  };
}
