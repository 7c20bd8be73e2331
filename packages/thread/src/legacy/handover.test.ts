import { describe, expect, it } from "vitest";
import type { JsonObject } from "@hebra/core";
import { createManualClock } from "@hebra/core";
import { localLocks } from "@hebra/lock";
import { action, gatedReactor, scripted, setUp } from "../engine/engine.fixture.ts";
import { defineThread } from "../definition/define-thread.ts";
import { memoryStore } from "../store/memory.ts";
import { handover } from "./handover.ts";

const address = { key: "customer-7" };

describe("handover", () => {
  it("maps every turn back, with its calls and results, under the same ids each time", async () => {
    const definition = scripted(
      [
        {
          text: "One moment.",
          actions: [
            { name: "find", input: { n: 1 } },
            { name: "ghost", input: {} },
          ],
        },
        { text: "Found." },
      ],
      { actions: { find: action(() => ({ ok: true })) } },
    );
    const { engine, store } = setUp(definition);
    const turn = await engine.react(definition, { id: "a", text: "Where?" }, { address });
    await turn.result;
    const rows = await handover(store, address);
    expect(await handover(store, address)).toEqual(rows);
    expect(rows.context_events.map(({ id, type, status }) => [id, type, status])).toEqual([
      [turn.triggerItemId, "input_text", "completed"],
      [turn.reactionItemId, "output_text", "completed"],
    ]);
    const { parts } = rows.context_events[1]!["content"] as { parts: JsonObject[] };
    expect(parts).toMatchObject([
      { type: "text", text: "One moment." },
      { type: "tool-find", state: "output-available", input: { n: 1 }, output: { ok: true } },
      { type: "tool-ghost", state: "output-error", errorText: expect.stringContaining("no action ghost") as string },
      { type: "text", text: "Found." },
    ]);
    expect(rows.story_executions).toMatchObject([
      { id: turn.executionId, trigger: turn.triggerItemId, reaction: turn.reactionItemId, status: "completed" },
    ]);
    expect(rows.story_steps).toMatchObject([
      { iteration: 0, toolExecutionResults: [{ success: true, output: { ok: true } }, { success: false }] },
      { iteration: 1 },
    ]);
    expect(rows.story_parts.map(({ idx }) => idx)).toEqual([0, 1, 2, 0]);
  });

  it("keeps the order of the conversation where clocks stand still or go back", async () => {
    const clock = createManualClock();
    const definition = scripted([{ text: "x" }]);
    const { engine, store } = setUp(definition, { clock, locks: localLocks() });
    for (const id of ["a", "b", "c"]) await (await engine.react(definition, { id, text: id }, { address })).result;
    const slow = setUp(definition, { store, clock: createManualClock(1_000), locks: localLocks() });
    await (
      await slow.engine.react(definition, { id: "d", text: "d" }, { address })
    ).result;
    const events = (await handover(store, address)).context_events;
    const byTime = events.toSorted((a, b) => String(a["createdAt"]).localeCompare(String(b["createdAt"])));
    expect(byTime.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
    expect(new Set(events.map((row) => row["createdAt"])).size).toBe(8);
  });

  it("leaves out what has not ended, and knows nothing of a thread that is not there", async () => {
    const gate = gatedReactor();
    const definition = defineThread({ name: "test", reactor: gate.reactor });
    const { engine, store } = setUp(definition);
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
    await gate.reached;
    expect((await handover(store, address)).context_events).toEqual([]);
    gate.open();
    await turn.result;
    expect((await handover(store, address)).context_events).toHaveLength(2);
    expect((await handover(memoryStore(), address)).context_events).toEqual([]);
  });
});
