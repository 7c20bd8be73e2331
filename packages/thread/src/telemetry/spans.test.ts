import { HebraError } from "@hebra/core";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { afterAll, afterEach, expect, it } from "vitest";
import { action, gatedReactor, scripted, setUp } from "../engine/engine.fixture.ts";
import { defineThread } from "../definition/define-thread.ts";
import { recordTelemetry } from "./telemetry.fixture.ts";

const told = recordTelemetry();
afterEach(() => told.reset());
afterAll(() => told.close());

const USAGE = {
  inputTokens: 30,
  outputTokens: 5,
  cachedInputTokens: 10,
  costUsd: 0.25,
  provider: "openai.responses",
  model: "gpt-5-mini",
};
const find = action(() => ({ found: true }));

/** Plays one turn to its end. */
async function play(definition: ReturnType<typeof defineThread>, over: Parameters<typeof setUp>[1] = {}) {
  const { engine, store, address } = setUp(definition, over);
  const turn = await engine.react(
    definition,
    { id: "m1", text: "Hello.", correlation: { runId: "run-7" } },
    { address },
  );
  const result = await turn.result;
  await engine.idle();
  return { engine, store, address, turn, result };
}

it("a turn with two calls is an agent's span with the model's calls and the actions' in it", async () => {
  const definition = scripted(
    [
      {
        text: "Look.",
        actions: [
          { name: "find", input: { n: 1 } },
          { name: "track", input: { n: 2 } },
        ],
        usage: USAGE,
      },
      { text: "Found." },
    ],
    {
      actions: { find, track: find },
      model: "openai/gpt-5",
    },
  );
  const { engine, turn } = await play(definition);
  expect(told.shape()).toEqual([
    { name: "chat openai/gpt-5", parent: "invoke_agent test", failed: undefined },
    { name: "execute_tool find", parent: "invoke_agent test", failed: undefined },
    { name: "execute_tool track", parent: "invoke_agent test", failed: undefined },
    { name: "chat openai/gpt-5", parent: "invoke_agent test", failed: undefined },
    { name: "invoke_agent test", parent: undefined, failed: undefined },
  ]);
  for (const { attributes } of told.spans()) {
    expect(attributes).toMatchObject({
      "gen_ai.conversation.id": turn.threadId,
      "gen_ai.agent.name": "test",
      "hebra.tenant": "default",
      "hebra.execution.id": turn.executionId,
      "hebra.context.id": turn.contextId,
      "hebra.run.id": "run-7",
      "hebra.definition": "test",
      "hebra.definition.version": 1,
    });
  }
  expect(told.named("invoke_agent test")[0]).toMatchObject({
    kind: SpanKind.INTERNAL,
    attributes: {
      "gen_ai.operation.name": "invoke_agent",
      "hebra.resumed": false,
      "hebra.attempt": 1,
      "hebra.outcome": "completed",
      "hebra.outcome.reason": "stop",
      "gen_ai.usage.input_tokens": 30,
      "hebra.cost.usd": 0.25,
    },
  });
  const [first, second] = told.named("chat openai/gpt-5");
  expect(first).toMatchObject({
    kind: SpanKind.CLIENT,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "openai/gpt-5",
      "gen_ai.request.stream": true,
      "gen_ai.response.model": "gpt-5-mini",
      "gen_ai.response.finish_reasons": ["actions"],
      "gen_ai.response.time_to_first_chunk": expect.any(Number) as number,
      "gen_ai.usage.input_tokens": 30,
      "gen_ai.usage.output_tokens": 5,
      "gen_ai.usage.cache_read.input_tokens": 10,
      "hebra.step.index": 0,
    },
  });
  expect(second!.attributes).toMatchObject({ "hebra.step.index": 1, "gen_ai.response.finish_reasons": ["stop"] });
  expect(told.named("execute_tool find")[0]).toMatchObject({
    kind: SpanKind.INTERNAL,
    attributes: {
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": "find",
      "gen_ai.tool.type": "function",
      "gen_ai.tool.description": "A test action.",
      "gen_ai.tool.call.id": expect.any(String) as string,
    },
  });
  await engine.close();
});

it("a turn that no run is named for is a run of its own, and a model that only the answer names gives the span its name", async () => {
  const { engine, address } = setUp(scripted([{ text: "Hi.", usage: USAGE }]));
  const turn = await engine.react("test", { id: "m1", text: "Hello." }, { address });
  await turn.result;
  await engine.close();
  expect(told.named("chat gpt-5-mini")).toHaveLength(1);
  expect(told.spans().map(({ attributes }) => attributes["hebra.run.id"])).toEqual([
    turn.executionId,
    turn.executionId,
  ]);
});

