import { HebraError, type ErrorCode } from "@hebra/core";
import type { EvaluationContext, EvaluationDetails } from "@openfeature/core";
import { toMode } from "../client/targets.ts";
import type { RemoteTarget } from "../route/remote-target.ts";
import { toEvaluationContext } from "./context.ts";

/** The part of an OpenFeature client that is used; the server SDK's fits. */
export interface OpenFeatureClientLike {
  getStringDetails(key: string, defaultValue: string, context?: EvaluationContext): Promise<EvaluationDetails<string>>;
  getBooleanDetails(
    key: string,
    defaultValue: boolean,
    context?: EvaluationContext,
  ): Promise<EvaluationDetails<boolean>>;
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  FLAG_NOT_FOUND: "FLAG_NOT_FOUND",
  PARSE_ERROR: "PARSE_ERROR",
  TYPE_MISMATCH: "TYPE_MISMATCH",
  TARGETING_KEY_MISSING: "TARGETING_KEY_MISSING",
  PROVIDER_NOT_READY: "PROVIDER_NOT_READY",
  PROVIDER_FATAL: "PROVIDER_NOT_READY",
};

/**
 * Takes the target of a flag from anybody's OpenFeature provider: a string flag whose values are modes, or a boolean
 * one, `true` for new. Hand it to
 * a router as `target`, or to `decideWithTarget`: local kills, lists, percentages and the breaker cap it.
 *
 * @returns a target that rejects with the provider's error code
 *
 * @example
 * ```ts
 * import { createFlags, createRouter, envProvider } from "@hebra/flags";
 * import { fromOpenFeature } from "@hebra/flags/openfeature";
 * import { OpenFeature } from "@openfeature/server-sdk";
 *
 * const flags = createFlags({ provider: envProvider() });
 * export const router = createRouter({ flags, target: fromOpenFeature(OpenFeature.getClient()) });
 * ```
 */
export function fromOpenFeature(client: OpenFeatureClientLike): RemoteTarget {
  /** Which flags turned out to be booleans; asked as strings at first. */
  const booleans = new Set<string>();
  return async (flag, context) => {
    const evaluationContext = toEvaluationContext(context);
    if (!booleans.has(flag)) {
      const details = await client.getStringDetails(flag, "legacy", evaluationContext);
      if (details.errorCode === undefined) {
        const mode = toMode(details.value);
        if (mode !== undefined) return mode;
        throw new HebraError(
          "TYPE_MISMATCH",
          `The flag ${flag} is "${details.value}", which is none of legacy, shadow and new.`,
          { details: { flag } },
        );
      }
      if (details.errorCode !== "TYPE_MISMATCH") throw failure(flag, details);
    }
    const details = await client.getBooleanDetails(flag, false, evaluationContext);
    if (details.errorCode !== undefined) {
      booleans.delete(flag);
      throw failure(flag, details);
    }
    booleans.add(flag);
    return details.value ? "new" : "legacy";
  };
}

function failure(flag: string, details: EvaluationDetails<string | boolean>): HebraError {
  const errorCode: string = details.errorCode ?? "GENERAL";
  const { errorMessage } = details;
  return new HebraError(
    CODES[errorCode] ?? "GENERAL",
    `The OpenFeature provider gave no target for ${flag}: ${errorMessage ?? errorCode}.`,
    { details: { flag, errorCode } },
  );
}
