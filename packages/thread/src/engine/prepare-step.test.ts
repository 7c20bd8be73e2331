import { describe, expect, it } from "vitest";
import type { ReactorInput } from "@hebra/reactor";
import * as z from "zod";
import { withState } from "../definition/define-action.ts";
import { action, expectSettled, scripted, setUp } from "./engine.fixture.ts";

describe("prepareStep", () => {
  it("replaces the state before each answer, sees what was answered, and is stored with the answer", async () => {
    const seen: unknown[] = [];
    const asked: (string | undefined)[] = [];
    const definition = scripted(
      [
        (input: ReactorInput) => {
          asked.push(input.instructions);
          return { actions: [{ name: "count", input: {} }] };
        },
        (input: ReactorInput) => {
          asked.push(input.instructions);
          return { text: "Done." };
        },
      ],
      {
        prepareStep({ state, iteration, answered }) {
          seen.push([iteration, answered.map((part) => (part.kind === "action" ? part.status : part.kind))]);
          return { ...(state as object), at: iteration };
        },
        instructions: ({ state }) => JSON.stringify(state),
        actions: { count: action((_, { state }) => withState("ok", { counted: (state as { at: number }).at })) },
      },
    );
    const { engine, store, address } = setUp(definition);
    const turn = await engine.react(definition, { id: "a", text: "go" }, { address });
    expect((await turn.result).status).toBe("completed");
    expect(seen).toEqual([
      [0, []],
      [1, ["succeeded"]],
    ]);
    expect(asked).toEqual(['{"at":0}', '{"at":1,"counted":0}']);
    expect((await engine.context(address)).state).toEqual({ at: 1, counted: 0 });
    const changes = (await store.journal("default", turn.contextId, 0)).filter(
      ({ type }) => type === "context-changed",
    );
    expect(changes.map(({ data }) => data["state"])).toEqual([{ at: 0 }, { at: 0, counted: 0 }, { at: 1, counted: 0 }]);
    await expectSettled(store);
  });

  it("writes nothing when nothing changes, and fails the turn when the state would break its schema", async () => {
    const same = scripted([{ text: "x" }], { initialState: { a: 1, b: 2 }, prepareStep: () => ({ b: 2, a: 1 }) });
    const first = setUp(same);
    const turn = await first.engine.react(same, { id: "a", text: "go" }, { address: first.address });
    await turn.result;
    expect(
      (await first.store.journal("default", turn.contextId, 0)).some(({ type }) => type === "context-changed"),
    ).toBe(false);

    const broken = scripted([{ text: "x" }], {
      state: z.object({ n: z.number() }),
      initialState: { n: 1 },
      prepareStep: () => ({ n: "one" }),
    });
    const second = setUp(broken);
    const result = await (
      await second.engine.react(broken, { id: "a", text: "go" }, { address: second.address })
    ).result;
    expect(result).toMatchObject({ status: "failed", error: { code: "STATE_INVALID" } });
    await expectSettled(second.store);
  });
});
