import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { eventually } from "@hebra/test-servers/eventually";
import { startPostgres, withoutPostgresServer } from "@hebra/test-servers/postgres";
import { startRedis, withoutRedisServer, everyWrite } from "@hebra/test-servers/redis";
import { describe, expect, test } from "vitest";
import type { Tally } from "./outage.fixture.ts";
import { postgresMigrations } from "./postgres.ts";

/** Real servers are started and killed, on a machine that may be busy. In milliseconds. */
const PATIENCE = 120_000;

interface Server {
  kill(): Promise<void>;
  restart(): Promise<void>;
}

/** Kills the server three times under a process that uses it; each outage lasts until every verb has failed. */
async function surviveOutages(kind: "redis" | "postgres", url: string, server: Server): Promise<Tally> {
  const child = fork(join(import.meta.dirname, "outage.fixture.ts"), [kind, url], {
    execArgv: ["--conditions=@hebra/source", "--import", "tsx"],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let told = "";
  child.stderr!.on("data", (text: Buffer) => (told += text.toString()));
  let tally: Tally = { worked: {}, failed: {} };
  child.on("message", (message) => (tally = message as Tally));
  const exited = once(child, "exit") as Promise<[number | null, string | null]>;
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  const failures = (verb: string) => Object.values(tally.failed[verb] ?? {}).reduce((sum, n) => sum + n, 0);
  const each = async (count: (verb: string) => number, what: string) => {
    const before = new Map(Object.keys(tally.worked).map((verb) => [verb, count(verb)]));
    const all = () => ended() || [...before].every(([verb, n]) => count(verb) > n);
    await eventually(all, `${kind}: every verb ${what}`, 60_000);
  };
  try {
    await eventually(() => ended() || Object.keys(tally.worked).length >= 16, `${kind}: every verb works`, 60_000);
    for (let outage = 0; outage < 3 && !ended(); outage++) {
      await server.kill();
      await each(failures, "fails in the outage");
      await server.restart();
      await each((verb) => tally.worked[verb]!, "works again");
    }
    if (!ended()) child.send("end");
    const [code, signal] = await exited;
    expect({ code, signal, told }).toEqual({ code: 0, signal: null, told: "" });
  } catch (error) {
    throw new Error(`${told}\n${JSON.stringify(tally)}`, { cause: error });
  } finally {
    child.kill("SIGKILL");
  }
  return tally;
}

const codesOf = (tally: Tally) => [...new Set(Object.values(tally.failed).flatMap((codes) => Object.keys(codes)))];

describe("a process whose server goes away and comes back", () => {
  test.skipIf(withoutRedisServer !== undefined)(
    "survives: every call on Redis rejects with UNREACHABLE and nothing is left unhandled [EN-1]",
    async () => {
      const server = await startRedis(everyWrite);
      try {
        expect(codesOf(await surviveOutages("redis", server.url, server))).toEqual(["UNREACHABLE"]);
      } finally {
        await server.stop();
      }
    },
    PATIENCE,
  );

  test.skipIf(withoutPostgresServer !== undefined)(
    "survives: every call on Postgres rejects with UNREACHABLE and nothing is left unhandled [EN-1]",
    async () => {
      const server = await startPostgres();
      try {
        const migrations = await postgresMigrations({ connectionString: server.url });
        await migrations.apply();
        await migrations.close();
        expect(codesOf(await surviveOutages("postgres", server.url, server))).toEqual(["UNREACHABLE"]);
      } finally {
        await server.stop();
      }
    },
    PATIENCE,
  );
});
