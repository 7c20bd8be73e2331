import { eventually } from "@hebra/test-servers/eventually";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { beginQueued, beginRunning, ending, events, partRow, playTurn, T0, turnIds } from "../contract/rows.ts";
import { postgresMigrations, postgresStore, type PgClient } from "../postgres.ts";
import type { ThreadStore } from "../store.ts";
import type { QueryConfig } from "./pg-client.ts";

const PATIENCE = 120_000;
const url = process.env["DATABASE_URL"];
const schema = `plans_${process.pid}`;
const ids = turnIds("award_42", "m1");

/** A node of a plan, as EXPLAIN gives it. */
interface Node {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Cond"?: string;
  Plans?: Node[];
}

const nodesOf = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

describe.skipIf(url === undefined)("the plans of the store's reads", () => {
  const pool = new pg.Pool({ connectionString: url, max: 3 });
  /** The statements of each verb as the store sends them. */
  const sent = new Map<string, QueryConfig[]>();
  let verb = "";
  let session: pg.PoolClient;
  const prepared: { verb: string; name: string; values: string[] }[] = [];

  const reads: Record<string, (store: ThreadStore) => Promise<unknown>> = {
    load: (store) => store.load("t", { key: "award_42" }),
    execution: (store) => store.execution("t", ids.executionId),
    history: (store) => store.history("t", ids.contextId, { items: 2 }),
    journal: (store) => store.journal("t", ids.contextId, 2, 10),
    stateAt: (store) => store.stateAt("t", ids.contextId, ids.reactionItemId),
    list: (store) => store.list("t", { limit: 2 }),
    export: (store) => store.export("t", ids.contextId),
    sweep: (store) => store.system().sweep({ before: T0 + 10 }),
    due: (store) => store.system().due({ now: T0 + 10 }),
    outbox: (store) => store.system().outbox({ before: T0 }),
  };

  beforeAll(async () => {
    const migrations = await postgresMigrations({ pool, schema });
    await migrations.apply();
    await migrations.close();
    const recording = new pg.Pool({ connectionString: url, max: 3 });
    recording.on("connect", (client) => {
      const one = client as unknown as PgClient;
      const query = one.query.bind(one);
      one.query = (config) => {
        if (config.text.startsWith("WITH") || config.text.startsWith("SELECT")) {
          const own = sent.get(verb) ?? [];
          if (!own.some(({ text }) => text === config.text)) sent.set(verb, [...own, config]);
        }
        return query(config);
      };
    });
    const store = await postgresStore({ pool: recording, schema });
    await playTurn(store, "t", ids, 0);
    await store.begin("t", beginRunning("t", turnIds("running", "m1"), { fence: 1, expectedSeq: 0 }));
    await store.begin("t", beginQueued(turnIds("award_42", "m2")));
    for (const [name, read] of Object.entries(reads)) {
      verb = name;
      await read(store);
    }
    await store.close();
    await recording.end();
    session = await pool.connect();
    // Plans made for any values while the tables hold next to nothing, as a process makes and keeps them at its start.
    await session.query("SET plan_cache_mode = force_generic_plan");
    for (const [owner, configs] of sent) {
      if (!(owner in reads)) continue;
      for (const config of configs) {
        const name = `p${prepared.length}`;
        const values = config.values.map((value) => (value === null ? "NULL" : session.escapeLiteral(String(value))));
        await session.query(`PREPARE ${name} AS ${config.text}`);
        await session.query(`EXECUTE ${name}${values.length === 0 ? "" : `(${values.join(", ")})`}`);
        prepared.push({ verb: owner, name, values });
      }
    }
  }, PATIENCE);
  afterAll(async () => {
    session.release(true);
    await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await pool.end();
  });

  const plansOf = async (of: string): Promise<Node[]> => {
    const own = prepared.filter((one) => one.verb === of);
    expect(own.length).toBeGreaterThan(0);
    const plans: Node[] = [];
    for (const { name, values } of own) {
      const args = values.length === 0 ? "" : `(${values.join(", ")})`;
      const { rows } = await session.query(`EXPLAIN (FORMAT JSON) EXECUTE ${name}${args}`);
      plans.push((rows[0] as { "QUERY PLAN": [{ Plan: Node }] })["QUERY PLAN"][0].Plan);
    }
    return plans;
  };
  /** Reads of which the answer is the beginning or the end of an order. */
  const ordered = ["history", "journal", "stateAt", "list", "sweep", "due", "outbox"];

  test("no read sorts what an index has in order, nor looks through a table [PF-1]", async () => {
    for (const read of ordered) {
      for (const plan of await plansOf(read)) {
        const types = nodesOf(plan).map((node) => node["Node Type"]);
        expect(types, read).not.toContain("Sort");
        expect(types, read).not.toContain("Incremental Sort");
        expect(types, read).not.toContain("Seq Scan");
      }
    }
  });

  test("each of several keys is looked up by index, also with a plan made while the tables were empty [PF-2]", async () => {
    const keyOf: Record<string, string> = {
      thread_steps: "execution_id",
      thread_parts: "item_id",
      thread_action_calls: "execution_id",
      thread_approvals: "execution_id",
      thread_executions: "",
    };
    const seen = new Set<string>();
    for (const read of ["load", "execution", "history", "export"]) {
      for (const plan of await plansOf(read)) {
        for (const scan of nodesOf(plan)) {
          const key = keyOf[scan["Relation Name"] ?? ""];
          if (key === undefined) continue;
          seen.add(scan["Relation Name"]!);
          expect(scan["Node Type"], read).toMatch(/^Index/);
          // An execution is looked up by its own id or by its context's.
          const wanted = key === "" ? /\((id|context_id) = / : new RegExp(`\\(${key} = `);
          expect(scan["Index Cond"], `${read} ${scan["Relation Name"]}`).toMatch(wanted);
        }
      }
    }
    expect([...seen].sort()).toEqual(Object.keys(keyOf).sort());
  });

  test(
    "most commits of a turn change no index entry of its execution: at least 75 % are HOT [PF-5]",
    async () => {
      const own = `hot_${process.pid}`;
      const store = await postgresStore({ connectionString: url!, schema: own, migrations: "automatic" });
      try {
        for (let n = 0; n < 40; n++) {
          const turn = turnIds(`key-${n}`, "m1");
          const { execution } = await store.begin("t", beginRunning("t", turn, { fence: 1, expectedSeq: 0 }));
          let seq = 2;
          for (let step = 0; step < 7; step++) {
            const updatedAt = T0 + step + 1;
            await store.commit(
              "t",
              turn.contextId,
              { fence: 1, expectedSeq: seq },
              {
                context: { updatedAt },
                executions: [{ ...execution, updatedAt }],
                parts: [partRow(turn, step, "x")],
                events: events("t", turn, seq, "part-created"),
              },
            );
            seq += 1;
          }
          await store.commit("t", turn.contextId, { fence: 1, expectedSeq: seq }, ending("t", turn, seq, 2));
        }
      } finally {
        await store.close();
      }
      // A session tells what it counted when it ends, or after a second.
      const client = await pool.connect();
      try {
        let counted = { all: 0, hot: 0 };
        await eventually(async () => {
          const { rows } = await client.query(
            "SELECT n_tup_upd::int AS all, n_tup_hot_upd::int AS hot FROM pg_stat_user_tables WHERE schemaname = $1 AND relname = 'thread_executions'",
            [own],
          );
          counted = rows[0] as typeof counted;
          return counted.all >= 320;
        }, "the server counts the updates");
        expect(counted.hot / counted.all).toBeGreaterThan(0.75);
      } finally {
        await client.query(`DROP SCHEMA ${own} CASCADE`);
        client.release();
      }
    },
    PATIENCE,
  );
});
