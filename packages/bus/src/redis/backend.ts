import { HebraError } from "@hebra/core";
import type { Backend, BackendListener, Entry, EntryStatus, RawStats, Space } from "../backend.ts";
import { encodeTenant, tenantLimits, type BusSettings } from "../bus-options.ts";
import { gatewayOf } from "../client/bus-core.ts";
import { addStats, earlier, emptyStats } from "../client/bus-stats.ts";
import type { Durability } from "../bus.ts";
import type { RedisCommands } from "./commands.ts";
import { agree, type SharedConfig } from "./config.ts";
import { createDeadStore, parseDeadId } from "./dead-store.ts";
import { dedupDigest, entryArgs, exchangeArgs, exchangeReply } from "./encode.ts";
import { partitionOf, partitionTags } from "./partitions.ts";
import { createPublishQueue } from "./publish-queue.ts";
import { hurryAll, readScheduled } from "./later.ts";
import { createRunner, wrapRedisError, type Script } from "./run.ts";
import { scripts } from "./scripts.generated.ts";
import { createWaker, type Waker } from "./waker.ts";

/** Milliseconds between two looks at the shared configuration, which are the sign that the server is there as well. */
const LOOK_MS = 2_000;

/** Milliseconds after which a poke that nobody took ends, as notices do. */
const POKE_MS = "60000";

/** Conversations in one page of figures. */
const PAGE = 500;

/** What the Redis backend is made of. */
export interface RedisBackendOptions {
  readonly connect: () => Promise<RedisCommands>;
  readonly namespace: string;
  readonly partitions: number | undefined;
  readonly durability: Durability;
  readonly replicas: number;
  readonly durabilityTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly settings: BusSettings;
  readonly newestFormat: number;
  /** Only tests: the time in milliseconds, instead of the server's. */
  readonly time?: () => number;
}

/** The mailboxes on Redis. */
export interface RedisBackend extends Backend {
  /** Writes with this envelope version from now on, in every process. */
  raiseFormat(version: number): Promise<void>;
}

