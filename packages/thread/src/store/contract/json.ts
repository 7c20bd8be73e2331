import assert from "node:assert/strict";
import { digest, type JsonValue } from "@hebra/core";
import { bundleDigest } from "../bundle.ts";
import type { Changes } from "../store.ts";
import {
  beginQueued,
  beginRunning,
  callRow,
  ending,
  events,
  importedBundle,
  itemRow,
  partRow,
  playTurn,
  stepRow,
  T0,
  turnIds,
} from "./rows.ts";
import { rejects, same, type Clause } from "./scenario.ts";

const ids = turnIds("award_42", "m1");
const guard = { fence: 1, expectedSeq: 2 };
const nothing: Changes = { context: { updatedAt: T0 }, events: [] };

/** Documents that a database could harm. */
const documents: Record<string, JsonValue> = {
  null: null,
  false: false,
  zero: 0,
  "empty string": "",
  "empty array": [],
  "empty object": {},
  "nested empties": { a: [], b: {}, c: [[], {}], d: "" },
  NUL: { "a\u0000b": "c\u0000d" },
  controls: "\u0001\u001f\u007f\u2028\u2029\ufeff\ufffe\uffff",
  astral: "🧵𝒳 \u{10ffff}",
  "escapes as text": "\\u0000 \\ud800 \" \\ / '",
  "largest integers": [2 ** 53 - 1, 2 ** 53, -(2 ** 53 - 1), 2 ** 53 + 2],
  "other numbers": [0.1, 1e-7, 1e21, 5e-324, 1.7976931348623157e308, -1.5],
  "keys like prototypes": JSON.parse(
    '{"__proto__":{"x":1},"constructor":1,"toString":null,"hasOwnProperty":[]}',
  ) as JsonValue,
  "keys like numbers": { "10": 1, "9": 2, "-1": 3 },
  "strings that look like JSON": ["null", "[]", '{"a":1}', "1"],
};

