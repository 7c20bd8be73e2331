/**
 * Who may import whom, as data. The rule beside it enforces this table, and AGENTS.md shows it.
 *
 * @typedef {object} Library a library that is an optional peer, and where alone it may be imported
 * @property {string} name
 * @property {RegExp} within matched against the file's path below `src/`
 * @property {string} [why] instead of "is an optional peer …"
 *
 * @typedef {object} Confined a folder that may reach only a part of what its package may
 * @property {string} package
 * @property {string} folder below `src/`
 * @property {readonly RegExp[]} forbids matched against the specifier; a relative one as a path below `src/`
 * @property {string} why
 * @property {RegExp} [except] files, as paths below `src/`, that the rule does not bind
 */

/**
 * Rooms of a folder, the highest first: each may import those after it, and none before it.
 *
 * @param {string} name the package's
 * @param {string} folder
 * @param {readonly string[]} order
 * @returns {Confined[]}
 */
function rooms(name, folder, order) {
  return order.slice(1).map((room, index) => ({
    package: name,
    folder: `${folder}/${room}`,
    forbids: order.slice(0, index + 1).map((higher) => new RegExp(`^${folder}/${higher}/`)),
    why: `In ${folder}/ the direction is ${order.join(" → ")}`,
  }));
}

/**
 * Package to the Hebra packages that it may import.
 *
 * @type {Readonly<Record<string, readonly string[]>>}
 */
export const mayImport = {
  core: [],
  lock: ["core"],
  bus: ["core", "lock"],
  reactor: ["core"],
  thread: ["core", "lock", "bus", "reactor"],
  compat: ["core", "lock", "reactor", "thread"],
  flags: ["core", "cli-kit"],
  migrate: ["core", "cli-kit"],
  "cli-kit": ["core"],
};

/** The command line composes what it likes, and stands on no list: `hebra` is thin over the libraries. */
export const composers = ["hebra"];

/** @type {readonly Library[]} */
export const libraries = [
  { name: "ioredis", within: /(^|\/)redis([./-]|$)/ },
  { name: "pg", within: /(^|\/)(postgres|pg)([./-]|$)/ },
  { name: "@electric-sql/pglite", within: /(^|\/)(postgres|pglite)([./-]|$)/ },
  { name: "libsql", within: /(^|\/)(sqlite|libsql)([./-]|$)/ },
  { name: "better-sqlite3", within: /(^|\/)(sqlite|better-sqlite3)([./-]|$)/ },
  { name: "ai", within: /(^|\/)ai-sdk([./-]|$)/ },
  { name: "@ai-sdk/provider", within: /(^|\/)ai-sdk([./-]|$)/ },
  { name: "react", within: /(^|\/)react\// },
  { name: "react-dom", within: /(^|\/)react\// },
  { name: "@hebra/cli-kit", within: /^cli(\/|\.ts$)/, why: "only command lines (`cli/`) use it" },
  { name: "commander", within: /^pars(e|er)\.ts$/ },
  { name: "croner", within: /^runtime\/cron\.ts$/ },
  { name: "hono", within: /(^|\/)http([./-]|$)/ },
  { name: "@openfeature/server-sdk", within: /(^|\/)openfeature([./-]|$)/ },
  { name: "@openfeature/core", within: /(^|\/)openfeature([./-]|$)/ },
  { name: "@openfeature/flagd-core", within: /(^|\/)(openfeature|flagd|targets)([./-]|$)/ },
  { name: "@instantdb/admin", within: /(^|\/)instant([./-]|$)/ },
  { name: "@instantdb/platform", within: /(^|\/)instant([./-]|$)/ },
];

/**
 * Folders whose direct files are a port and its adapters: one adapter never imports another, nor what stands on the
 * port.
 *
 * @type {readonly { package: string, folder: string, adapters: readonly string[], forbids: readonly RegExp[] }[]}
 */
export const ports = [
  {
    package: "thread",
    folder: "store",
    adapters: ["memory", "sqlite", "postgres", "redis"],
    forbids: [/^(engine|runtime|http|react|legacy)\//],
  },
  { package: "lock", folder: "", adapters: ["local", "redis"], forbids: [] },
  { package: "bus", folder: "", adapters: ["local", "redis"], forbids: [] },
  { package: "reactor", folder: "", adapters: ["scripted", "ai-sdk", "codex"], forbids: [] },
];

/** @type {readonly Confined[]} */
export const confined = [
  {
    package: "thread",
    folder: "react",
    forbids: [/^node:/, /^store\//, /^@hebra\/(bus|lock)/],
    why: "The React binding runs in a browser: it reaches no `node:` module and no store",
  },
  {
    package: "thread",
    folder: "engine",
    forbids: [/^(runtime|http|react)\//, /^store\/(sqlite|postgres|redis)([./-]|$)/],
    why: "The engine knows the store's port, not its databases, and nothing that stands on it",
  },
  ...rooms("thread", "engine", ["verbs", "drive", "turn"]),
  {
    package: "thread",
    folder: "engine/rows",
    forbids: [/^engine\/(verbs|drive|prompt)\//],
    why: "What is written knows nothing of who drives a turn",
  },
  {
    package: "thread",
    folder: "engine/prompt",
    forbids: [/^engine\/(verbs|drive|turn)\//],
    why: "What a model is shown depends on rows alone",
  },
  {
    package: "thread",
    folder: "engine",
    except: /^engine\/engine-core\.ts$/,
    forbids: [/^telemetry\//],
    why: "Telemetry is a port in `engine/`, and only the engine's core opens it",
  },
  {
    package: "thread",
    folder: "runtime",
    forbids: [/^(legacy|testing|gonogo)\//],
    why: "The runtime serves threads, whatever engine they came from",
  },
  {
    package: "thread",
    folder: "legacy",
    forbids: [/^(runtime|testing|gonogo)\//],
    why: "The old engine's rows are read below the runtime",
  },
  {
    package: "thread",
    folder: "gonogo",
    forbids: [/^testing\//],
    why: "`testing` offers the go/no-go checks, not the other way round",
  },
  {
    package: "flags",
    folder: "evaluate",
    forbids: [/^(provider|client|route|rollout|admin|incident|shadow)\//],
    why: "An evaluation is a function of documents; it knows nothing of where they come from",
  },
  {
    package: "flags",
    folder: "provider",
    forbids: [/^(client|route|rollout|admin|incident|shadow)\//],
    why: "A provider gives documents; it knows nothing of who reads them",
  },
  {
    package: "bus",
    folder: "mailbox",
    forbids: [/^(client|redis|testing)\//],
    why: "The mailbox is a model in logical time; it knows neither clients nor adapters",
  },
  {
    package: "bus",
    folder: "client",
    forbids: [/^(redis|mailbox|testing)\//],
    why: "A client knows the backend's port, not its adapters",
  },
  {
    package: "thread",
    folder: "store",
    forbids: [/^(engine|runtime|http|react|legacy)\//],
    why: "A store knows its port and the rows; the engine stands on it, not the other way round",
  },
  {
    package: "thread",
    folder: "definition",
    forbids: [/^(engine|store\/(memory|sqlite|postgres|redis)|runtime|http|react)([./-]|$)/],
    why: "A definition is data; it knows nothing of what runs it",
  },
];

/** Tests, what they share, and command lines may load what they like of the workspace. */
export const exempt = /\.(test|test-d|fixture)\.tsx?$|^cli(\/|\.ts$)/;
