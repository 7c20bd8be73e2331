import { digest, errorMessage, HebraError, type Clock } from "@hebra/core";
import type { CompileAllInput, Target } from "../evaluate/compile-all.ts";
import { rolloutEntries } from "../evaluate/document.ts";
import type { FlagdFlag, RolloutConfig } from "../evaluate/types.ts";
import type { FlagProvider, ProviderEvent, ProviderSnapshot } from "../provider/provider.ts";
import type { FlagsEvent, FlagsStatus } from "./flags-status.ts";
import type { FlagsLogger } from "./options.ts";
import { createTargets } from "./targets.ts";

interface Layer {
  readonly provider: FlagProvider;
  snapshot: ProviderSnapshot | undefined;
  staleSince: number | undefined;
  /** On the clock that never jumps. */
  staleAt: number | undefined;
  error: HebraError | undefined;
  stop: () => void;
  /** What is being put in force, once the rule language is there. */
  taking: Promise<void> | undefined;
  /** Counts what was taken: what a slow `load` brings after a newer event is dropped. */
  turn: number;
}

/** The providers of one client, what each of them said last, and how long ago. */
export interface Layers {
  start(): void;
  ready(): Promise<void>;
  snapshots(): readonly (ProviderSnapshot | undefined)[];
  readonly target: CompileAllInput["target"];
  expired(): boolean;
  status(): FlagsStatus;
  close(): Promise<void>;
}

const entryOf = <T>(entries: Readonly<Record<string, T>> | undefined, key: string): T | undefined =>
  entries !== undefined && Object.hasOwn(entries, key) ? entries[key] : undefined;

