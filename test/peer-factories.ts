/** A factory that needs an optional peer, and says so when it is missing. */
export interface PeerFactory {
  package: string;
  subpath: string;
  /** The optional peer that is not there. */
  peer: string;
  /** The export that is called. */
  factory: string;
  /** The call, as JavaScript: `module` is the imported entry. What it returns is awaited. */
  call: string;
  /** Evaluation never throws: what the call returns has the code as its `errorCode`. */
  answers?: true;
}

/**
 * Every file that loads an optional peer is reached from an entry that has a row here; a test holds the two together.
 * In a project without the peer the
 * entry still imports, and the call ends in `PEER_MISSING`. A row whose entry does not exist yet waits for it.
 */
export const peerFactories: readonly PeerFactory[] = [
  {
    package: "@hebra/lock",
    subpath: "./redis",
    peer: "ioredis",
    factory: "redisLocks",
    call: `module.redisLocks({ url: "redis://127.0.0.1:1" })`,
  },
  {
    package: "@hebra/bus",
    subpath: "./redis",
    peer: "ioredis",
    factory: "redisBus",
    call: `module.redisBus({ url: "redis://127.0.0.1:1" })`,
  },
  {
    package: "@hebra/reactor",
    subpath: "./ai-sdk",
    peer: "ai",
    factory: "aiSdkReactor",
    call: `module.aiSdkReactor({ model: { specificationVersion: "v3", provider: "none", modelId: "none", supportedUrls: {}, doGenerate() {}, doStream() {} } })`,
  },
  {
    package: "@hebra/thread",
    subpath: "./store/sqlite",
    peer: "libsql",
    factory: "sqliteStore",
    call: `module.sqliteStore({ path: ":memory:" })`,
  },
  {
    package: "@hebra/thread",
    subpath: "./store/sqlite",
    peer: "better-sqlite3",
    factory: "sqliteStore",
    call: `module.sqliteStore({ path: ":memory:", driver: "better-sqlite3" })`,
  },
  {
    package: "@hebra/thread",
    subpath: "./store/postgres",
    peer: "pg",
    factory: "postgresStore",
    call: `module.postgresStore({ connectionString: "postgres://127.0.0.1:1/none" })`,
  },
  {
    package: "@hebra/thread",
    subpath: "./store/postgres",
    peer: "@electric-sql/pglite",
    factory: "postgresStore",
    call: `module.postgresStore({ pglite: "memory://" })`,
  },
  {
    package: "@hebra/thread",
    subpath: "./tail/redis",
    peer: "ioredis",
    factory: "redisTail",
    call: `module.redisTail({ url: "redis://127.0.0.1:1" })`,
  },
  {
    package: "@hebra/thread",
    subpath: "./tail/postgres",
    peer: "pg",
    factory: "postgresTail",
    call: `module.postgresTail({ connectionString: "postgres://127.0.0.1:1/none" })`,
  },
  {
    package: "@hebra/thread",
    subpath: "./store/redis",
    peer: "ioredis",
    factory: "redisStore",
    call: `module.redisStore({ url: "redis://127.0.0.1:1" })`,
  },
  {
    package: "@hebra/flags",
    subpath: "./redis",
    peer: "ioredis",
    factory: "redisProvider",
    call: `module.redisProvider({ url: "redis://127.0.0.1:1" })`,
  },
  {
    package: "@hebra/flags",
    subpath: ".",
    peer: "@openfeature/flagd-core",
    factory: "createFlags",
    call: `(async () => {
      const targeted = { state: "ENABLED", variants: { legacy: "legacy", new: "new" }, defaultVariant: "legacy", targeting: { if: [true, "new", "legacy"] } };
      const flags = module.createFlags({ provider: module.staticProvider({ flags: { targeted } }) });
      await flags.ready();
      return flags.decide("targeted", { session: "s1" });
    })()`,
    answers: true,
  },
  {
    package: "@hebra/flags",
    subpath: "./postgres",
    peer: "pg",
    factory: "postgresAssignments",
    call: `module.postgresAssignments({ connectionString: "postgres://127.0.0.1:1/none" })`,
  },
  {
    package: "@hebra/flags",
    subpath: "./sqlite",
    peer: "libsql",
    factory: "sqliteIncidents",
    call: `module.sqliteIncidents({ path: ":memory:" })`,
  },
  {
    package: "@hebra/flags",
    subpath: "./openfeature",
    peer: "@openfeature/flagd-core",
    factory: "openFeatureProvider",
    call: `module.openFeatureProvider({ flags: { decide() {} } })`,
  },
  {
    package: "@hebra/migrate",
    subpath: "./postgres",
    peer: "pg",
    factory: "postgresSource",
    call: `module.postgresSource({ connectionString: "postgres://127.0.0.1:1/none" }).open({ conversations: { table: "a", id: "id" }, onMissingId: "reject" }).inventory()`,
  },
];