export const jsonClauses = {
  "every document comes back as it was": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    let index = 0;
    for (const [name, value] of Object.entries(documents)) {
      const call = callRow(ids, index, { input: value, output: value });
      const part = partRow(ids, index++, "", { kind: "data", content: { kind: "data", name, data: value } });
      const [event] = events(tenant, ids, 1 + index, "part-created");
      const seq = 1 + index;
      await store.commit(
        tenant,
        ids.contextId,
        { fence: 1, expectedSeq: seq },
        {
          context: { updatedAt: T0, state: value },
          calls: [call],
          parts: [part],
          events: [{ ...event!, data: { value } }],
        },
      );
      const found = (await store.load(tenant, { key: "award_42" }))!;
      const kept = found.active!.calls.find((row) => row.id === call.id)!;
      const shown = (await store.history(tenant, ids.contextId, { items: 9 }))[1]!.parts.find(
        (row) => row.id === part.id,
      )!;
      for (const back of [
        found.context.state,
        kept.input,
        kept.output,
        (shown.content as { data: JsonValue }).data,
        (await store.journal(tenant, ids.contextId, seq))[0]!.data["value"]!,
      ]) {
        assert.equal(digest(back), digest(value), name);
        assert.equal(JSON.stringify(back), JSON.stringify(value), name);
      }
    }
    assert.equal(Object.hasOwn(Object.prototype, "x"), false);
  },
  "what JSON cannot hold is refused": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    const wrong: unknown[] = [
      "\ud800",
      { "\udfff": 1 },
      NaN,
      Infinity,
      1n,
      [undefined],
      new Date(0),
      new Map(),
      () => 1,
      Symbol("x"),
      cycle,
      Buffer.from("x"),
    ];
    for (const value of wrong) {
      await rejects(
        store.commit(tenant, ids.contextId, guard, {
          ...nothing,
          context: { updatedAt: T0, state: value as JsonValue },
        }),
        "NOT_SERIALIZABLE",
      );
      await rejects(
        store.commit(tenant, ids.contextId, guard, {
          ...nothing,
          calls: [callRow(ids, 0, { input: value as JsonValue })],
        }),
        "NOT_SERIALIZABLE",
      );
    }
    same((await store.load(tenant, { key: "award_42" }))!.active!.calls, []);
  },
  "members that are undefined are left out": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    const state = { a: 1, b: undefined } as unknown as JsonValue;
    await store.commit(tenant, ids.contextId, guard, { ...nothing, context: { updatedAt: T0, state } });
    assert.deepEqual((await store.load(tenant, { key: "award_42" }))!.context.state, { a: 1 });
  },
  "ids and keys with U+0000, lone surrogates, too long or empty are refused at the door": async ({ store, tenant }) => {
    await playTurn(store, tenant, ids, 0);
    for (const bad of ["a\u0000b", "\ud800", "x\udc00", "", "x".repeat(513)]) {
      const given = beginQueued(turnIds("award_42", "m2"));
      await rejects(store.begin(tenant, { ...given, thread: { ...given.thread, key: bad } }), "INVALID_ID");
      await rejects(
        store.begin(tenant, {
          ...given,
          trigger: { ...given.trigger, triggerId: bad },
          execution: { ...given.execution, triggerId: bad },
        }),
        "INVALID_ID",
      );
      await rejects(store.begin(tenant, { ...given, items: [{ ...given.items[0]!, id: bad }] }), "INVALID_ID");
      await rejects(store.begin(bad, given), "INVALID_ID");
      await rejects(
        store.commit(
          tenant,
          ids.contextId,
          { fence: 1, expectedSeq: 4 },
          { ...nothing, parts: [partRow(ids, 1, "x", { id: bad })] },
        ),
        "INVALID_ID",
      );
      await rejects(store.load(tenant, { key: bad }), "INVALID_ID");
      await rejects(store.load(bad, { key: "award_42" }), "INVALID_ID");
      await rejects(store.execution(tenant, bad), "INVALID_ID");
      await rejects(store.announceImport(tenant, { ...given.thread, key: bad }, given.context), "INVALID_ID");
    }
    same((await store.load(tenant, { key: "award_42" }))!.context.inboxSeq, 0);
    const long = "y".repeat(512);
    await playTurn(store, tenant, turnIds(long, long), 0);
    assert.ok(await store.load(tenant, { key: long }));
  },
  "other text with U+0000 or lone surrogates is refused": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    for (const bad of ["a\u0000b", "\ud800"]) {
      await rejects(
        store.commit(tenant, ids.contextId, guard, { ...nothing, calls: [callRow(ids, 0, { name: bad })] }),
        "NOT_SERIALIZABLE",
      );
      await rejects(
        store.commit(tenant, ids.contextId, guard, { ...nothing, steps: [stepRow(ids, 0, { finishReason: bad })] }),
        "NOT_SERIALIZABLE",
      );
    }
  },
  "numbers of rows are integers, up to 2^53 - 1": async ({ store, tenant }) => {
    const large = 2 ** 53 - 1;
    await store.begin(tenant, beginRunning(tenant, ids, { fence: large - 1, expectedSeq: 0 }));
    await store.takeOver(tenant, ids.contextId, large);
    await store.commit(
      tenant,
      ids.contextId,
      { fence: large, expectedSeq: 2 },
      { ...nothing, parts: [partRow(ids, large, "x", { createdAt: large, updatedAt: -large })] },
    );
    const found = (await store.load(tenant, { key: "award_42" }))!;
    assert.equal(found.context.fence, large);
    same(found.active!.parts, [partRow(ids, large, "x", { createdAt: large, updatedAt: -large })]);
    await rejects(store.commit(tenant, ids.contextId, { fence: large - 1, expectedSeq: 2 }, nothing), "STALE_FENCE");
    for (const bad of [0.5, 2 ** 53, NaN, "1" as unknown as number]) {
      await rejects(
        store.commit(
          tenant,
          ids.contextId,
          { fence: large, expectedSeq: 2 },
          { ...nothing, parts: [partRow(ids, bad, "x")] },
        ),
        "NOT_SERIALIZABLE",
      );
    }
  },
  "key order does not matter to digests, and is kept": async ({ store, tenant }) => {
    const bundle = importedBundle("old", 1);
    bundle.context.state = { b: 1, a: { d: [1], c: 2 } };
    const other = structuredClone(bundle);
    other.context.state = { a: { c: 2, d: [1] }, b: 1 };
    assert.equal(bundleDigest(bundle), bundleDigest(other));
    await store.import(tenant, bundle);
    assert.deepEqual((await store.import(tenant, other)).changed, false);
    assert.equal(
      JSON.stringify((await store.load(tenant, { key: "old" }))!.context.state),
      '{"b":1,"a":{"d":[1],"c":2}}',
    );
  },
  "a thousand rows in one write, and a long document": async ({ store, tenant }) => {
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 1, expectedSeq: 0 }));
    const parts = Array.from({ length: 1_000 }, (_, i) => partRow(ids, i, `part ${i} ${"é".repeat(100)}`));
    const text = "long \u0000 ".repeat(100_000);
    const types = parts.map(() => "part-created" as const);
    await store.commit(tenant, ids.contextId, guard, {
      ...nothing,
      items: [itemRow(ids, "note", 2, { executionId: null, seq: null, metadata: { text } })],
      parts,
      calls: parts.map((_, i) => callRow(ids, i)),
      events: events(tenant, ids, 2, ...types),
    });
    const graph = (await store.execution(tenant, ids.executionId))!;
    same(graph.parts, parts);
    assert.equal(graph.calls.length, 1_000);
    assert.equal((await store.load(tenant, { key: "award_42" }))!.context.seq, 1_002);
    assert.equal((await store.journal(tenant, ids.contextId, 500)).length, 502);
    await store.commit(tenant, ids.contextId, { fence: 1, expectedSeq: 1_002 }, ending(tenant, ids, 1_002, 2));
    const bundle = (await store.export(tenant, ids.contextId))!;
    assert.equal(bundle.items.find((item) => item.kind === "note")!.metadata["text"], text);
    same((await store.import(`${tenant}-copy`, bundle)).digest, bundleDigest(bundle));
  },
} satisfies Record<string, Clause>;