/** @internal */
export function createLayers(input: {
  readonly providers: readonly FlagProvider[];
  readonly clock: Clock;
  readonly logger: FlagsLogger;
  readonly maxStaleMs: number | undefined;
  readonly emit: (event: FlagsEvent) => void;
  readonly changed: () => void;
}): Layers {
  const { providers, clock, logger, maxStaleMs, emit, changed } = input;
  const layers: Layer[] = providers.map((provider) => ({
    provider,
    snapshot: undefined,
    staleSince: undefined,
    staleAt: undefined,
    error: undefined,
    stop: () => {},
    taking: undefined,
    turn: 0,
  }));
  const targets = createTargets();
  const loads: Promise<void>[] = [];
  let cancelStale = () => {};
  let closed = false;

  /** Puts a snapshot in force, once the rule language that it may need is at hand. */
  function take(layer: Layer, snapshot: ProviderSnapshot): void | Promise<void> {
    const turn = ++layer.turn;
    const pending = targets.prepare(snapshot);
    if (pending === undefined) return put(layer, snapshot, turn);
    layer.taking = pending.then(() => put(layer, snapshot, turn));
    return layer.taking;
  }

  function put(layer: Layer, snapshot: ProviderSnapshot, turn: number): void {
    if (closed || turn !== layer.turn) return;
    layer.snapshot = keepNewer(layer, keepGood(layer, snapshot));
    setStale(layer, undefined);
    changed();
  }

  /** Of a flag that cannot be read the last good entry stays in force; without one it is legacy. */
  function keepGood(layer: Layer, next: ProviderSnapshot): ProviderSnapshot {
    const flags = { ...next.document.flags };
    const rollouts = { ...next.document.rollouts } as Record<string, RolloutConfig>;
    const before = layer.snapshot?.document;
    const bad = Object.entries(next.rejected ?? {});
    for (const [key, reason] of bad) {
      const [flag, rollout] = [entryOf(before?.flags, key), entryOf(before?.rollouts, key)];
      const known = flag !== undefined || rollout !== undefined;
      delete flags[key];
      if (flag !== undefined) flags[key] = flag;
      if (rollout !== undefined) rollouts[key] = rollout;
      else if (known) delete rollouts[key];
      else rollouts[key] = { version: 1, kill: { at: "1970-01-01T00:00:00Z", by: layer.provider.name, reason } };
      const inForce = known ? "its last good entry stays in force" : "it is legacy";
      reject(
        layer,
        new HebraError("FLAG_INVALID", `The flag ${key} is not valid, ${inForce}: ${reason}.`, { details: { key } }),
      );
    }
    return bad.length === 0 ? next : { ...next, document: { ...next.document, flags, rollouts } };
  }

  function keepNewer(layer: Layer, next: ProviderSnapshot): ProviderSnapshot {
    const kept: Record<string, RolloutConfig> = {};
    const before = new Map(layer.snapshot === undefined ? [] : rolloutEntries(layer.snapshot.document));
    for (const [key, rollout] of rolloutEntries(next.document)) {
      const last = before.get(key);
      if (last !== undefined && rollout.version === last.version && digest(rollout) !== digest(last)) {
        tell(
          layer,
          new HebraError(
            "FLAG_INVALID",
            `The flag ${key} was changed under the same version ${rollout.version}. It is in force; raise the version with each change, or decisions cannot be told apart.`,
            { details: { key, version: rollout.version } },
          ),
        );
      }
      if (last === undefined || rollout.version >= last.version) continue;
      // A version that goes back is somebody's mistake or an old copy of the source; but its kill may be meant.
      kept[key] = rollout.kill === undefined || rollout.kill === null ? last : { ...last, kill: rollout.kill };
      reject(
        layer,
        new HebraError(
          "FLAG_INVALID",
          `The flag ${key} went back from version ${last.version} to ${rollout.version}; the newer one stays in force.`,
          {
            details: { key, version: rollout.version, inForce: last.version },
          },
        ),
      );
    }
    if (Object.keys(kept).length === 0) return next;
    return { ...next, document: { ...next.document, rollouts: { ...next.document.rollouts, ...kept } } };
  }

  function reject(layer: Layer, error: HebraError): void {
    layer.error = error;
    tell(layer, error);
  }

  function tell(layer: Layer, error: HebraError): void {
    logger.warn(error.message, { provider: layer.provider.name, code: error.code });
    emit({ type: "flags-rejected", provider: layer.provider.name, error });
  }

  function setStale(layer: Layer, error: HebraError | undefined): void {
    layer.error = error;
    if ((error === undefined) === (layer.staleSince === undefined)) return;
    layer.staleSince = error === undefined ? undefined : clock.now();
    layer.staleAt = error === undefined ? undefined : clock.monotonic();
    const provider = layer.provider.name;
    emit(error === undefined ? { type: "provider-recovered", provider } : { type: "provider-staled", provider, error });
    armExpiry();
  }

  /** Decisions do not look at a clock: when the time is over, the flags are compiled again as expired. */
  function armExpiry(): void {
    cancelStale();
    const oldest = Math.min(...layers.map(({ staleAt }) => staleAt ?? Infinity));
    if (maxStaleMs === undefined || oldest === Infinity || closed) return void (cancelStale = () => {});
    cancelStale = clock.after(Math.max(0, oldest + maxStaleMs - clock.monotonic()), changed);
  }

  function onEvent(layer: Layer, event: ProviderEvent): void {
    if (closed) return;
    if (event.type === "snapshot-loaded") return void take(layer, event.snapshot);
    if (event.type === "snapshot-rejected") return reject(layer, event.error);
    const expired = isExpired();
    setStale(layer, event.type === "source-lost" ? event.error : undefined);
    if (expired !== isExpired()) changed();
  }

  function isExpired(): boolean {
    if (maxStaleMs === undefined) return false;
    return layers.some(({ staleAt }) => staleAt !== undefined && clock.monotonic() - staleAt >= maxStaleMs);
  }

  function load(layer: Layer): void | Promise<void> {
    const failed = (cause: unknown) => {
      const { name } = layer.provider;
      const error = HebraError.isInstance(cause)
        ? cause
        : new HebraError("UNREACHABLE", `The flag provider ${name} could not load: ${errorMessage(cause)}.`, { cause });
      setStale(layer, error);
      logger.warn(error.message, { provider: name, code: error.code });
      throw error;
    };
    try {
      const loaded = layer.provider.load();
      if (!(loaded instanceof Promise)) return take(layer, loaded);
      const { turn } = layer;
      return loaded.then((snapshot) => (turn === layer.turn ? take(layer, snapshot) : layer.taking)).catch(failed);
    } catch (error) {
      return Promise.reject(error).catch(failed);
    }
  }

  return {
    start() {
      for (const layer of layers) {
        const loading = load(layer);
        if (loading !== undefined) loads.push(loading);
        loading?.catch(() => {});
        layer.stop = layer.provider.watch?.((event) => onEvent(layer, event)) ?? (() => {});
      }
    },
    ready: async () => void (await Promise.all(loads)),
    snapshots: () => layers.map(({ snapshot }) => snapshot),
    target: (key: string, flag: FlagdFlag, index: number): Target => targets.of(key, flag, layers[index]?.snapshot),
    expired: isExpired,
    status: () => ({
      ready: layers.every(({ snapshot }) => snapshot !== undefined),
      stale: layers.some(({ staleSince }) => staleSince !== undefined),
      providers: layers.map(({ provider, snapshot, staleSince, error }) => ({
        name: provider.name,
        ready: snapshot !== undefined,
        staleSince,
        error,
      })),
    }),
    async close() {
      closed = true;
      cancelStale();
      for (const layer of layers) layer.stop();
      await Promise.all(layers.map(({ provider }) => provider.close()));
    },
  };
}
