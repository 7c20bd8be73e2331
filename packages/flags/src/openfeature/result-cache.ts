import { canonicalJson } from "@hebra/core";
import type { EvaluationContext, FlagValueType, JsonValue, ResolutionDetails } from "@openfeature/core";

type Details = ResolutionDetails<JsonValue>;

/** Results by flag, type and context; the least recently used goes first. @internal */
export function createResultCache(size: number) {
  const kept = new Map<string, Details>();
  return {
    clear: () => kept.clear(),
    through(
      type: FlagValueType,
      key: string,
      context: EvaluationContext,
      stable: boolean,
      evaluate: () => Details,
    ): Details {
      const name = size > 0 && stable ? nameOf(type, key, context) : undefined;
      if (name === undefined) return evaluate();
      const found = kept.get(name);
      if (found !== undefined) {
        kept.delete(name);
        kept.set(name, found);
        return { ...found, reason: "CACHED" };
      }
      const details = evaluate();
      // A default is the caller's, an error may pass: only what the flag itself says is kept.
      if (details.variant !== undefined && details.errorCode === undefined) {
        kept.set(name, details);
        if (kept.size > size) kept.delete(kept.keys().next().value!);
      }
      return details;
    },
  };
}

/** @returns `undefined` for a context that is not JSON */
function nameOf(type: string, key: string, context: EvaluationContext): string | undefined {
  try {
    return canonicalJson([type, key, context as never]);
  } catch {
    return undefined;
  }
}
