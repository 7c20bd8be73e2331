import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { scriptedReactor } from "@hebra/reactor";
import { afterEach, describe, test } from "vitest";
import * as z from "zod";
import { defineAction } from "../definition/define-action.ts";
import { defineThread } from "../definition/define-thread.ts";
import { approvalTokens } from "../engine/approval-tokens.ts";
import { memoryStore } from "../store/memory.ts";
import { httpChannel } from "./channels/http.ts";
import { terminalChannel } from "./channels/terminal.ts";
import { createRuntime, type Runtime, type RuntimeOptions } from "./runtime.ts";
import { memoryChannel } from "./runtime.fixture.ts";
import type { PendingApproval } from "./pending-approval.ts";

const open: Runtime[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((runtime) => runtime.close()));
});

function make(over: Partial<RuntimeOptions> = {}): Runtime {
  const pay = defineAction({
    description: "Pays.",
    input: z.object({ amount: z.number() }),
    approval: true,
    execute: () => "paid",
  });
  const reactor = scriptedReactor({
    steps: [{ actions: [{ name: "pay", input: { amount: 10 } }] }, { text: "Finished." }],
    repeatLast: true,
  });
  const runtime = createRuntime({
    threads: [defineThread({ name: "till", reactor, actions: { pay } })],
    store: memoryStore(),
    ...over,
  });
  open.push(runtime);
  return runtime;
}

describe("a turn that waits for an approval", () => {
  test("tells whoever waits over HTTP that it waits, and by what it is decided [NC-1]", async () => {
    const tokens = approvalTokens({ secrets: ["a secret of at least 32 characters"] });
    const runtime = make({ approvalTokens: tokens });
    const web = httpChannel({ authorize: () => ({ chat: "ana" }) });
    await runtime.gateway({ channels: [web] });
    const stream = (await web.handler(new Request("http://host/chats/ana/events"))).body!.getReader();
    let seen = "";
    const until = async (text: string) => {
      while (!seen.includes(text)) seen += new TextDecoder().decode((await stream.read()).value);
    };
    const post = async (id: string) => {
      const response = await web.handler(
        new Request("http://host/messages?wait=20000", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ id, text: "Pay 10." }),
        }),
      );
      const body = (await response.json()) as { waiting: { executionId: string; approvals: PendingApproval[] } };
      return { ...body, status: response.status };
    };
    const first = await post("1");
    assert.equal(first.status, 202);
    const [approval, ...more] = first.waiting.approvals;
    assert.deepEqual([approval!.action, approval!.input, more], ["pay", { amount: 10 }, []]);
    await until("event: waiting");
    assert.match(seen, new RegExp(approval!.id));

    // What comes behind it waits as well, and for the same.
    const second = await post("2");
    assert.deepEqual([second.status, second.waiting.approvals[0]!.id], [202, approval!.id]);
    assert.equal(second.waiting.executionId, first.waiting.executionId);

    const { tenant, approvalId } = tokens.verify(approval!.token!);
    assert.equal(approvalId, approval!.id);
    await runtime.engine.approve(approvalId, { tenant, by: "the holder of the token" });
    await until('"inReplyTo":"1","text":"Finished."');
    assert.equal(seen.match(/event: waiting\ndata: \{"inReplyTo":"1"/g)!.length, 1, "it was told more than once");
    await stream.cancel();
  });

  test("hands out no token unless the runtime signs them, and says nothing on a channel that cannot [NC-1]", async () => {
    const runtime = make();
    const web = httpChannel({ authorize: () => ({ chat: "ana" }) });
    const memory = memoryChannel();
    await runtime.gateway({ channels: [web, memory] });
    const response = await web.handler(
      new Request("http://host/messages?wait=20000", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ id: "1", text: "Pay 10." }),
      }),
    );
    const { waiting } = (await response.json()) as { waiting: { approvals: PendingApproval[] } };
    assert.deepEqual(Object.keys(waiting.approvals[0]!).sort(), ["action", "id", "input"]);
    await memory.publish({ id: "1", chat: "7", text: "Pay 10." });
    const approval = async () => (await runtime.engine.context({ key: "memory:7" }).catch(() => undefined))?.id;
    while ((await approval()) === undefined || (await runtime.bus.stats()).inbound.depth > 0)
      await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(memory.replies, []);
    assert.equal((await runtime.bus.stats()).dead, 0);
  });

  test("tells a terminal, which decides it by its id [NC-1]", async () => {
    const runtime = make();
    const input = new PassThrough();
    const output = new PassThrough();
    let screen = "";
    output.on("data", (chunk: Buffer) => (screen += chunk.toString()));
    const terminal = terminalChannel({
      input,
      output,
      decide: async (id, decision, comment) => {
        await runtime.engine[decision](id, { comment });
      },
    });
    await runtime.gateway({ channels: [terminal] });
    const until = async (pattern: RegExp): Promise<RegExpExecArray> => {
      for (;;) {
        const found = pattern.exec(screen);
        if (found !== null) return found;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    input.write("Pay 10.\n");
    const [, id] = await until(/waits for approval: pay\(\{"amount":10\}\)[^\n]*\n\/approve (\S+), or \/deny/);
    input.write("/approve no-such-approval\n");
    await until(/Not decided: /);
    input.write(`/approve ${id!}\n`);
    await until(/Approved\.[^]*Finished\./);
    input.end();
    await terminal.answered();
  });
});
