import { HebraError, loadPeer } from "@hebra/core";
import type { FlagdCore } from "@openfeature/flagd-core";
import { isHandWritten, type Target } from "../evaluate/compile-all.ts";
import type { FlagContext, FlagdFlag, FlagDocument, Mode } from "../evaluate/types.ts";
import type { ProviderSnapshot } from "../provider/provider.ts";

/** Answers of flags that have no rollout, or hand-written targeting. */
export interface Targets {
  /**
   * Fetches what a snapshot needs to be evaluated; `undefined` when all is there. Never rejects: {@link Targets.of}
   * says what is missing.
   */
  prepare(snapshot: ProviderSnapshot): Promise<void> | undefined;
  of(key: string, flag: FlagdFlag, snapshot: ProviderSnapshot | undefined): Target;
}

type FlagdModule = Pick<typeof import("@openfeature/flagd-core"), "FlagdCore">;
const silent = { error() {}, warn() {}, info() {}, debug() {} };

/** The package with flagd's evaluator. @internal */
export const flagdPeer = { name: "@openfeature/flagd-core", range: "^4.0.1" } as const;

/** Loads flagd's evaluator. @throws HebraError `PEER_MISSING` */
export function loadFlagd(): Promise<FlagdModule> {
  return loadPeer(
    { ...flagdPeer, neededBy: "a flag with hand-written `targeting`" },
    () => import("@openfeature/flagd-core"),
  );
}

/** flagd's evaluator over one document. What is ours alone stays out. */
export function createFlagd({ FlagdCore }: FlagdModule, document: FlagDocument): FlagdCore {
  const { rollouts: _, ...flagd } = document;
  const core = new FlagdCore(undefined, silent);
  core.setConfigurations(JSON.stringify(flagd));
  return core;
}

/** @internal */
export function createTargets(): Targets {
  const cores = new WeakMap<FlagDocument, FlagdCore>();
  let loaded: FlagdModule | undefined;
  let missing: HebraError | undefined;
  return {
    prepare({ document }) {
      if (loaded !== undefined || !Object.values(document.flags).some(isHandWritten)) return undefined;
      return loadFlagd().then(
        (found) => void (loaded = found),
        (error: unknown) => void (missing = error as HebraError),
      );
    },
    of(key, flag, snapshot) {
      if (!isHandWritten(flag)) {
        const mode = toMode(
          flag.defaultVariant === undefined || flag.defaultVariant === null
            ? undefined
            : flag.variants[flag.defaultVariant],
        );
        return mode === undefined ? { defect: "TYPE_MISMATCH" } : { mode: () => mode };
      }
      if (loaded === undefined || snapshot === undefined) return { defect: missing?.code ?? "PROVIDER_NOT_READY" };
      let core = cores.get(snapshot.document);
      if (core === undefined) cores.set(snapshot.document, (core = createFlagd(loaded, snapshot.document)));
      const found = core.getFlag(key);
      return found === undefined
        ? { defect: "FLAG_INVALID" }
        : { mode: (context) => modeOf(found.evaluate(flagdContext(context), silent)) };
    },
  };
}

/** A context as flagd's rules see it: `targetingKey` is the session, the ids are attributes of their names. */
export function flagdContext({ session, project, org, attributes }: FlagContext): Record<string, never> {
  return {
    ...attributes,
    ...(session === undefined ? {} : { session, targetingKey: session }),
    ...(project === undefined ? {} : { project }),
    ...(org === undefined ? {} : { org }),
  } as Record<string, never>;
}

function modeOf(details: { readonly value?: unknown; readonly errorMessage?: string }): Mode {
  const mode = toMode(details.value);
  if (mode === undefined)
    throw new HebraError(
      "GENERAL",
      `The targeting gave no mode: ${details.errorMessage ?? JSON.stringify(details.value)}.`,
    );
  return mode;
}

/** A flagd value as a mode: the modes themselves, and booleans, `true` for new. */
export function toMode(value: unknown): Mode | undefined {
  if (typeof value === "boolean") return value ? "new" : "legacy";
  return value === "legacy" || value === "shadow" || value === "new" ? value : undefined;
}
