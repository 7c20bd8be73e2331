import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as z from "zod";
import type { ThreadStore } from "@hebra/thread";
import { memoryStore } from "@hebra/thread/store/memory";
import { verifyGraph } from "@hebra/thread/testing";
import { createStory, createThread, thread } from "./builder.ts";
import { getThreadEnv, registerThreadEnv } from "./env.ts";
import { configureRuntime, getThreadRuntime } from "./runtime.ts";
import { createScriptedReactor, type ScriptedReactorStep } from "./scripted-reactor.ts";
import { Thread } from "./thread.ts";
import { didToolExecute, extractToolCallsFromParts } from "./tool-calls.ts";
import type { StoredContext, ThreadItem } from "./types.ts";

type Env = { orgId: string };
const env: Env = { orgId: "acme" };
let store: ThreadStore;

beforeEach(() => {
  store = memoryStore();
  configureRuntime({ runtime: async (given: Env) => ({ store, tenant: given.orgId }) });
});
afterEach(() => store.close());

const trigger = (id: string, text = "hello"): ThreadItem => ({
  id,
  type: "input_text",
  channel: "web",
  createdAt: new Date().toISOString(),
  content: { parts: [{ type: "text", text }] },
});
const says = (text: string): ScriptedReactorStep => ({
  assistantEvent: { content: { parts: [{ type: "text", text }] } },
});
const calls = (name: string, input: object, id = "call-1"): ScriptedReactorStep => ({
  assistantEvent: { content: { parts: [{ type: `tool-${name}`, toolCallId: id, input }] } },
  toolCalls: [{ toolCallId: id, toolName: name, args: input }],
});
const base = (steps: ScriptedReactorStep[], repeatLast = false) =>
  createThread<Env>("support")
    .context((stored, given) => ({
      ...(stored.content ?? {}),
      orgId: given.orgId,
      turns: (stored.content?.turns ?? 0) + 1,
    }))
    .narrative((context) => `You serve ${context.content?.orgId}.`)
    .actions(() => ({}))
    .reactor(createScriptedReactor({ steps, repeatLast }));
const bundleOf = async (contextId: string) => {
  const bundle = (await store.export("acme", contextId))!;
  return {
    ...bundle,
    parts: bundle.parts.toSorted((a, b) => a.index - b.index),
    calls: bundle.calls.toSorted((a, b) => a.createdAt - b.createdAt || a.callId.localeCompare(b.callId)),
  };
};

