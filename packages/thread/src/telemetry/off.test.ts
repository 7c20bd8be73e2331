import type { Telemetry } from "@hebra/core";
import { afterAll, expect, it } from "vitest";
import { action, scripted, setUp } from "../engine/engine.fixture.ts";
import { recordTelemetry } from "./telemetry.fixture.ts";

const told = recordTelemetry();
afterAll(() => told.close());

const definition = () =>
  scripted(
    [
      {
        actions: [
          { name: "find", input: {} },
          { name: "fail", input: {} },
        ],
      },
      { text: "Done." },
    ],
    { actions: { find: action(() => 1), fail: action(() => Promise.reject(new Error("no"))) } },
  );

/** As where OpenTelemetry is not installed; whatever is made up for it all the same fails the test. */
const absent = new Proxy({ enabled: false } as Telemetry, {
  get(target, key) {
    if (key === "enabled" || key === "startSpan")
      return Reflect.get(target, key) ?? (() => Promise.reject(new Error("asked for a span")));
    throw new Error(`touched ${String(key)}`);
  },
});

it("nothing is made up for nobody", async () => {
  const { engine, store, address } = setUp(definition(), { telemetry: absent });
  const turn = await engine.react("test", { id: "m1", text: "1", correlation: { runId: "r" } }, { address });
  expect((await turn.result).status).toBe("completed");
  await engine.close();
  expect((await store.execution("default", turn.executionId))!.execution.correlation).toEqual({ runId: "r" });
});

it("a host can switch it off where it is installed", async () => {
  const { engine, store, address } = setUp(definition(), { telemetry: { enabled: false } });
  const turn = await told.tracer.startActiveSpan("request", (span) => {
    const begun = engine.react("test", { id: "m1", text: "1" }, { address });
    span.end();
    return begun;
  });
  await turn.result;
  await engine.close();
  expect(told.spans().map(({ name }) => name)).toEqual(["request"]);
  expect(await told.points()).toEqual([]);
  expect((await store.execution("default", turn.executionId))!.execution.correlation).toEqual({});
});
