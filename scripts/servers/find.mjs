import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { run } from "../lib/run.mjs";
import { which } from "../lib/which.mjs";

/**
 * @typedef {object} Machine what the search asks of the machine; replaced in tests
 * @property {(name: string, further?: readonly string[]) => string | undefined} which
 * @property {(directory: string) => string[]} list names in a directory, none when it is absent
 * @property {boolean} isRoot
 * @property {(command: string, args: readonly string[], env: NodeJS.ProcessEnv) => Promise<boolean>} run
 *
 * @typedef {"redis" | "postgres"} ServerName
 * @typedef {{ redis?: string, postgres?: string }} Programs paths of `redis-server` and of `postgres`
 */

const debian = "/usr/lib/postgresql";
/** @type {Record<ServerName, string>} */
const debianPackage = { redis: "redis-server", postgres: "postgresql" };

/** @type {Machine} */
export const thisMachine = {
  which,
  list: (directory) => (existsSync(directory) ? readdirSync(directory) : []),
  isRoot: process.getuid?.() === 0,
  run: async (command, args, env) => (await run(command, args, { env, output: "quiet" })).ok,
};

/**
 * @param {ServerName} name
 * @param {Machine} machine
 */
function find(name, machine) {
  if (name === "redis") return machine.which("redis-server", ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]);
  const versions = machine.list(debian).sort((a, b) => Number(b) - Number(a));
  const further = [
    ...versions.map((version) => join(debian, version, "bin")),
    "/usr/local/pgsql/bin",
    "/opt/homebrew/bin",
  ];
  return machine.which("initdb", further) === undefined ? undefined : machine.which("postgres", further);
}

/**
 * Finds the servers; installs Debian's packages when one is missing and this is root.
 *
 * @param {readonly ServerName[]} wanted
 * @param {Machine} [machine]
 * @returns {Promise<Programs>}
 */
export async function findServers(wanted, machine = thisMachine) {
  let missing = wanted.filter((name) => find(name, machine) === undefined);
  const packages = missing.map((name) => debianPackage[name]);
  const apt = machine.which("apt-get", ["/usr/bin"]);
  if (missing.length > 0 && machine.isRoot && apt !== undefined) {
    // At run level 1 Debian's scripts start no server of their own.
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
    if (await machine.run(apt, ["update"], env))
      await machine.run(apt, ["install", "-y", "--no-install-recommends", ...packages], env);
    missing = missing.filter((name) => find(name, machine) === undefined);
  }
  if (missing.length > 0) throw new Error(advice(missing));
  return Object.fromEntries(wanted.map((name) => [name, find(name, machine)]));
}

/** @param {readonly ServerName[]} missing */
function advice(missing) {
  const packages = missing.map((name) => debianPackage[name]).join(" ");
  const brew = missing.map((name) => (name === "redis" ? "redis" : "postgresql@16")).join(" ");
  const variables = missing
    .map((name) =>
      name === "redis"
        ? "REDIS_URL=redis://127.0.0.1:6379"
        : "DATABASE_URL=postgres://user:password@127.0.0.1:5432/database",
    )
    .join(" ");
  return [
    `The tests need ${missing.map((name) => (name === "redis" ? "Redis" : "PostgreSQL")).join(" and ")}, which is not installed. One of these helps:`,
    `  sudo apt-get update && sudo apt-get install -y ${packages}      (Debian, Ubuntu)`,
    `  brew install ${brew}      (macOS)`,
    `  ${variables} npm test      (servers that run already, with data that may be thrown away)`,
  ].join("\n");
}