describe("a thread of the old kind", () => {
  it("runs a turn to its end and returns what it always returned; the context is continued by key and by id", async () => {
    const support = base([says("Hi."), says("Again.")]).build();
    const first = await support.react(trigger("m-1"), { env, context: { key: "award_42" } });
    expect(first).toMatchObject({
      triggerEventId: "m-1",
      context: { id: first.contextId, key: "award_42", status: "open", content: { orgId: "acme", turns: 1 } },
    });
    expect(first.context.createdAt).toBeInstanceOf(Date);
    const second = await support.stream(trigger("m-2"), { env, context: { id: first.contextId } });
    expect(second.contextId).toBe(first.contextId);
    expect(second.context.content?.turns).toBe(2);
    const bundle = await bundleOf(first.contextId);
    expect(verifyGraph(bundle, { settled: true })).toEqual([]);
    expect(
      bundle.executions.map(({ id, triggerId, reactionItemId, status }) => [id, triggerId, reactionItemId, status]),
    ).toEqual([
      [first.executionId, "m-1", first.reactionEventId, "completed"],
      [second.executionId, "m-2", second.reactionEventId, "completed"],
    ]);
    const { store: old } = await getThreadRuntime(env);
    expect(
      (await old.getItems({ key: "award_42" })).map(({ id, type, content }) => [id, type, content.parts[0].text]),
    ).toEqual([
      ["m-1", "input_text", "hello"],
      [first.reactionEventId, "output_text", "Hi."],
      ["m-2", "input_text", "hello"],
      [second.reactionEventId, "output_text", "Again."],
    ]);
  });

  it("makes a new context for null, and takes the older convention with one object", async () => {
    const support = base([says("Hi.")], true).build();
    const first = await support.react({ env, triggerEvent: trigger("m-1"), contextIdentifier: null });
    const second = await support.react({ env, incomingEvent: trigger("m-1"), contextIdentifier: null });
    expect(second.contextId).not.toBe(first.contextId);
    const known = await support.react(trigger("m-1"), { env, context: { id: "never-seen" } });
    expect(known.context.key).toBe("never-seen");
    expect((await support.react(trigger("m-2"), { env, context: { id: "never-seen" } })).contextId).toBe(
      known.contextId,
    );
  });

  it("builds context, narrative and actions anew for each answer, calls its hooks in order, and ends by shouldContinue", async () => {
    const log: unknown[] = [];
    const story = createStory<Env>("phased")
      .initialize((stored, given) => ({ phase: (stored.content?.phase ?? 0) + 1, org: given.orgId }))
      .system((context) => `phase ${context.content?.phase}`)
      .tools(async (context) => ({
        look: {
          description: "Looks.",
          inputSchema: z.object({ at: z.string() }),
          execute: async ({ at }, options) => (
            log.push(["execute", at, options.triggerEventId, options.toolCallId, await getThreadEnv()]),
            { seen: at }
          ),
        },
        ...(context.content?.phase === 2 ? { complete: { inputSchema: z.object({}), execute: () => undefined } } : {}),
      }))
      .reactor(
        createScriptedReactor({
          steps: [
            (params) => (
              log.push(["ask", params.systemPrompt, Object.keys(params.actions), params.iteration]),
              calls("look", { at: "door" })
            ),
            (params) => (
              log.push(["ask", params.systemPrompt, Object.keys(params.toolsForModel), params.iteration]),
              calls("complete", {})
            ),
          ] as ScriptedReactorStep[],
        }),
      )
      .shouldContinue(({ reactionEvent, toolCalls, toolExecutionResults }) => {
        log.push([
          "continue",
          toolCalls.map(({ toolName }) => toolName),
          toolExecutionResults.map(({ success }) => success),
          extractToolCallsFromParts(reactionEvent.content.parts).length,
        ]);
        return !didToolExecute(reactionEvent, "complete");
      })
      .opts({
        onContextCreated: ({ context }) => void log.push(["created", context.content]),
        onContextUpdated: ({ context }) => void log.push(["updated", context.content?.phase]),
        onEventCreated: (event) => void log.push(["event", event.content.parts[0].type, event.content.parts[0].state]),
        onToolCallExecuted: ({ toolCall, success, output }) =>
          void log.push(["executed", toolCall.toolName, success, output]),
      });
    const result = await story.react(trigger("m-1"), { env, context: { key: "k" } });
    expect(log).toEqual([
      ["created", null],
      ["updated", 1],
      ["ask", "phase 1", ["look"], 0],
      ["event", "tool-look", "input-available"],
      ["execute", "door", "m-1", "call-1", env],
      ["executed", "look", true, { seen: "door" }],
      ["continue", ["look"], [true], 1],
      ["updated", 2],
      ["ask", "phase 2", ["look", "complete"], 1],
      ["event", "tool-complete", "input-available"],
      ["executed", "complete", true, null],
      ["continue", ["complete"], [true], 2],
    ]);
    expect(result.context.content).toEqual({ phase: 2, org: "acme" });
    const bundle = await bundleOf(result.contextId);
    expect(verifyGraph(bundle, { settled: true })).toEqual([]);
    expect(bundle.executions[0]!.status).toBe("completed");
    expect(bundle.parts.map(({ content }) => content)).toMatchObject([
      { name: "look", status: "succeeded" },
      { name: "complete", status: "succeeded" },
    ]);
    log.length = 0;
    await expect(story.react(trigger("m-2"), { env, context: { key: "k" } })).rejects.toMatchObject({
      code: "SCRIPT_EXHAUSTED",
    });
    expect(log).toEqual([["updated", 3]]);
  });

  it("without an action that ends it, goes on until its limit and fails; the thread stays usable", async () => {
    const endless = base([calls("look", {})], true).actions(() => ({
      look: { inputSchema: z.object({}), execute: () => "again" },
    }));
    await expect(
      endless.react(trigger("m-1"), { env, context: { key: "k" }, options: { maxIterations: 3 } }),
    ).rejects.toThrow("3 answers");
    const [execution] = (
      await bundleOf((await getThreadRuntime(env).then(({ store: old }) => old.getContext({ key: "k" })))!.id)
    ).executions;
    expect(execution).toMatchObject({ status: "failed", usage: { calls: 3 } });
    await expect(
      base([says("Fine.")])
        .build()
        .react(trigger("m-2"), { env, context: { key: "k" } }),
    ).resolves.toMatchObject({ triggerEventId: "m-2" });
  });

  it("ends at a limit of one by shouldContinue alone", async () => {
    const once = base([calls("look", {})])
      .actions(() => ({ look: { inputSchema: z.object({}), execute: () => "seen" } }))
      .shouldContinue(() => false);
    await expect(once.react(trigger("m-1"), { env, options: { maxIterations: 1 } })).resolves.toMatchObject({
      triggerEventId: "m-1",
    });
  });

  it("asks once more when onEnd says that it is not the end", async () => {
    const said: string[] = [];
    const support = base([says("One."), says("Two.")]).opts({
      onEnd: (event) => {
        said.push(event.content.parts[0].text);
        return { end: said.length === 2 };
      },
    });
    const result = await support.react(trigger("m-1"), { env });
    expect(said).toEqual(["One.", "Two."]);
    const bundle = await bundleOf(result.contextId);
    expect(bundle.parts.map(({ content }) => content)).toMatchObject([{ text: "One." }, { text: "Two." }]);
    expect(verifyGraph(bundle, { settled: true })).toEqual([]);
  });

  it("throws the very error of a callback, and what a tool throws is told to the model", async () => {
    const broken = new TypeError("narrative broke");
    const failing = base([says("x")]).narrative(() => {
      throw broken;
    });
    await expect(failing.react(trigger("m-1"), { env })).rejects.toBe(broken);
    const outcomes: unknown[] = [];
    const throwing = base([calls("look", {}), says("Sorry.")])
      .actions(() => ({ look: { inputSchema: z.object({}), execute: () => Promise.reject(new Error("no lamp")) } }))
      .opts({ onToolCallExecuted: ({ success, errorText }) => void outcomes.push([success, errorText]) });
    await throwing.react(trigger("m-1"), { env });
    expect(outcomes).toEqual([[false, "no lamp"]]);
  });

  it("waits for a person where a tool is not automatic", async () => {
    const asking = base([calls("pay", { sum: 5 }), says("Paid.")])
      .actions(() => ({
        pay: { inputSchema: z.object({ sum: z.number() }), execute: ({ sum }) => ({ paid: sum }), auto: false },
      }))
      .build();
    const running = asking.react(trigger("m-1"), { env, context: { key: "k" } });
    const runtime = await getThreadRuntime(env);
    const engine = runtime.engineOf(asking);
    let approvalId: string | undefined;
    while (approvalId === undefined) {
      await new Promise((resolve) => setImmediate(resolve));
      const found = await store.load("acme", { key: "k" });
      approvalId = found?.active?.approvals[0]?.id;
    }
    await engine.approve(approvalId, { tenant: "acme", input: { sum: 4 } });
    const { contextId } = await running;
    expect((await bundleOf(contextId)).calls).toMatchObject([{ status: "succeeded", output: { paid: 4 } }]);
  });

  it("is resumed by another process, with the environment that is registered there, of the same tenant", async () => {
    const seen: unknown[] = [];
    const make = (name: string) =>
      base([says("unused")])
        .actions(() => ({
          pay: {
            inputSchema: z.object({}),
            execute: async (_, { triggerEventId }) => (
              seen.push([name, triggerEventId, ((await getThreadEnv()) as Env).orgId]),
              "paid"
            ),
            auto: false,
          },
        }))
        .reactor(createScriptedReactor({ steps: name === "first" ? [calls("pay", {})] : [says("Done.")] }))
        .opts({ onToolCallExecuted: ({ output }) => void seen.push([name, output]) })
        .build();
    const first = make("first");
    const runtime = await getThreadRuntime(env);
    const running = first.react(trigger("m-1"), { env, context: { key: "k" } });
    while ((await store.load("acme", { key: "k" }))?.context.status !== "waiting")
      await new Promise((resolve) => setImmediate(resolve));
    const { active, context } = (await store.load("acme", { key: "k" }))!;
    const gone = expect(running).rejects.toMatchObject({ code: "CLOSED" });
    await runtime.engineOf(first).close();
    await gone;

    registerThreadEnv({ orgId: "acme", operator: "night" });
    const second = runtime.engineOf(make("second"));
    await second.approve(active!.approvals[0]!.id, { tenant: "acme" });
    expect((await (await second.follow(active!.execution.id, { tenant: "acme" })).result).status).toBe("completed");
    expect(seen).toEqual([
      ["second", "m-1", "acme"],
      ["second", "paid"],
    ]);
    expect(verifyGraph(await bundleOf(context.id), { settled: true })).toEqual([]);
  });

  it("is not resumed with the environment of another tenant", async () => {
    const first = base([calls("pay", {})])
      .actions(() => ({ pay: { inputSchema: z.object({}), execute: () => "paid", auto: false } }))
      .build();
    const runtime = await getThreadRuntime(env);
    const running = first.react(trigger("m-1"), { env, context: { key: "k" } });
    while ((await store.load("acme", { key: "k" }))?.context.status !== "waiting")
      await new Promise((resolve) => setImmediate(resolve));
    const gone = expect(running).rejects.toMatchObject({ code: "CLOSED" });
    await runtime.engineOf(first).close();
    await gone;
    registerThreadEnv({ orgId: "globex" });
    const second = runtime.engineOf(base([says("no")]).build());
    const { active } = (await store.load("acme", { key: "k" }))!;
    await second.approve(active!.approvals[0]!.id, { tenant: "acme" });
    expect(await (await second.follow(active!.execution.id, { tenant: "acme" })).result).toMatchObject({
      status: "failed",
      error: { code: "UNSUPPORTED" },
    });
  });

  it("runs calls under ids of their own when a script repeats them, and never one that a reactor has settled", async () => {
    let ran = 0;
    const twice = base([
      calls("look", {}),
      calls("look", {}),
      {
        assistantEvent: {
          content: {
            parts: [
              { type: "tool-search", toolCallId: "s", state: "output-available", input: {}, output: 1 },
              { type: "text", text: "ok" },
            ],
          },
        },
      },
    ]).actions(() => ({ look: { inputSchema: z.object({}), execute: () => ran++ } }));
    const { contextId } = await twice.react(trigger("m-1"), { env });
    expect(ran).toBe(2);
    expect(
      (await bundleOf(contextId)).calls.map(({ callId, name, status }) => [callId, name, status]).toSorted(),
    ).toEqual([
      ["call-1", "look", "succeeded"],
      ["call-1:1", "look", "succeeded"],
      ["s", "search", "succeeded"],
    ]);
  });

  it("lets expandEvents change what a reactor is shown", async () => {
    const shown: unknown[] = [];
    const custom = base([says("One."), says("Two.")]).expandEvents((events) => [
      ...events.slice(-1).map((event) => ({
        ...event,
        content: { parts: [{ type: "text", text: `(${event.content.parts[0].text})` }, ...events[0]!.content.parts] },
      })),
    ]);
    custom.reactor(async (params) => {
      shown.push(
        Object.getOwnPropertySymbols(params)
          .map((symbol) => (params as never)[symbol] as { transcript: { parts: unknown[] }[] })[0]!
          .transcript.map(({ parts }) => parts),
      );
      return {
        assistantEvent: {
          ...trigger("ignored"),
          type: "output_text",
          content: { parts: [{ type: "text", text: "x" }] },
        },
      };
    });
    await custom.react(trigger("m-1", "first"), { env, context: { key: "k" } });
    expect(shown).toEqual([
      [
        [
          { kind: "text", text: "(first)" },
          { kind: "text", text: "first" },
        ],
      ],
    ]);
  });

  it("takes the same trigger again as the same turn", async () => {
    const support = base([says("Once.")]).build();
    const [first, second] = await Promise.all(
      [1, 2].map(() => support.react(trigger("m-1"), { env, context: { key: "k" } })),
    );
    expect(second!.executionId).toBe(first!.executionId);
  });
});

