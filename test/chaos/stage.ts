import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { setTimeout as wait } from "node:timers/promises";
import { consoleLogger, silentLogger } from "@hebra/core";
import { startProxy, type TestProxy } from "@hebra/test-servers/proxy";
import { startRedis, type TestRedis } from "@hebra/test-servers/redis";
import type { ThreadStore } from "@hebra/thread";
import {
  openStore,
  parseRuntimeConfig,
  type Channel,
  type Gateway,
  type Runtime,
  type RuntimeConfig,
} from "@hebra/thread/runtime";
import { dialogueFile } from "./dialogue-data.ts";
import type { Builds } from "./build.ts";
import { openDatabase } from "./database.ts";
import { openLog } from "./event-log.ts";
import { createLogReader } from "./log-reader.ts";
import { createWorkers, type WorkerProcess, type Workers } from "./processes.ts";
import { now, type Absence, type LogLine, type Received } from "./records.ts";

/** Milliseconds that a conversation stays with a worker that fell silent. */
export const LEASE_MS = 2_000;

/** Messages that one conversation may have waiting: one that floods meets it soon. */
const MAX_BACKLOG = 40;

/** What a run works with: servers, a gateway in this process, and workers in others. */
export interface Stage {
  readonly users: number;
  readonly quick: boolean;
  /** The server that all write to; another one after a switch-over. */
  readonly redis: TestRedis;
  /** Where the configuration says that Redis is, on a stage that is {@link StageOptions.proxied}. */
  readonly proxy: TestProxy | undefined;
  readonly store: ThreadStore;
  readonly builds: Builds;
  readonly library: typeof import("./library.ts");
  readonly threads: typeof import("./app.ts").threads;
  readonly config: RuntimeConfig;
  readonly workers: WorkerProcess[];
  readonly absences: Absence[];
  readonly replies: readonly Received[];
  /** The gateway and the runtime that it belongs to; another one after {@link Stage.replaceGateway}. */
  readonly gateway: Gateway;
  readonly runtime: Runtime;
  /** From now on all write to this server, which ends with the stage. */
  switchTo(next: TestRedis): void;
  startWorker: Workers["start"];
  /** Calls back at every reply. @returns ends it */
  onReply(listener: (reply: Received) => void): () => void;
  /** Stops the gateway and starts another one of the same name over a runtime that is opened then. */
  replaceGateway(open: (config: RuntimeConfig) => Promise<Runtime>): Promise<void>;
  /** Opens a runtime of another configuration in this process. */
  open(config: RuntimeConfig): Promise<Runtime>;
  channel(): Channel;
  /** All that the workers have written down so far. */
  log(): readonly LogLine[];
  /** From now on, until it is called with `false`, no handler takes its time. */
  hurry(on?: boolean): void;
  /** Waits until nothing is queued or under way. @returns whether that came in time */
  quiet(ms: number): Promise<boolean>;
  close(): Promise<void>;
}

/** What a stage is made of. */
export interface StageOptions {
  users: number;
  workers: number;
  quick: boolean;
  verbose: boolean;
  builds: Builds;
  /** Bus, locks and threads are behind one address, which is a proxy's. @defaultValue false */
  proxied?: boolean;
}

const LOOK_MS = 50;

