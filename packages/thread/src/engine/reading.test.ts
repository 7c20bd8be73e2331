import assert from "node:assert/strict";
import type { ReactorEvent } from "@hebra/reactor";
import { createManualClock } from "@hebra/core";
import { describe, test } from "vitest";
import { defineThread } from "../definition/define-thread.ts";
import { memoryStore } from "../store/memory.ts";
import { sqliteStore } from "../store/sqlite.ts";
import type { ThreadEvent } from "../stream/envelope.ts";
import { action, expectSettled, gatedReactor, scripted, setUp } from "./engine.fixture.ts";

const address = { key: "customer-7" };
const asking = () =>
  scripted([{ actions: [{ name: "send", input: {} }] }, { text: "Sent." }], {
    actions: { send: action(() => "sent", { approval: { reason: "It costs money." } }) },
  });

async function read(events: AsyncIterable<ThreadEvent>): Promise<ThreadEvent[]> {
  const found: ThreadEvent[] = [];
  for await (const event of events) found.push(event);
  return found;
}

describe("the stream of a turn", () => {
  test("ends with `execution-waiting`, which names the approvals, when the turn waits [EN-10]", async () => {
    const definition = asking();
    const { engine } = setUp(definition);
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
    const last = (await read(turn.stream)).at(-1)!;
    const { approvals } = await turn.result;
    assert.equal(last.type, "execution-waiting");
    assert.deepEqual(
      last.data["approvals"],
      [
        { approvalId: approvals[0]!.id, callId: "call-0-0", name: "send", reason: "It costs money.", expiresAt: null },
      ].map((one) => ({ ...one, callId: (last.data["approvals"] as { callId: string }[])[0]!.callId })),
    );
    await engine.close();
  });

  test("goes past the wait once a person has decided, and for who wants to wait on [EN-10]", async () => {
    const definition = asking();
    const { engine } = setUp(definition);
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
    const { approvals } = await turn.result;
    const patient = read(turn.events({ until: "ended" }));
    await engine.approve(approvals[0]!.id);
    assert.equal((await (await engine.follow(turn.executionId)).result).status, "completed");
    assert.equal((await patient).at(-1)!.type, "execution-ended");
    assert.equal((await read(turn.stream)).at(-1)!.type, "execution-ended");
    await engine.close();
  });

  test("ends with `stream-closed` when the engine is closed [EN-10]", async () => {
    const gate = gatedReactor();
    const definition = defineThread({ name: "test", reactor: gate.reactor });
    const { engine } = setUp(definition);
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
    turn.result.catch(() => undefined);
    const reading = read(turn.stream);
    await gate.reached;
    await engine.close();
    assert.equal((await reading).at(-1)!.type, "stream-closed");
    assert.equal((await read(turn.stream)).at(-1)!.type, "stream-closed");
  });

  test("ends with `stream-closed` when the store is closed [EN-10]", async () => {
    const store = await sqliteStore({ path: ":memory:" });
    const clock = createManualClock();
    const definition = scripted([{ text: "Hi." }]);
    const { engine } = setUp(definition, { store, clock });
    const turn = await engine.enqueue(definition, { id: "a", text: "a" }, { address });
    turn.result.catch(() => undefined);
    const reading = read(turn.stream);
    await store.close();
    await clock.advance(1_000);
    assert.equal((await reading).at(-1)!.type, "stream-closed");
    await engine.close();
  });

  test("is there as words alone, each once", async () => {
    const definition = scripted(
      [{ text: ["Let me ", "look. "], actions: [{ name: "look", input: {} }] }, { text: ["It has ", "shipped."] }],
      { actions: { look: action(() => 1) } },
    );
    const { engine } = setUp(definition);
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
    const words: string[] = [];
    for await (const word of turn.textStream) words.push(word);
    assert.equal(words.join(""), "Let me look. It has shipped.");
    await turn.result;
    const again: string[] = [];
    for await (const word of turn.textStream) again.push(word);
    assert.equal(again.join(""), "Let me look. It has shipped.");
    await engine.close();
  });
});

