import { HebraError } from "@hebra/core";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import * as z from "zod";
import { defineAction } from "../definition/define-action.ts";
import { action, scripted, setUp } from "../engine/engine.fixture.ts";
import type { EngineOptions } from "../engine/api.ts";
import { recordTelemetry } from "./telemetry.fixture.ts";

const told = recordTelemetry();
afterEach(() => told.reset());
afterAll(() => told.close());

/** A word of its own in every place that holds content, and a secret next to each. */
const places = [
  "instruction",
  "trigger",
  "answer",
  "reasoning",
  "input",
  "output",
  "failure",
  "refusal",
  "metadata",
  "state",
  "model",
  "file",
  "comment",
] as const;
const word = (place: (typeof places)[number]) => `zq-${place}-word`;
const secret = (place: (typeof places)[number]) => `Bearer s3cr3t-${place}-0123456789abcdef`;
const said = (place: (typeof places)[number]) => `${word(place)} ${secret(place)}`;

/** Two turns that say everything: one ends well after a person's word, the other fails in its model. */
async function sayEverything(telemetry: EngineOptions["telemetry"]) {
  const actions = {
    find: action(() => ({ order: said("output"), apiKey: "k-plain-4711", note: 7 })),
    fail: action(() => Promise.reject(new Error(said("failure")))),
    pay: action(() => 1, { approval: { reason: said("comment") } }),
    strict: defineAction({ description: "x", input: z.object({ n: z.literal(said("refusal")) }), execute: () => 1 }),
  };
  const definition = scripted(
    [
      {
        reasoning: said("reasoning"),
        text: said("answer"),
        actions: [
          { name: "find", input: { order: said("input"), password: "p-plain-4711" } },
          { name: "fail", input: {} },
          { name: "pay", input: {} },
          { name: "strict", input: { n: "other" } },
        ],
        usage: { inputTokens: 3, outputTokens: 4, costUsd: 0.1 },
      },
      (input) =>
        JSON.stringify(input.transcript).includes("Fail now")
          ? { error: new HebraError("REACTOR_FAILED", said("model")) }
          : { text: "Done." },
    ],
    { actions, instructions: said("instruction"), initialState: { last: said("state") } },
  );
  const { engine, address } = setUp(definition, { random: () => 0, ...(telemetry === undefined ? {} : { telemetry }) });
  const parts = [
    { kind: "text" as const, text: said("trigger") },
    {
      kind: "file" as const,
      mediaType: "image/png",
      url: `data:image/png;base64,${Buffer.from(said("file")).toString("base64")}`,
    },
  ];
  for (const id of ["m1", "m2"]) {
    const turn = await engine.react(
      definition,
      { id, parts: id === "m1" ? parts : [{ kind: "text", text: "Fail now." }], metadata: { who: said("metadata") } },
      { address },
    );
    const { approvals } = await turn.result;
    await engine.deny(approvals[0]!.id, { by: "ana", comment: said("comment") });
    await engine.idle();
  }
  await engine.close();
}

/** All that left the process. */
async function everything(): Promise<string> {
  const spans = told.spans().map(({ name, attributes, events, status, links, resource }) => ({
    name,
    attributes,
    events,
    status,
    links,
    resource: resource.attributes,
  }));
  return JSON.stringify([spans, await told.points()]);
}

