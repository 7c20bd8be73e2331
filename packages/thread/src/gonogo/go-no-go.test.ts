import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { action, scripted } from "../engine/engine.fixture.ts";
import { createEngine } from "../engine/engine.ts";
import { memoryStore } from "../store/memory.ts";
import type { ContextBundle } from "../store/store.ts";
import type { GoNoGoHost } from "./host.ts";
import { httpChecks } from "./http-checks.ts";
import { runGoNoGo } from "./run-go-no-go.ts";

/** A host over memory, with spans that it claims to have; `spoil` changes the rows that it shows. */
function hostOf(over: Partial<GoNoGoHost> = {}, spoil: (bundle: ContextBundle) => void = () => {}): GoNoGoHost {
  const store = memoryStore();
  const definition = scripted([{ text: "Look.", actions: [{ name: "find", input: { n: 1 } }] }, { text: "Found." }], {
    actions: { find: action(() => ({ found: true })) },
  });
  const engine = createEngine({ store, threads: [definition] });
  const rows = async (session: string) => {
    const found = await store.load("default", { key: session });
    const bundle = found === undefined ? undefined : await store.export("default", found.context.id);
    if (bundle !== undefined) spoil(bundle);
    return bundle;
  };
  let contextId = "";
  const play = async (session: string, trigger: { id: string; text: string }) => {
    const turn = await engine.react(definition, trigger, { address: { key: session } });
    await turn.result;
    await engine.idle();
    contextId = turn.contextId;
    return { executionId: turn.executionId, contextId };
  };
  return {
    name: "memory",
    rows,
    react: play,
    withoutFlag: async () => ({ engine: "legacy", text: "Hello." }),
    async *oldHistories() {
      await play("old", { id: "m1", text: "Then." });
      yield { id: "old", expectedItems: 2, entries: await engine.history({ key: "old" }) };
    },
    async cutAndResume(session) {
      await play(session, { id: "m1", text: "Cut." });
      const bundle = (await rows(session))!;
      return { before: bundle, after: bundle };
    },
    async spans(executionId) {
      const { contextId } = (await store.execution("default", executionId))!.execution;
      return ["invoke_agent test", "chat m", "execute_tool find", "chat m"].map((name) => ({
        name,
        executionId,
        contextId,
        runId: "r",
        traceId: "t",
      }));
    },
    ...over,
  };
}

const failing = ({ verdict }: Awaited<ReturnType<typeof runGoNoGo>>) =>
  Object.entries(verdict).flatMap(([name, { ok }]) => (ok ? [] : [name]));

