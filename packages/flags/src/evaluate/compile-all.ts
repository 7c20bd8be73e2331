import type { ErrorCode } from "@hebra/core";
import { environmentName, type ProviderSnapshot } from "./snapshot.ts";
import { compileFlag, type CompiledFlag, type LocalState } from "./compile.ts";
import { globalRollout, rolloutEntries } from "./document.ts";
import type { FlagContext, FlagdFlag, FlagOverride, GlobalRollout, Mode, RolloutConfig, RuleId } from "./types.ts";

/** A flag's answer where it does not come from the rollout's own rules. */
export type Target = { readonly mode: (context: FlagContext) => Mode } | { readonly defect: ErrorCode };

/** What {@link compileAll} needs. */
export interface CompileAllInput {
  /** The layers, the strongest first; one that has never loaded is `undefined`. */
  readonly layers: readonly (ProviderSnapshot | undefined)[];
  readonly environment: string | undefined;
  readonly now: number;
  readonly local: (key: string) => LocalState;
  /** The rule language's answer for a flag of the layer at `layer`. */
  readonly target: (key: string, flag: FlagdFlag, layer: number) => Target;
  /** Set when what is in force is too old to be trusted. */
  readonly expired: boolean;
}

interface Gathered {
  rollout: RolloutConfig | undefined;
  flag: FlagdFlag | undefined;
  flagLayer: number;
  readonly kills: RolloutConfig["kill"][];
}

/** Compiles every flag of all layers. For one key the strongest layer's entry counts whole; a kill counts from any. */
export function compileAll(input: CompileAllInput): ReadonlyMap<string, CompiledFlag> {
  const gathered = gather(input.layers);
  const globals = globalEntries(input.layers);
  const compiled = new Map<string, CompiledFlag>();
  const circular = inCircle(gathered);
  const ready = input.layers.every((layer) => layer !== undefined);
  for (const [key, { rollout, flag, flagLayer, kills }] of gathered) {
    const target =
      flag !== undefined && (rollout === undefined || isHandWritten(flag))
        ? input.target(key, flag, flagLayer)
        : undefined;
    const defect = defectOf({ ready, expired: input.expired, circular: circular.has(key), target, flag });
    compiled.set(
      key,
      compileFlag({
        key,
        rollout,
        kills,
        globals,
        overrides: overridesOf(key, input.layers),
        environment: input.environment,
        defaultPercent: target === undefined ? 0 : 100,
        now: input.now,
        local: input.local(key),
        resolve: (other) => compiled.get(other),
        disabled: flag?.state === "DISABLED",
        ...(defect === undefined ? {} : { defect }),
        ...(target !== undefined && "mode" in target ? { target: target.mode } : {}),
      }),
    );
  }
  return compiled;
}

/** What the layers together say of a flag that no document holds: a kill of all, or one by an environment variable. */
export function compileUnknown(key: string, input: CompileAllInput): CompiledFlag {
  const ready = input.layers.every((layer) => layer !== undefined);
  return compileFlag({
    key,
    rollout: undefined,
    kills: [],
    globals: globalEntries(input.layers),
    overrides: overridesOf(key, input.layers),
    environment: input.environment,
    defaultPercent: 0,
    now: input.now,
    local: input.local(key),
    resolve: () => undefined,
    disabled: false,
    defect: ready
      ? { ruleId: "not-found", code: "FLAG_NOT_FOUND" }
      : { ruleId: "not-ready", code: "PROVIDER_NOT_READY" },
  });
}

/** Whether somebody wrote the `targeting` of a flag, rather than our own export. */
export function isHandWritten(flag: FlagdFlag): boolean {
  return flag.metadata?.["hebraGenerated"] !== true && Object.keys(flag.targeting ?? {}).length > 0;
}

function gather(layers: readonly (ProviderSnapshot | undefined)[]): Map<string, Gathered> {
  const all = new Map<string, Gathered>();
  const at = (key: string) => {
    let found = all.get(key);
    if (found === undefined) all.set(key, (found = { rollout: undefined, flag: undefined, flagLayer: -1, kills: [] }));
    return found;
  };
  for (const [index, layer] of layers.entries()) {
    for (const [key, flag] of Object.entries(layer?.document.flags ?? {})) {
      const entry = at(key);
      if (entry.flag === undefined) [entry.flag, entry.flagLayer] = [flag, index];
    }
    for (const [key, rollout] of layer === undefined ? [] : rolloutEntries(layer.document)) {
      const entry = at(key);
      entry.kills.push(rollout.kill);
      // Version 0 only says that the key exists: the environment knows no more of a flag.
      if (entry.rollout === undefined || entry.rollout.version === 0) entry.rollout = rollout;
    }
  }
  dropPlaceholders(all);
  return all;
}

/** An environment's placeholder goes when a document holds the flag, also under a key that is only spelt alike. */
function dropPlaceholders(all: Map<string, Gathered>): void {
  const names = new Set<string>();
  for (const [key, entry] of all)
    if (entry.flag !== undefined || entry.rollout?.version !== 0) names.add(environmentName(key));
  for (const [key, entry] of all) {
    if (entry.rollout?.version !== 0) continue;
    if (entry.flag !== undefined) entry.rollout = undefined;
    else if (names.has(environmentName(key))) all.delete(key);
  }
}

function globalEntries(layers: readonly (ProviderSnapshot | undefined)[]): GlobalRollout[] {
  return layers.flatMap((layer) => {
    if (layer === undefined) return [];
    const entry = globalRollout(layer.document);
    return [...(entry === undefined ? [] : [entry]), ...(layer.killAll === undefined ? [] : [{ kill: layer.killAll }])];
  });
}

function overridesOf(key: string, layers: readonly (ProviderSnapshot | undefined)[]): FlagOverride[] {
  const name = environmentName(key);
  const own = (record: Readonly<Record<string, FlagOverride>> | undefined, field: string) =>
    record !== undefined && Object.hasOwn(record, field) ? record[field] : undefined;
  return layers.flatMap((layer) =>
    [own(layer?.overrides, key), own(layer?.environmentOverrides, name)].filter((override) => override !== undefined),
  );
}

function defectOf(state: {
  ready: boolean;
  expired: boolean;
  circular: boolean;
  target: Target | undefined;
  flag: FlagdFlag | undefined;
}): { ruleId: RuleId; code: ErrorCode } | undefined {
  if (!state.ready) return { ruleId: "not-ready", code: "PROVIDER_NOT_READY" };
  if (state.expired) return { ruleId: "stale", code: "PROVIDER_NOT_READY" };
  if (state.circular) return { ruleId: "invalid", code: "FLAG_INVALID" };
  if (state.flag?.state === "DISABLED") return undefined;
  return state.target !== undefined && "defect" in state.target
    ? { ruleId: "invalid", code: state.target.defect }
    : undefined;
}

/**
 * Flags that need themselves, directly or through others. Those that merely need such a flag are not in the circle: it
 * is legacy to them.
 */
function inCircle(all: ReadonlyMap<string, Gathered>): ReadonlySet<string> {
  const needs = (key: string) => (all.get(key)?.rollout?.prerequisites ?? []).map(({ flag }) => flag);
  const circular = new Set<string>();
  for (const start of all.keys()) {
    const seen = new Set<string>();
    const open = needs(start);
    for (let key = open.pop(); key !== undefined; key = open.pop()) {
      if (key === start) circular.add(start);
      if (seen.has(key)) continue;
      seen.add(key);
      open.push(...needs(key));
    }
  }
  return circular;
}