describe("what is said", () => {
  it.each<[string, EngineOptions["telemetry"]]>([
    ["by default", undefined],
    ["with content off", { content: false }],
  ])("stays out of spans and metrics %s", async (_how, telemetry) => {
    await sayEverything(telemetry);
    const left = await everything();
    expect(told.named("execute_tool find")).toHaveLength(2);
    expect(
      told
        .shape()
        .filter(({ failed }) => failed !== undefined)
        .map(({ name, failed }) => `${name} ${failed}`),
    ).toEqual(
      expect.arrayContaining([
        "execute_tool fail ACTION_FAILED",
        "chat scripted REACTOR_FAILED",
        "invoke_agent test REACTOR_FAILED",
      ]),
    );
    expect(places.filter((place) => left.includes(word(place)))).toEqual([]);
    expect(left).not.toMatch(/s3cr3t|plain-4711|zq-/);
  });

  it("is on the spans where it was asked for, without its secrets", async () => {
    await sayEverything({ content: true });
    const left = await everything();
    // A value under a key that nobody has allowed is replaced; the state and metadata are shown to nobody.
    expect(places.filter((place) => left.includes(word(place)))).toEqual([
      "instruction",
      "trigger",
      "answer",
      "reasoning",
      "failure",
      "refusal",
      "model",
      "comment",
    ]);
    expect(left).not.toMatch(/s3cr3t|plain-4711/);
    expect(left).not.toContain(Buffer.from(said("file")).toString("base64").slice(0, 12));
    const metrics = JSON.stringify(await told.points());
    expect(metrics).not.toContain("zq-");
  });

  it("is on the spans in the form of the conventions", async () => {
    await sayEverything({ content: { allowKeys: ["order"] } });
    const [first, second] = told.named("chat scripted");
    const read = (value: unknown): unknown => JSON.parse(String(value));
    expect(read(first!.attributes["gen_ai.system_instructions"])).toEqual([
      { type: "text", content: "zq-instruction-word Bearer [redacted]" },
    ]);
    expect(read(first!.attributes["gen_ai.input.messages"])).toEqual([
      {
        role: "user",
        parts: [
          { type: "text", content: "zq-trigger-word Bearer [redacted]" },
          { type: "uri", mime_type: "image/png", modality: "image", uri: "data:image/png" },
        ],
      },
    ]);
    const call = {
      type: "tool_call",
      id: expect.any(String) as string,
      name: "find",
      arguments: { order: "zq-input-word Bearer [redacted]", password: "[redacted:string]" },
    };
    expect(read(first!.attributes["gen_ai.output.messages"])).toMatchObject([
      {
        role: "assistant",
        finish_reason: "actions",
        parts: [
          { type: "reasoning", content: "zq-reasoning-word Bearer [redacted]" },
          { type: "text", content: "zq-answer-word Bearer [redacted]" },
          call,
          { name: "fail" },
          { name: "pay" },
          { name: "strict" },
        ],
      },
    ]);
    const transcript = read(second!.attributes["gen_ai.input.messages"]) as {
      role: string;
      parts: { response: unknown }[];
    }[];
    expect(transcript.map(({ role }) => role)).toEqual(["user", "assistant", "tool"]);
    expect(transcript[2]!.parts[0]!.response).toEqual({
      order: "zq-output-word Bearer [redacted]",
      apiKey: "[redacted:string]",
      note: "[redacted:number]",
    });
    expect(transcript[2]!.parts[1]!.response).toBe("zq-failure-word Bearer [redacted]");
    const [find] = told.named("execute_tool find");
    expect(read(find!.attributes["gen_ai.tool.call.arguments"])).toEqual({
      order: "zq-input-word Bearer [redacted]",
      password: "[redacted:string]",
    });
    expect(read(find!.attributes["gen_ai.tool.call.result"])).toMatchObject({
      order: "zq-output-word Bearer [redacted]",
    });
    const [fail] = told.named("execute_tool fail");
    expect(fail!.events).toMatchObject([
      {
        name: "exception",
        attributes: { "exception.type": "ACTION_FAILED", "exception.message": "zq-failure-word Bearer [redacted]" },
      },
    ]);
  });

  it("leaves out the oldest messages of a long conversation", async () => {
    const definition = scripted([{ text: "ok" }]);
    const { engine, address } = setUp(definition, { telemetry: { content: true } });
    for (let n = 0; n < 20; n++)
      await (
        await engine.react(definition, { id: `m${n}`, text: `${n} ${"a ".repeat(5_000)}` }, { address })
      ).result;
    await engine.close();
    const last = String(told.named("chat scripted").at(-1)!.attributes["gen_ai.input.messages"]);
    const messages = JSON.parse(last) as { parts: { content: string }[] }[];
    expect(last.length).toBeLessThan(70_000);
    expect(messages.at(-1)!.parts[0]!.content.startsWith("19 ")).toBe(true);
    expect(messages.length).toBeGreaterThan(5);
  });

  it("is asked for in words that are checked", () => {
    expect(() => setUp(scripted([{ text: "x" }]), { telemetry: { contents: true } as never })).toThrow(/telemetry/);
    expect(() => setUp(scripted([{ text: "x" }]), { telemetry: { content: { allowKey: [] } as never } })).toThrow(
      /allowKeys/,
    );
  });
});