export async function openStage(options: StageOptions): Promise<Stage> {
  const { users, quick, verbose, builds, proxied = false } = options;
  const directory = mkdtempSync(join(tmpdir(), "hebra-chaos-"));
  const logFile = join(directory, "events.log");
  const log = openLog(logFile);
  const reader = createLogReader(logFile);
  const closers: (() => Promise<unknown> | void)[] = [
    () => rmSync(directory, { recursive: true, force: true }),
    () => log.close(),
    () => reader.close(),
  ];
  const close = async () => {
    for (const closer of closers.splice(0).reverse())
      await Promise.resolve(closer()).catch((error: unknown) => console.error(error));
  };
  try {
    const namespace = `chaos${process.pid}`;
    // This process too runs what is published: a loader of sources costs more than some of what is measured.
    const present = await builds.release("present");
    // A bundle lies elsewhere, and does not find what lies beside the repository.
    process.env["CHAOS_DIALOGUES"] = dialogueFile;
    const library = (await import(pathToFileURL(present.library).href)) as typeof import("./library.ts");
    const { openRuntime } = library;
    const { threads } = (await import(pathToFileURL(present.app).href)) as typeof import("./app.ts");
    let redis = await startRedis(["--appendonly", "yes", "--appendfsync", "everysec"]);
    const servers = [redis];
    closers.push(() => Promise.all(servers.map((server) => server.stop())));
    const proxy = proxied ? await startProxy(redis.port) : undefined;
    if (proxy !== undefined) closers.push(() => proxy.stop());
    const { url } = proxy ?? redis;
    const database = proxied
      ? { store: { backend: "redis", url, namespace: `${namespace}:threads` } as const, close: async () => {} }
      : await openDatabase(namespace, directory);
    closers.push(() => database.close());
    const config: RuntimeConfig = {
      bus: {
        backend: "redis",
        url,
        namespace,
        leaseMs: LEASE_MS,
        maxAttempts: proxied ? 5 : 10,
        maxBacklog: MAX_BACKLOG,
      },
      locks: { backend: "redis", url, namespace },
      store: database.store,
      workers: options.workers,
      oneHost: true,
      sweepMs: LEASE_MS * 2,
    };
    const configFile = join(directory, "config.json");
    writeFileSync(configFile, JSON.stringify(config));

    const absences: Absence[] = [];
    const processes = createWorkers({ builds, config: configFile, log: logFile, concurrency: 25, absences, verbose });
    closers.push(() => processes.stopAll());
    const store = await openStore(parseRuntimeConfig(config).store);
    closers.push(() => store.close());

    const replies: Received[] = [];
    const listeners = new Set<(reply: Received) => void>();
    const channel = (): Channel => ({
      name: "chaos",
      start: async () => {},
      stop: async () => {},
      async send({ session, inReplyTo, text }) {
        const reply = { session, inReplyTo, text, at: now() };
        replies.push(reply);
        for (const listener of listeners) listener(reply);
      },
    });
    const open = (from: RuntimeConfig) =>
      openRuntime(from, { threads, logger: verbose ? consoleLogger() : silentLogger });
    const workers = await Promise.all(Array.from({ length: options.workers }, () => processes.start()));
    let runtime = await open(config);
    closers.push(() => runtime.close());
    let gateway = await runtime.gateway({ channels: [channel()], embeddedWorker: false });

    return {
      users,
      quick,
      get redis() {
        return redis;
      },
      proxy,
      switchTo(next) {
        servers.push(next);
        redis = next;
      },
      library,
      store,
      builds,
      threads,
      config,
      workers,
      absences,
      replies,
      get gateway() {
        return gateway;
      },
      get runtime() {
        return runtime;
      },
      startWorker: (release) => processes.start(release),
      onReply(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      async replaceGateway(openIt) {
        const old = runtime;
        await old.drain({ deadlineMs: 5_000 });
        runtime = await openIt(config);
        gateway = await runtime.gateway({ channels: [channel()], embeddedWorker: false });
        await old.close();
      },
      open,
      channel,
      log: () => reader.read(),
      hurry: (on = true) => (on ? writeFileSync(`${logFile}.hurry`, "") : rmSync(`${logFile}.hurry`, { force: true })),
      async quiet(ms) {
        for (const until = now() + ms; now() < until; await wait(LOOK_MS)) {
          const stats = await runtime.bus.stats().catch(() => undefined);
          if (
            stats !== undefined &&
            [stats.inbound, stats.outbound].every(({ depth, inFlight }) => depth + inFlight === 0)
          )
            return true;
        }
        return false;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
