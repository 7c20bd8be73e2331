import { redisBus } from "@hebra/bus/redis";
import type { Bus } from "@hebra/bus";
import type { ManualClock } from "@hebra/core";
import {
  createFlags,
  createRouter,
  memoryAssignments,
  staticProvider,
  type AssignmentStore,
  type FlagProvider,
  type Flags,
  type Outcome,
  type Router,
} from "@hebra/flags";
import { createIncidentWatch, type IncidentStore } from "@hebra/flags/incident";
import { redisAssignments, redisRolloutStore } from "@hebra/flags/redis";
import {
  combineObservers,
  createCollector,
  memoryRolloutStore,
  rolloutProvider,
  type RolloutStore,
} from "@hebra/flags/rollout";
import { redisLocks } from "@hebra/lock/redis";
import type { AnyThreadDefinition, ThreadStore } from "@hebra/thread";
import { createRuntime, type LegacyEngine, type Runtime } from "@hebra/thread/runtime";
import { memoryStore } from "@hebra/thread/store/memory";
import { postgresMigrations, postgresStore } from "@hebra/thread/store/postgres";
import { redisStore } from "@hebra/thread/store/redis";
import { Redis } from "ioredis";
import pg from "pg";
import { memoryChannel, type MemoryChannel } from "./memory-channel.fixture.ts";

/** The flag of these tests. */
export const FLAG = "engine-v2";

/** A form in which a deployment runs. */
export type Form =
  | "gateway with embedded worker"
  | "gateway and two workers, store on Redis"
  | "gateway and two workers, store on Postgres";

/** What every process of a deployment is made of. */
interface Shared {
  readonly clock: ManualClock;
  readonly legacy: LegacyEngine;
  readonly definition: AnyThreadDefinition;
  readonly incidents: IncidentStore;
  /** What each process has its flags from. @defaultValue the rollout */
  provider?(): FlagProvider;
  /** Stands before the thread store. */
  wrap(store: ThreadStore): ThreadStore;
}

/** What a process has reported. */
interface Seen {
  finished: number;
  verified: number;
  readonly newSessions: Set<string>;
  /** Resolves with the next report. */
  next(): Promise<void>;
}