describe("runGoNoGo", () => {
  it("says go where everything holds, with a value for every bar", async () => {
    const report = await runGoNoGo({ host: hostOf() });
    expect(failing(report)).toEqual([]);
    expect(report).toMatchObject({
      host: "memory",
      ok: true,
      verdict: { "action-calls-merged": { value: 1, bound: 1, unit: "calls", ok: true } },
    });
    expect(report.phases.map(({ name, ok }) => [name, ok])).toEqual([
      ["functional", true],
      ["legacy", true],
      ["resume", true],
      ["traces", true],
    ]);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it.each<[string, string[], Partial<GoNoGoHost>, ((bundle: ContextBundle) => void)?]>([
    ["the rows cannot be read", ["new-session", "context"], { rows: undefined as never }],
    [
      "a result is not merged into its part",
      ["action-calls-merged", "broken-links"],
      {},
      ({ parts }) => parts.forEach(({ content }) => content.kind === "action" && delete content.status),
    ],
    [
      "the reaction is missing",
      ["reaction-item", "broken-links"],
      {},
      (bundle) => void (bundle.items = bundle.items.filter(({ kind }) => kind !== "reaction")),
    ],
    ["no trigger is on record", ["trigger"], {}, (bundle) => void (bundle.triggers = [])],
    ["no step is", ["steps", "broken-links"], {}, (bundle) => void (bundle.steps = [])],
    ["no part is", ["parts", "action-calls-merged", "broken-links"], {}, (bundle) => void (bundle.parts = [])],
    [
      "events tell of no execution",
      ["events-correlated"],
      {},
      ({ journal = [] }) => journal.forEach((event) => void (event.executionId = null)),
    ],
    [
      "the new engine serves without the flag",
      ["legacy-without-flag"],
      { withoutFlag: async () => ({ engine: "new", text: "x" }) },
    ],
    ["the old flow throws", ["legacy-without-flag"], { withoutFlag: () => Promise.reject(new Error("down")) }],
    [
      "an old conversation lacks items",
      ["old-histories-readable"],
      {
        oldHistories: async function* () {
          yield { id: "o", expectedItems: 3, entries: [] };
        },
      },
    ],
    ["spans name no run", ["spans-correlated"], { spans: async (executionId) => [{ name: "chat", executionId }] }],
    ["there are no spans", ["spans-correlated", "spans-complete", "resumed-traces"], { spans: async () => [] }],
    [
      "an answer of the model left no span",
      ["spans-complete"],
      { spans: async () => ["invoke_agent test", "chat m", "execute_tool find"].map((name) => ({ name })) },
    ],
    [
      "an action's call left no span",
      ["spans-complete"],
      { spans: async () => ["invoke_agent test", "chat m", "chat m", "execute_tool finder"].map((name) => ({ name })) },
    ],
    [
      "a resumed turn begins another trace",
      ["resumed-traces"],
      { spans: async (executionId) => ["1", "2"].map((traceId) => ({ name: "chat m", executionId, traceId })) },
    ],
    ["spans name no trace", ["resumed-traces"], { spans: async (executionId) => [{ name: "chat m", executionId }] }],
  ])("says no when %s", async (_what, expected, over, spoil) => {
    const found = failing(await runGoNoGo({ host: hostOf(over, spoil) }));
    for (const bar of expected) expect(found).toContain(bar);
  });

  it("says no when a resumed turn has lost a result", async () => {
    const host = hostOf();
    const { cutAndResume } = host;
    const report = await runGoNoGo({
      host: {
        ...host,
        async cutAndResume(session) {
          const { before, after } = await cutAndResume!(session);
          return { before, after: { ...after, calls: after.calls.map((call) => ({ ...call, output: null })) } };
        },
      },
    });
    expect(report.verdict["resume-losses"]).toMatchObject({
      value: 1,
      ok: false,
      note: expect.stringContaining("find") as string,
    });
  });

  it("says no when the session is not new", async () => {
    const host = hostOf();
    await host.react!("known", { id: "m1", text: "Before." });
    const report = await runGoNoGo({ host: { ...host, rows: () => host.rows!("known") } });
    expect(report.verdict["new-session"]).toMatchObject({ value: 0, ok: false });
  });

  it("does not pass what it could not measure", async () => {
    const report = await runGoNoGo({ host: { name: "nothing" } });
    expect(report.ok).toBe(false);
    expect(Object.values(report.verdict).every(({ value, ok }) => value === null && !ok)).toBe(true);
  });

  it("takes checks of the host's own, and refuses two of one name", async () => {
    const check = {
      bar: "own",
      phase: "own",
      unit: "things",
      relation: ">=" as const,
      bound: 2,
      measure: async () => ({ value: 1 }),
    };
    expect((await runGoNoGo({ host: { name: "x" }, standard: false, checks: [check] })).verdict).toEqual({
      own: { value: 1, bound: 2, unit: "things", ok: false },
    });
    await expect(runGoNoGo({ host: { name: "x" }, standard: false, checks: [check, check] })).rejects.toMatchObject({
      code: "INVALID_OPTIONS",
    });
    await expect(runGoNoGo({ host: { name: "x" }, standard: false })).rejects.toMatchObject({
      code: "INVALID_OPTIONS",
    });
  });
});

describe("httpChecks", () => {
  async function over(listener: RequestListener) {
    const server = createServer(listener).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      return await runGoNoGo({
        host: { name: "deployed" },
        standard: false,
        checks: httpChecks({
          url,
          read: "/health",
          write: "/go",
          timeoutMs: 2_000,
          headers: { authorization: "Bearer t" },
        }),
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it("read once and write one trigger", async () => {
    const seen: string[] = [];
    const report = await over((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        seen.push(`${request.method} ${request.url} ${request.headers.authorization} ${body}`);
        response.end("{}");
      });
    });
    expect(report.ok).toBe(true);
    expect(seen).toEqual(["GET /health Bearer t ", 'POST /go Bearer t {"id":"go-no-go","text":"Go or no go?"}']);
  });

  it("fail on anything but success", async () => {
    const report = await over((request, response) => {
      response.statusCode = request.method === "GET" ? 302 : 500;
      response.setHeader("location", "/elsewhere");
      response.end();
    });
    expect(report.verdict).toMatchObject({
      "read-endpoint": { ok: false, value: null },
      "write-trigger": { ok: false, note: "/go answered 500." },
    });
  });
});
