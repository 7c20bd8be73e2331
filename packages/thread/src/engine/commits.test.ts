import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { memoryStore } from "../store/memory.ts";
import { postgresStore } from "../store/postgres.ts";
import { sqliteStore } from "../store/sqlite.ts";
import type { ThreadStore } from "../store/store.ts";
import { faultyStore } from "../testing/faulty-store.ts";
import { action, scripted, setUp } from "./engine.fixture.ts";

/** Counts what an engine writes. */
function counting(store: ThreadStore): { store: ThreadStore; writes: string[]; bytes(): number } {
  const writes: string[] = [];
  let bytes = 0;
  const note = (verb: string, given: unknown) => {
    writes.push(verb);
    bytes += JSON.stringify(given).length;
  };
  return {
    writes,
    bytes: () => bytes,
    store: {
      ...store,
      begin: (tenant, given) => {
        note("begin", given);
        return store.begin(tenant, given);
      },
      commit: (tenant, contextId, guard, changes) => {
        note("commit", changes);
        return store.commit(tenant, contextId, guard, changes);
      },
      takeOver: (tenant, contextId, fence) => {
        note("takeOver", fence);
        return store.takeOver(tenant, contextId, fence);
      },
    },
  };
}

/** Asks for `width` actions at once, `pairs` times, and then says something. */
const turnOf = (pairs: number, width = 1) =>
  scripted(
    [
      ...Array.from({ length: pairs }, (_, n) => ({
        actions: Array.from({ length: width }, (_, i) => ({ name: "look", input: { n, i } })),
      })),
      { text: "Done." },
    ],
    {
      actions: { look: action(() => "x".repeat(98)) },
    },
  );

const { DATABASE_URL } = process.env;
const schema = `commits_${process.pid}`;
const stores: Record<string, () => Promise<ThreadStore>> = {
  memory: async () => memoryStore(),
  sqlite: () => sqliteStore({ path: ":memory:" }),
  ...(DATABASE_URL !== undefined && {
    postgres: () => postgresStore({ connectionString: DATABASE_URL, schema, migrations: "automatic" }),
  }),
};

afterAll(async () => {
  if (DATABASE_URL === undefined) return;
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: DATABASE_URL });
  await client.connect();
  await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  await client.end();
});

describe.each(Object.keys(stores))("write transactions on %s", (name) => {
  it.each([
    [0, 1],
    [1, 1],
    [4, 1],
    [10, 1],
    [3, 5],
  ])("are 2 + 2 × %i, with %i actions at once", async (pairs, width) => {
    const { store, writes } = counting(await stores[name]!());
    onTestFinished(() => store.close());
    const definition = turnOf(pairs, width);
    const { engine } = setUp(definition, { store });
    // The second turn, so that the thread is there already.
    for (const id of ["first", "second"]) {
      writes.length = 0;
      const turn = await engine.react(
        definition,
        { id, text: "Hi" },
        { address: { key: `commits-${pairs}-${width}` } },
      );
      expect(await turn.result).toMatchObject({ status: "completed", usage: { calls: pairs * width } });
      await engine.idle();
      expect(writes).toEqual(["begin", ...Array<string>(1 + 2 * pairs).fill("commit")]);
    }
    await engine.close();
  });
});

describe.skipIf(DATABASE_URL === undefined)("transactions of Postgres", () => {
  it("are as many as the engine's writes, each of them one", async () => {
    const { default: pg } = await import("pg");
    const client = new pg.Client({ connectionString: DATABASE_URL });
    await client.connect();
    const store = await stores["postgres"]!();
    onTestFinished(async () => {
      await client.end();
      await store.close();
    });
    const definition = turnOf(4);
    const { engine } = setUp(definition, { store });
    const turn = await engine.react(definition, { id: "only", text: "Hi" }, { address: { key: "transactions" } });
    await turn.result;
    await engine.close();
    // Rows keep the id of the transaction that wrote them; a journal row is of one write and never written again.
    const { rows } = await client.query<{ journals: string; transactions: string }>(
      `SELECT count(*) AS journals, count(DISTINCT xmin::text) AS transactions FROM ${schema}.thread_journal WHERE context_id = $1`,
      [turn.contextId],
    );
    expect(rows[0]).toEqual({ journals: "10", transactions: "10" });
  });
});

describe("what a turn writes", () => {
  it("does not grow with the thread, and grows no faster than its pairs", async () => {
    const { store, bytes } = counting(memoryStore());
    const definition = turnOf(2);
    const { engine, address } = setUp(definition, { store });
    const written: number[] = [];
    for (let n = 0; n < 60; n++) {
      const before = bytes();
      await (
        await engine.react(definition, { id: `message-${n}`, text: "Hi" }, { address })
      ).result;
      await engine.idle();
      written.push(bytes() - before);
    }
    // Numbers that have a digit more are all the difference.
    expect(written.at(-1)! / written[3]!).toBeLessThan(1.02);

    const sizes: number[] = [];
    for (const pairs of [5, 10, 15]) {
      const long = turnOf(pairs);
      const other = setUp(long, { store });
      const before = bytes();
      await (
        await other.engine.react(long, { id: "long", text: "Hi" }, { address: { key: `pairs-${pairs}` } })
      ).result;
      await other.engine.idle();
      sizes.push(bytes() - before);
    }
    const [five, ten, fifteen] = sizes as [number, number, number];
    expect((fifteen - ten) / (ten - five)).toBeCloseTo(1, 1);
  });
});

it("a turn asks the store for nothing that it knows", async () => {
  const store = faultyStore(memoryStore(), []);
  const { engine, address } = setUp(scripted([{ text: "Hello." }]), { store });
  await (
    await engine.react("test", { id: "m1", text: "Hi" }, { address })
  ).result;
  await engine.idle();
  expect(store.calls).toEqual(["load", "begin", "history", "commit"]);

  // Stored first and run later, as behind a bus that forgets.
  const before = store.calls.length;
  await engine.enqueue("test", { id: "m2", text: "Hi" }, { address });
  const turn = await engine.react("test", { id: "m2", text: "Hi" }, { address });
  expect((await turn.result).text).toBe("Hello.");
  await engine.idle();
  expect(store.calls.slice(before)).toEqual(["load", "begin", "load", "begin", "load", "commit", "history", "commit"]);
  await engine.close();
});