/** One process: its own connections, flags, router and counters. */
interface Process {
  readonly runtime: Runtime;
  readonly router: Router;
  readonly flags: Flags;
  /** Turns whose end was reported, and turns whose rows were read back. */
  readonly seen: Seen;
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** A running deployment. */
export interface Deployment {
  readonly channel: MemoryChannel;
  readonly processes: readonly Process[];
  /** For the controller. */
  readonly rollouts: RolloutStore;
  close(): Promise<void>;
}

interface Backends {
  readonly store: ThreadStore;
  readonly rollouts: RolloutStore;
  readonly assignments: AssignmentStore;
  readonly bus?: Bus;
  readonly locks?: ReturnType<typeof redisLocks>;
  close(): Promise<void>;
}

let count = 0;

/** Leaves nothing of a form's own in the servers that all tests share. */
async function clean(name: string, url: string, connectionString: string | undefined): Promise<void> {
  const redis = new Redis(url);
  for await (const keys of redis.scanStream({ match: `*${name}*`, count: 1_000 }))
    if ((keys as string[]).length > 0) await redis.unlink(keys as string[]);
  redis.disconnect();
  if (connectionString === undefined) return;
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(`DROP SCHEMA IF EXISTS ${name} CASCADE`);
  await client.end();
}

async function open(form: Form): Promise<{ backends(): Promise<Backends>; shared: boolean; clean(): Promise<void> }> {
  const name = `fl${process.pid}x${++count}`;
  if (form === "gateway with embedded worker") {
    const store = memoryStore();
    const parts = {
      store,
      rollouts: memoryRolloutStore(),
      assignments: memoryAssignments(),
      close: () => store.close(),
    };
    return { shared: false, backends: async () => parts, clean: async () => undefined };
  }
  const url = process.env["REDIS_URL"]!;
  const connectionString = process.env["DATABASE_URL"]!;
  const onPostgres = form.endsWith("Postgres");
  if (onPostgres) {
    const migrations = await postgresMigrations({ connectionString, schema: name });
    await migrations.apply();
    await migrations.close();
  }
  return {
    shared: true,
    clean: () => clean(name, url, onPostgres ? connectionString : undefined),
    async backends() {
      const bus = redisBus({ url, namespace: name }) as Bus;
      const locks = redisLocks({ url, namespace: name });
      const store = onPostgres
        ? await postgresStore({ connectionString, schema: name })
        : await redisStore({ url, namespace: `${name}:thread` });
      const rollouts = redisRolloutStore({ url, namespace: name });
      const assignments = redisAssignments({ url, namespace: name });
      const parts = [bus, locks, store, rollouts, assignments];
      return {
        ...{ bus, locks, store, rollouts, assignments },
        close: async () => void (await Promise.all(parts.map((part) => part.close()))),
      };
    },
  };
}

async function start(shared: Shared, backends: Backends, workers: number): Promise<Process> {
  const { clock, legacy, definition, incidents, wrap } = shared;
  const { store, rollouts, assignments, bus, locks } = backends;
  const off = staticProvider({ flags: {}, rollouts: { [FLAG]: { version: 1 } } });
  const given = shared.provider?.();
  const providers = given === undefined ? [rolloutProvider({ store: rollouts, clock }), off] : [given];
  const flags = createFlags({ providers, clock });
  await flags.ready();
  const unsubscribe = flags.subscribe(() => {});
  const collector = createCollector({ store: rollouts, clock, flushMs: 0 });
  const watch = createIncidentWatch({ sink: incidents, clock, retryMs: 0 });
  const waiting: (() => void)[] = [];
  const seen: Seen = {
    finished: 0,
    verified: 0,
    newSessions: new Set<string>(),
    next: () => new Promise((resolve) => waiting.push(resolve)),
  };
  const wake = () => {
    for (const resume of waiting.splice(0)) resume();
  };
  const counted = {
    finished({ mode, session }: Outcome) {
      seen.finished++;
      if (mode === "new") seen.newSessions.add(session);
      wake();
    },
    verified() {
      seen.verified++;
      wake();
    },
  };
  const observer = combineObservers(collector.observer, watch.observer, counted);
  const router = createRouter({ flags, clock, assignments, observer });
  const runtime = createRuntime({
    threads: [definition],
    store: wrap(store),
    router,
    flag: FLAG,
    legacy,
    workers,
    ...(bus === undefined ? {} : { bus }),
    ...(locks === undefined ? {} : { locks }),
  });
  return {
    ...{ runtime, router, flags, seen },
    async flush() {
      await collector.flush();
      await watch.flush();
    },
    async close() {
      await runtime.close();
      unsubscribe();
      router.close();
      await collector.close();
      await watch.close();
      await flags.close();
    },
  };
}

/** Starts a deployment. */
export async function deploy(form: Form, shared: Shared): Promise<Deployment> {
  const { backends, shared: apart, clean: leaveNothing } = await open(form);
  const channel = memoryChannel();
  const all: { process: Process; backends: Backends }[] = [];
  for (let n = 0; n < (apart ? 3 : 1); n++) {
    const own = await backends();
    all.push({ process: await start(shared, own, apart ? 2 : 1), backends: own });
  }
  const [gateway, ...workers] = all.map(({ process }) => process);
  for (const { runtime } of workers) runtime.worker();
  await gateway!.runtime.gateway({ channels: [channel], embeddedWorker: !apart });
  return {
    channel,
    processes: all.map(({ process }) => process),
    rollouts: all[0]!.backends.rollouts,
    async close() {
      for (const { process } of all) await process.close();
      for (const { backends: own } of all) await own.close();
      await leaveNothing();
    },
  };
}
