import { findServers } from "./find.mjs";
import { startPostgres } from "./postgres.mjs";
import { startRedis } from "./redis.mjs";

/** @typedef {{ env: Record<string, string>, summary: string, stop: () => Promise<void> }} Servers */

/**
 * Starts what the environment does not name already. `REDIS_URL` and `DATABASE_URL` of the environment are left as they
 * are.
 *
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<Servers>}
 */
export async function startServers(env = process.env) {
  /** @type {import("./find.mjs").ServerName[]} */
  const wanted = [];
  if (!env["REDIS_URL"]) wanted.push("redis");
  if (!env["DATABASE_URL"]) wanted.push("postgres");
  const programs = await findServers(wanted);
  /** @type {{ url: string, stop: () => Promise<void> }[]} */
  const started = [];
  const stop = async () => {
    await Promise.allSettled(started.splice(0).map((server) => server.stop()));
  };
  /** @type {Record<string, string>} */
  const urls = {};
  try {
    if (programs.redis !== undefined) {
      const redis = await startRedis(programs.redis);
      started.push(redis);
      urls["REDIS_URL"] = redis.url;
    }
    if (programs.postgres !== undefined) {
      const postgres = await startPostgres(programs.postgres);
      started.push(postgres);
      urls["DATABASE_URL"] = postgres.url;
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const say = (/** @type {string} */ name, /** @type {string} */ variable) =>
    `${name} ${urls[variable] === undefined ? `of ${variable}` : `on port ${new URL(urls[variable]).port}`}`;
  return { env: urls, summary: `${say("Redis", "REDIS_URL")}, ${say("PostgreSQL", "DATABASE_URL")}`, stop };
}