/** The backend; it connects when started. */
export function redisBackend(options: RedisBackendOptions): RedisBackend {
  const { settings, namespace } = options;
  const limited = settings.tenants !== undefined;
  const limitFlag = limited ? "1" : "0";
  const closing = new AbortController();
  let config: SharedConfig = { partitions: options.partitions ?? 1, format: options.newestFormat, fresh: false };
  let roots: string[] = [];
  let wakers: Waker[] = [];
  let connected: RedisCommands | undefined;
  let listener: BackendListener | undefined;
  let holder = "";
  let reachable = false;
  let agreed = false;
  let waitingConnection: ReturnType<RedisCommands["waiting"]> | undefined;
  let serverVersion = "0";
  const queues = new Map<string, ReturnType<typeof createPublishQueue>>();
  const watched = new Map<string, { space: Space; partition: number; count: number }>();

  const heard = (error?: HebraError) => {
    if (closing.signal.aborted) return;
    if (error !== undefined) {
      reachable = false;
      listener?.health("unreachable", error);
    } else if (!reachable) {
      reachable = true;
      // An answer alone is not enough: what all processes have agreed on may shut this one out.
      if (!agreed) return;
      listener?.health("ready");
      // What became ready in the meantime was told to nobody.
      for (const { space, partition } of watched.values()) listener?.ready(space, partition);
    }
  };
  const commands = () => {
    if (connected === undefined) throw new HebraError("UNREACHABLE", "Redis has not been reached yet.");
    return connected;
  };
  const proxy: RedisCommands = {
    evalsha: (...args) => commands().evalsha(...args),
    eval: (...args) => commands().eval(...args),
    call: (...args) => commands().call(...args),
    version: () => commands().version(),
    masters: () => commands().masters(),
    blocking: () => commands().blocking(),
    waiting: () => commands().waiting(),
    close: async () => connected?.close(),
  };
  const run = createRunner(proxy, options.requestTimeoutMs, heard);
  const time = () => (options.time === undefined ? "" : String(options.time()));
  const runScript = (script: Script, partition: number, space: Space, args: readonly string[], late = () => args) =>
    run.script(script, roots[partition]!, [time(), space, ...args], () => [time(), space, ...late()]);
  const partitionFor = (conversation: string) => partitionOf(conversation, config.partitions);
  const admin = (partition: number, space: Space, args: readonly string[]) =>
    runScript(scripts.admin, partition, space, args);
  let dead: ReturnType<typeof createDeadStore>;

  const writeLimits = async () => {
    if (settings.tenants === undefined) return;
    const names = Object.keys(settings.tenants.byTenant ?? {});
    const limitsOf = tenantLimits(settings, encodeTenant, config.partitions)!;
    const pairs = [...names.map(encodeTenant), "*"].flatMap((tenant) => {
      const { weight, maxInFlight = "", perMinute = "", burst } = limitsOf(tenant);
      return [tenant, `${weight}:${maxInFlight}:${perMinute}:${burst}`];
    });
    await Promise.all(roots.map((_, partition) => admin(partition, "in", ["limits", ...pairs])));
  };

  const look = async (first: boolean) => {
    const partitions = async (): Promise<number> => {
      if (options.partitions !== undefined || !first) return options.partitions ?? config.partitions;
      const masters = await proxy.masters();
      return masters > 1 ? 2 * masters : 1;
    };
    const found = await agree(proxy, run, namespace, { partitions, newest: options.newestFormat });
    if (first) {
      if (options.partitions !== undefined && options.partitions !== found.partitions) {
        throw new HebraError(
          "INVALID_OPTIONS",
          `redisBus: the namespace ${namespace} has ${found.partitions} partitions, not ${options.partitions}. The number is fixed by the first process.`,
        );
      }
      roots = partitionTags(found.partitions).map((tag) => `${namespace}:{${tag}}:`);
    } else if (found.partitions !== config.partitions) {
      throw new HebraError(
        "INVALID_OPTIONS",
        `redisBus: the namespace ${namespace} was set up anew with ${found.partitions} partitions. Restart this process.`,
      );
    }
    config = found;
    if (first || found.fresh) await writeLimits();
  };

  const assertDurability = (durability: string) => {
    const [major = 0, minor = 0] = serverVersion.split(".").map(Number);
    if (durability === "fsync" && (major < 7 || (major === 7 && minor < 2))) {
      throw new HebraError(
        "DURABILITY_UNSUPPORTED",
        `The server is Redis ${serverVersion}; \`fsync\` needs WAITAOF, which came with 7.2. Upgrade it, or ask for \`memory\` or \`replicated\`.`,
        {
          details: { server: serverVersion, durability },
        },
      );
    }
  };

  const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref());
  const keepLooking = async () => {
    while (!closing.signal.aborted) {
      await pause(LOOK_MS);
      if (closing.signal.aborted) return;
      await look(false).then(
        () => listener?.health("ready"),
        (error: unknown) => {
          if (HebraError.isInstance(error) && error.code === "UPGRADE_REQUIRED")
            listener?.health("upgrade-required", error);
          else heard(wrapRedisError(error));
        },
      );
    }
  };

  const publishArgs = (space: Space, entries: readonly Entry[], { touch, asks }: { touch: boolean; asks: boolean }) => {
    const args = [
      String(settings.maxBacklog),
      settings.overflow === "drop-oldest" ? "1" : "0",
      String(settings.dedupWindowMs),
      String(settings.maxDeadLetters),
      touch ? "1" : "0",
      asks ? "1" : "0",
    ];
    for (const entry of entries) args.push(...entryArgs(space, entry));
    return args;
  };
  const statuses = (reply: unknown) =>
    (reply as number[]).map((status): EntryStatus => (status === 0 ? "accepted" : status === 1 ? "duplicate" : "full"));

  /** On a connection of its own: `WAIT` counts the replicas that have what this connection wrote. */
  const publishAndWait = async (space: Space, partition: number, entries: readonly Entry[], durability: Durability) => {
    assertDurability(durability);
    const wait =
      durability === "fsync"
        ? ["WAITAOF", "1", "0", String(options.durabilityTimeoutMs)]
        : ["WAIT", String(options.replicas), String(options.durabilityTimeoutMs)];
    const connection = (waitingConnection ??= proxy.waiting());
    const args = [time(), space, ...publishArgs(space, entries, { touch: true, asks: false })];
    const [reply, reached] = await run
      .bound(
        () => connection.run(scripts.publish.source, roots[partition]!, args, wait),
        options.requestTimeoutMs + options.durabilityTimeoutMs,
      )
      .catch((error: unknown) => {
        connection.close();
        if (waitingConnection === connection) waitingConnection = undefined;
        throw error;
      });
    return { statuses: statuses(reply), durable: reached[0]! >= (durability === "fsync" ? 1 : options.replicas) };
  };

  const pageStats = async (partition: number, space: Space, stats: RawStats): Promise<number> => {
    let now = 0;
    for (let from = 0; from >= 0;) {
      const reply = (await admin(partition, space, ["count", String(from), String(PAGE)])) as [
        number,
        number,
        string,
        number,
        number,
        number,
        number,
        string,
        string,
      ];
      const [next, depth, oldest, inFlight, delayed, parked, scheduled, at, waiting] = reply;
      stats.depth += depth;
      stats.inFlight += inFlight;
      stats.delayed += delayed;
      stats.parked += parked;
      stats.scheduled += scheduled;
      stats.oldestEnqueuedAt = earlier(stats.oldestEnqueuedAt, Number(oldest) < 0 ? undefined : Number(oldest));
      stats.oldestWaitingEnqueuedAt = earlier(
        stats.oldestWaitingEnqueuedAt,
        Number(waiting) < 0 ? undefined : Number(waiting),
      );
      now = Number(at);
      from = next;
    }
    return now;
  };

  const changeDead = async (id: string, what: "replay" | "discard", body: string): Promise<boolean> => {
    const place = parseDeadId(id, config.partitions);
    if (place === undefined) return false;
    return (await admin(place.partition, "in", [what, place.stream, place.entry, body, limitFlag])) === 1;
  };

  return {
    get partitions() {
      return config.partitions;
    },
    get format() {
      return config.format;
    },
    lanes: 2,
    durable: true,
    partitionOf: partitionFor,
    async start(given, as) {
      listener = given;
      holder = as;
      for (;;) {
        try {
          connected ??= await options.connect();
          serverVersion = await run.bound(() => proxy.version());
          assertDurability(options.durability);
          await look(true);
          break;
        } catch (error) {
          if (closing.signal.aborted) throw new HebraError("CLOSED", "The bus was closed before Redis answered.");
          if (!HebraError.isInstance(error) || error.code !== "UNREACHABLE") throw error;
          await pause(250);
        }
      }
      agreed = true;
      listener.health("ready");
      dead = createDeadStore(proxy, run, roots);
      wakers = roots.map((root, partition) =>
        createWaker({
          root,
          holder,
          connect: () => proxy.blocking(),
          ready: (space) => listener?.ready(space, partition) !== false,
          notice: (space, conversation, interrupt) => listener?.notice(space, conversation, interrupt),
          mark: (key) => run.bound(() => proxy.call("ZADD", key, "0", "1")),
          // Both leave together; the second does nothing where the first was taken out in between.
          poke: (key) =>
            run.bound(() => Promise.all([proxy.call("ZADD", key, "0", "!"), proxy.call("PEXPIRE", key, POKE_MS)])),
          heard,
        }),
      );
      void keepLooking();
    },
    watchSpace(space, partition, wanted) {
      const key = `${partition} ${space}`;
      const count = (watched.get(key)?.count ?? 0) + (wanted ? 1 : -1);
      if (count > 0) watched.set(key, { space, partition, count });
      else watched.delete(key);
      wakers[partition]?.watch(space, wanted);
    },
    async publish(space, partition, entries, durability) {
      if (durability !== "memory") return publishAndWait(space, partition, entries, durability as Durability);
      const key = `${partition} ${space}`;
      let queue = queues.get(key);
      if (queue === undefined) {
        queue = createPublishQueue(async (batch) => {
          // A consumer of this process asks right behind it, on the same connection: the server need wake nobody.
          const asks = listener?.asks(space, partition) === true;
          const args = (asking: boolean) => publishArgs(space, batch, { touch: false, asks: asking });
          const published = runScript(scripts.publish, partition, space, args(asks), () => args(false));
          listener?.ready(space, partition);
          return statuses(await published);
        });
        queues.set(key, queue);
      }
      return { statuses: await queue(entries), durable: true };
    },
    async exchange(partition, request) {
      const args = exchangeArgs(request, {
        dedupWindowMs: settings.dedupWindowMs,
        maxDeadLetters: settings.maxDeadLetters,
        limited,
      });
      const reply = exchangeReply(await runScript(scripts.exchange, partition, request.space, args));
      if (request.want > reply.leases.length) wakers[partition]?.resume(request.space);
      return reply;
    },
    async extend(partition, space, leases, leaseMs) {
      const args = [
        String(leaseMs),
        limitFlag,
        ...leases.flatMap(({ conversation, fence }) => [conversation, String(fence)]),
      ];
      return ((await runScript(scripts.extend, partition, space, args)) as number[]).map((held) => held === 1);
    },
    async take(space, { conversation, fence, have, max }) {
      const reply = await runScript(scripts.take, partitionFor(conversation), space, [
        conversation,
        String(fence),
        String(have),
        String(max),
      ]);
      return Array.isArray(reply) ? (reply as string[]) : undefined;
    },
    async ticket(request) {
      const mode = request.tryOnly ? "try" : "wait";
      const args = [request.conversation, request.ticket, request.holder, String(request.ttlMs), mode, limitFlag];
      const reply = await runScript(scripts.ticket, partitionFor(request.conversation), "in", args);
      return typeof reply === "string" ? { fence: Number(reply) } : reply === 1 ? "busy" : "waiting";
    },
    async cancelTicket(conversation, ticket, as) {
      await runScript(scripts.ticket, partitionFor(conversation), "in", [
        conversation,
        ticket,
        as,
        String(settings.leaseMs),
        "cancel",
        limitFlag,
      ]);
    },
    async unschedule({ conversation, id, dedupKey }) {
      const args = [
        "unschedule",
        conversation,
        id,
        dedupDigest("in", conversation, dedupKey),
        String(settings.dedupWindowMs),
      ];
      return (await admin(partitionFor(conversation), "in", args)) === 1;
    },
    scheduled: (limit, after) =>
      readScheduled(config.partitions, (partition, args) => admin(partition, "in", args), limit, after),
    async hurry() {
      const counts = await Promise.all(
        roots.map(async (root, partition) => {
          const spaces = ["in", ...((await run.bound(() => proxy.call("SMEMBERS", `${root}gws`))) as string[])];
          return hurryAll(spaces, (space, args) => admin(partition, space, [...args, limitFlag]));
        }),
      );
      return counts.reduce((sum, count) => sum + count, 0);
    },
    async seedFence(conversation, fence) {
      await admin(partitionFor(conversation), "in", ["seed", String(fence)]);
    },
    async stats() {
      const inbound = emptyStats();
      const outbound = emptyStats();
      const waiting = new Set<string>();
      const times = await Promise.all(
        roots.map(async (root, partition) => {
          const spaces = (await run.bound(() => proxy.call("SMEMBERS", `${root}gws`))) as string[];
          const now = await pageStats(partition, "in", inbound);
          for (const space of spaces) {
            const own = emptyStats();
            await pageStats(partition, space, own);
            addStats(outbound, own);
            if (own.depth + own.scheduled > 0) waiting.add(gatewayOf(space));
          }
          return now;
        }),
      );
      return { inbound, outbound, dead: await dead.count(), now: Math.max(...times), gateways: [...waiting].sort() };
    },
    listDead: (limit, before) => dead.list(limit, before),
    getDead: (id) => dead.get(id),
    replayDead: (id, body) => changeDead(id, "replay", body),
    discardDead: (id) => changeDead(id, "discard", ""),
    async raiseFormat(version) {
      if (!Number.isSafeInteger(version) || version < 1 || version > options.newestFormat) {
        throw new HebraError(
          "INVALID_OPTIONS",
          `raiseFormat: this process writes formats up to ${options.newestFormat}.`,
        );
      }
      await run.bound(() => proxy.call("HSET", `${namespace}:cfg`, "format", String(version)));
      config = { ...config, format: version };
    },
    async close() {
      closing.abort();
      for (const waker of wakers) waker.close();
      waitingConnection?.close();
      await connected?.close();
    },
  };
}
