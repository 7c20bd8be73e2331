import assert from "node:assert/strict";
import { test } from "vitest";
import * as z from "zod";
import { expectSettled, scripted, setUp } from "./engine.fixture.ts";

const address = { key: "customer-7" };
const asking = () => {
  const shown: unknown[] = [];
  const definition = scripted(
    [
      { actions: [{ name: "locate", input: {} }] },
      (input) => {
        shown.push(input.transcript.at(-1)!.parts.at(-1));
        return { text: "You are in Rome." };
      },
    ],
    {
      actions: {
        locate: {
          description: "Asks the browser.",
          inputSchema: z.object({}),
          outputSchema: z.object({ city: z.string() }),
        },
      },
    },
  );
  return { definition, shown };
};

test("a tool without `execute` waits, and goes on with the result that is provided [RE-7]", async () => {
  const { definition, shown } = asking();
  const { engine, store } = setUp(definition);
  const turn = await engine.react(definition, { id: "a", text: "Where am I?" }, { address });
  const { status, approvals } = await turn.result;
  assert.deepEqual([status, approvals.length], ["waiting", 1]);
  const { callRowId } = approvals[0]!;
  const awaited = (await store.execution("default", turn.executionId))!.calls[0]!;
  assert.equal(awaited.error?.code, "ACTION_AWAITS_RESULT");
  await assert.rejects(engine.provideResult(callRowId, { town: "Rome" }), { code: "ACTION_OUTPUT_INVALID" });
  await engine.provideResult(callRowId, { city: "Rome" });
  assert.equal((await (await engine.follow(turn.executionId)).result).text, "You are in Rome.");
  const call = (await store.execution("default", turn.executionId))!.calls[0]!;
  assert.deepEqual([call.status, call.output], ["succeeded", { city: "Rome" }]);
  assert.deepEqual((shown[0] as { output: unknown }).output, { city: "Rome" });
  await expectSettled(store);
  await engine.close();
});

test("a result for a call that waits for none is refused [RE-7]", async () => {
  const { definition } = asking();
  const { engine } = setUp(definition);
  await assert.rejects(engine.provideResult("nowhere", 1), { code: "APPROVAL_NOT_FOUND" });
  await engine.close();
});
