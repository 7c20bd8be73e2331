import type { Target } from "../evaluate/compile-all.ts";
import type { FlagdFlag, Mode } from "../evaluate/types.ts";
import type { ProviderSnapshot } from "../provider/provider.ts";

/** Answers of flags that have no rollout, or hand-written targeting. */
export interface Targets {
  /** Fetches what a snapshot needs to be evaluated; `undefined` when all is there. */
  prepare(snapshot: ProviderSnapshot): Promise<void> | undefined;
  of(key: string, flag: FlagdFlag, snapshot: ProviderSnapshot | undefined): Target;
}

/** @internal */
export function createTargets(): Targets {
  return {
    prepare: () => undefined,
    of(_key, flag) {
      const mode = toMode(flag.defaultVariant === undefined || flag.defaultVariant === null ? undefined : flag.variants[flag.defaultVariant]);
      return mode === undefined ? { defect: "TYPE_MISMATCH" } : { mode: () => mode };
    },
  };
}

/** A flagd value as a mode: the modes themselves, and booleans, `true` for new. */
export function toMode(value: unknown): Mode | undefined {
  if (typeof value === "boolean") return value ? "new" : "legacy";
  return value === "legacy" || value === "shadow" || value === "new" ? value : undefined;
}