it("every line of a turn's log says where it belongs", async () => {
  const lines: unknown[] = [];
  const write = (_message: string, fields?: object) => void lines.push(fields);
  const definition = scripted([
    (input) =>
      input.ids.attempt === 1
        ? { error: new HebraError("REACTOR_FAILED", "overloaded", { retryable: true, details: { retryAfterMs: 0 } }) }
        : { text: "Hi." },
  ]);
  const { engine, turn } = await play(definition, {
    random: () => 0,
    logger: { debug: write, info: write, warn: write, error: write },
  });
  expect(lines).toMatchObject([
    { tenant: "default", executionId: turn.executionId, contextId: turn.contextId, runId: "run-7", attempt: 1 },
  ]);
  await engine.close();
});

it("an action that fails fails its own span, and says no more than why", async () => {
  const fail = action(() => Promise.reject(new HebraError("ACTION_FAILED", "The customer Ana Torres is unknown.")), {
    retry: { attempts: 2, baseMs: 0 },
  });
  const definition = scripted(
    [
      {
        actions: [
          { name: "fail", input: {} },
          { name: "nowhere", input: {} },
        ],
      },
      { text: "Sorry." },
    ],
    { actions: { fail } },
  );
  const { engine, result } = await play(definition);
  expect(result.status).toBe("completed");
  expect(told.shape().filter(({ failed }) => failed !== undefined)).toEqual([
    { name: "execute_tool fail", parent: "invoke_agent test", failed: "ACTION_FAILED" },
  ]);
  const [span] = told.named("execute_tool fail");
  expect(span!.events.map(({ name }) => name)).toEqual(["retry"]);
  expect(span!.status).toEqual({ code: SpanStatusCode.ERROR });
  await engine.close();
});

it("each try of a model that fails is a span, and the turn fails with it", async () => {
  const definition = scripted([
    { error: new HebraError("REACTOR_FAILED", "overloaded", { retryable: true, details: { retryAfterMs: 0 } }) },
  ]);
  const { engine, result } = await play(definition, { random: () => 0 });
  expect(result.status).toBe("failed");
  expect(told.shape()).toEqual([
    ...Array.from({ length: 3 }, () => ({
      name: "chat scripted",
      parent: "invoke_agent test",
      failed: "REACTOR_FAILED",
    })),
    { name: "invoke_agent test", parent: undefined, failed: "REACTOR_FAILED" },
  ]);
  expect(told.named("chat scripted").map(({ attributes }) => attributes["hebra.attempt"])).toEqual([1, 2, 3]);
  await engine.close();
});

it("a cancelled turn ends its spans, also of what does not heed the signal", async () => {
  const { reactor, reached } = gatedReactor();
  const definition = defineThread({ name: "test", reactor });
  const { engine, address } = setUp(definition);
  const turn = await engine.react(definition, { id: "m1", text: "Hello." }, { address });
  await reached;
  await engine.cancel(turn.executionId);
  await turn.result;
  await engine.idle();
  expect(told.shape().toSorted((a, b) => a.name.localeCompare(b.name))).toEqual([
    { name: "chat gated", parent: "invoke_agent test", failed: "ABORTED" },
    { name: "invoke_agent test", parent: undefined, failed: undefined },
  ]);
  expect(told.named("invoke_agent test")[0]!.attributes).toMatchObject({ "hebra.outcome": "cancelled" });
  told.reset();

  let running = () => {};
  const started = new Promise<void>((resolve) => (running = resolve));
  const deaf = scripted([{ actions: [{ name: "deaf", input: {} }] }], {
    actions: { deaf: action(() => (running(), new Promise(() => {}))) },
  });
  const other = setUp(deaf);
  const stuck = await other.engine.react(deaf, { id: "m1", text: "Hello." }, { address: other.address });
  await started;
  await other.engine.cancel(stuck.executionId);
  await stuck.result;
  await other.engine.idle();
  expect(told.shape().find(({ name }) => name === "execute_tool deaf")).toEqual({
    name: "execute_tool deaf",
    parent: "invoke_agent test",
    failed: "ABORTED",
  });
  await Promise.all([engine.close(), other.engine.close()]);
});