describe("subclasses, configurations and what is missing", () => {
  it("works by subclassing, under the class's name", async () => {
    class Desk extends Thread<{ n: number }, Env> {
      protected initialize(context: StoredContext<{ n: number }>) {
        return { n: (context.content?.n ?? 0) + 1 };
      }
      protected buildSystemPrompt() {
        return "You are a desk.";
      }
      protected buildTools() {
        return {};
      }
      protected override getReactor() {
        return createScriptedReactor({ steps: [says("A desk.")] });
      }
    }
    const { contextId, context } = await new Desk().react(trigger("m-1"), { env });
    expect(context.content?.n).toBe(1);
    expect((await bundleOf(contextId)).executions[0]!.definition).toBe("Desk");
  });

  it("says what a builder misses, and what the store no longer does", async () => {
    expect(() =>
      createThread("x")
        .context(() => ({}))
        .build(),
    ).toThrow("narrative()");
    expect(() =>
      createThread("x")
        .context(() => ({}))
        .narrative(() => "")
        .register(),
    ).toThrow("actions()");
    const { store: old } = await getThreadRuntime(env);
    await expect((old as unknown as { saveItem(): Promise<void> }).saveItem()).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("engine.react") as string,
    });
    expect(await old.getContext({ key: "nobody" })).toBeNull();
    const promised = await old.getOrCreateContext({ key: "later" });
    const made = await thread({
      context: () => ({}),
      narrative: () => "",
      actions: () => ({}),
      reactor: createScriptedReactor({ steps: [says("x")] }),
    }).react(trigger("m"), { env, context: { key: "later" } });
    expect(made.contextId).toBe(promised.id);
    configureRuntime({ runtime: async () => ({ db: {} }) });
    await expect(getThreadRuntime(env)).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("legacyStore") as string,
    });
  });
});
