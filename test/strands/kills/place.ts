import { createRequire } from "node:module";
import { join } from "node:path";
import { startPostgres, withoutPostgresServer } from "@hebra/test-servers/postgres";
import { startProxy, type TestProxy } from "@hebra/test-servers/proxy";
import { everyWrite, startRedis, withoutRedisServer } from "@hebra/test-servers/redis";
import pg from "pg";
import type { StoreConfig } from "../../crash/stores.ts";

/** Something that goes wrong and ends again. */
export interface Outage {
  name: string;
  begin(): Promise<void> | void;
  end(): Promise<void> | void;
  /** Milliseconds after its end by which a client has noticed that its connections are dead. */
  noticedMs?: number;
}

/** A database of this test's own, and what can happen to it. */
export interface Place {
  /** As the processes of the application reach it. */
  config: StoreConfig;
  /** As a judge reaches it. */
  direct: StoreConfig;
  outages: Outage[];
  stop(): Promise<void>;
}

export type PlaceName = StoreConfig["kind"];

/** Why there is no place of that kind here, or `undefined`. */
export function without(name: PlaceName): string | undefined {
  return name === "postgres" ? withoutPostgresServer : name === "redis" ? withoutRedisServer : undefined;
}

export function openPlace(name: PlaceName, directory: string): Promise<Place> {
  return { sqlite: openSqlite, postgres: openPostgres, redis: openRedis }[name](directory);
}

/** What a network does to the connections through it. @param noticedMs - until a client gives a silent one up */
function network(proxy: TestProxy, noticedMs: number): Outage[] {
  return [
    { name: "the network stalls", begin: () => proxy.silence(), end: () => proxy.resume() },
    { name: "the network cuts", begin: () => proxy.cut(), end: () => {} },
    { name: "connections are half open", begin: () => proxy.silence(), end: () => {}, noticedMs },
  ];
}

async function openPostgres(): Promise<Place> {
  const server = await startPostgres();
  const proxy = await startProxy(server.port);
  const url = `postgres://postgres@127.0.0.1:${proxy.port}/postgres`;
  const terminate = async () => {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await client.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename IS NOT NULL",
    );
    await client.end();
  };
  const schema = "killed";
  return {
    config: { kind: "postgres", url, schema },
    direct: { kind: "postgres", url: server.url, schema },
    outages: [
      { name: "the server is killed", begin: () => server.kill(), end: () => server.restart() },
      { name: "backends are terminated", begin: terminate, end: terminate },
      // `busyMs` of the program, and a second for the request to cancel.
      ...network(proxy, 2_200),
    ],
    async stop() {
      await proxy.stop();
      await server.stop();
    },
  };
}

async function openRedis(): Promise<Place> {
  const server = await startRedis(everyWrite);
  const proxy = await startProxy(server.port);
  const disconnect = async () => void (await server.admin.call("CLIENT", "KILL", "SKIPME", "yes"));
  return {
    config: { kind: "redis", url: proxy.url, namespace: "killed" },
    direct: { kind: "redis", url: server.url, namespace: "killed" },
    outages: [
      { name: "the server is killed", begin: () => server.kill(), end: () => server.restart() },
      { name: "clients are disconnected", begin: disconnect, end: disconnect },
      // A connection that was silent for 4 s is dropped.
      ...network(proxy, 4_000),
    ],
    async stop() {
      await proxy.stop();
      await server.stop();
    },
  };
}

interface Libsql {
  new (path: string): { exec(sql: string): void; close(): void };
}

/** The one outage of a file: another process holds its lock. */
async function openSqlite(directory: string): Promise<Place> {
  const path = join(directory, "killed.db");
  const Database = createRequire(import.meta.url)("libsql") as Libsql;
  let holder: InstanceType<Libsql> | undefined;
  const config: StoreConfig = { kind: "sqlite", path };
  return {
    config,
    direct: config,
    outages: [
      {
        name: "another process holds the file's write lock",
        begin() {
          holder = new Database(path);
          holder.exec("PRAGMA busy_timeout = 2000");
          holder.exec("BEGIN IMMEDIATE");
        },
        end() {
          holder?.exec("ROLLBACK");
          holder?.close();
        },
      },
    ],
    stop: async () => {},
  };
}