test("a message that is steered into a turn that is being cancelled starts the next turn [EN-9]", async () => {
  const gate = gatedReactor();
  let shown: string[] = [];
  const definition = defineThread({
    name: "test",
    reactor: {
      ...gate.reactor,
      react(input) {
        shown = input.transcript.flatMap(({ parts }) =>
          parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])),
        );
        return gate.reactor.react(input);
      },
    },
  });
  const { engine, store } = setUp(definition);
  const dying = await engine.react(definition, { id: "a", text: "first" }, { address });
  await gate.reached;
  await engine.cancel(dying.executionId);
  const next = await engine.react(definition, { id: "b", text: "second" }, { address, whenBusy: "steer" });
  gate.open();
  assert.notEqual(next.executionId, dying.executionId);
  assert.equal((await dying.result).status, "cancelled");
  assert.equal((await next.result).status, "completed");
  assert.ok(shown.includes("second"));
  await expectSettled(store);
  await engine.close();
});

describe("a history", () => {
  test("is read in pages both ways, by sequence number [EN-17]", async () => {
    const definition = scripted([{ text: "Hi." }]);
    const { engine } = setUp(definition, { store: memoryStore() });
    for (let i = 0; i < 12; i++)
      await (
        await engine.react(definition, { id: `m${i}`, text: `m${i}` }, { address })
      ).result;
    const all = (await engine.history(address, { items: 100 })).map(({ item }) => item.id);
    assert.equal(all.length, 24);

    const back: string[] = [];
    for (let before: number | undefined = undefined; ;) {
      const page: Awaited<ReturnType<typeof engine.history>> = await engine.history(address, {
        ...(before === undefined ? {} : { before }),
        limit: 5,
      });
      if (page.length === 0) break;
      back.unshift(...page.map(({ item }) => item.id));
      before = page[0]!.item.seq!;
    }
    assert.deepEqual(back, all);

    const forth: string[] = [];
    for (let after = 0; ;) {
      const page = await engine.history(address, { after, limit: 7 });
      if (page.length === 0) break;
      forth.push(...page.map(({ item }) => item.id));
      after = page.at(-1)!.item.seq!;
    }
    assert.deepEqual(forth, all);
    await assert.rejects(engine.history(address, { limit: 0 }), { code: "INVALID_OPTIONS" });
    await engine.close();
  });
});

describe("an answer that holds too much", () => {
  const events = (calls: number, parts: number): ReactorEvent[] => [
    ...Array.from({ length: parts }, (_, i): ReactorEvent => ({
      type: "part",
      partId: `p${i}`,
      part: { kind: "data", name: "n", data: i },
    })),
    ...Array.from({ length: calls }, (_, i): ReactorEvent => ({
      type: "action-request",
      callId: `c${i}`,
      name: "look",
      input: { i },
    })),
    { type: "usage", usage: {} },
    { type: "finish", reason: calls > 0 ? "actions" : "stop" },
  ];
  const playing = (calls: number, parts: number) => {
    let ran = 0;
    let asked = 0;
    const definition = defineThread({
      name: "test",
      reactor: {
        contract: "reactor-v1",
        name: "large",
        async *react() {
          yield* events(asked === 0 ? calls : 0, asked === 0 ? parts : 0);
          asked++;
        },
      },
      actions: { look: action(() => ran++, { effect: "read" }) },
    });
    return { definition, ran: () => ran };
  };

  test.each([
    ["10,000 calls", 10_000, 0, "calls"],
    ["20,000 parts", 0, 20_000, "parts"],
  ])(
    "as with %s, fails its turn with a clear code, and none of its calls runs [SE-10]",
    async (_what, calls, parts, what) => {
      const { definition, ran } = playing(calls, parts);
      const { engine, store } = setUp(definition);
      const { status, error } = await (await engine.react(definition, { id: "a", text: "a" }, { address })).result;
      assert.deepEqual([status, error?.code, ran()], ["failed", "ANSWER_TOO_LARGE", 0]);
      assert.match(error!.message, new RegExp(what));
      await expectSettled(store);
      await engine.close();
    },
  );

  test("by its characters, fails too, and what the host allows is its own [SE-10]", async () => {
    const definition = scripted([{ text: "x".repeat(2_000) }, { text: "fine" }]);
    const { engine } = setUp(definition, { answerLimits: { characters: 1_000 } });
    const { error } = await (await engine.react(definition, { id: "a", text: "a" }, { address })).result;
    assert.equal(error?.code, "ANSWER_TOO_LARGE");
    await engine.close();
  });

  test("is one above the limit: the limit itself is allowed [SE-10]", async () => {
    const { definition, ran } = playing(100, 1_900);
    const { engine, store } = setUp(definition);
    const { status } = await (await engine.react(definition, { id: "a", text: "a" }, { address })).result;
    assert.deepEqual([status, ran()], ["completed", 100]);
    await expectSettled(store);
    await engine.close();
  });
});
