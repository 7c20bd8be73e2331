import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { createDesk, hostTools, playEngine, playStreamText } from "./play.fixture.ts";
import { plainAnswer, serve } from "./providers.fixture.ts";
import { present, recordings } from "./recordings.fixture.ts";
import { violations } from "./rules.fixture.ts";

describe.skipIf(!present)("every recorded answer, which needs ../shared/suites/provider-streams", () => {
  test.each(recordings().map((recording) => [`${recording.provider}: ${recording.name}`, recording] as const))(
    "%s: the same words, calls and number of model calls as with streamText [RE-3]",
    async (_, recording) => {
      const names = await hostTools(recording);
      const { result, next, ...played } = await playEngine(recording, names);
      assert.deepEqual(played, await playStreamText(recording, names));
      assert.equal(result.status, recording.name.includes("mcp-tool-approval") ? "waiting" : "completed");
      assert.deepEqual(
        violations(recording.provider, next, [...recording.events, ...plainAnswer[recording.provider]]),
        [],
      );
    },
  );

  test("a hosted tool search goes back as the item of its call and the item of its result [RE-3]", async () => {
    const recording = recordings().find(({ name }) => name === "openai-tool-search.1")!;
    const { next } = await playEngine(recording, await hostTools(recording));
    const referred = (next["input"] as Record<string, unknown>[])
      .filter(({ type }) => type === "item_reference")
      .map(({ id }) => String(id).split("_")[0]);
    assert.deepEqual(referred.slice(0, 2), ["tsc", "tso"]);
  });

  // As OpenAI runs it after an approval: the item names the question that was answered.
  const ran = (approvalId: string) =>
    JSON.stringify({
      type: "response.output_item.done",
      output_index: 0,
      item: {
        type: "mcp_call",
        id: "mcp_0a",
        status: "completed",
        approval_request_id: approvalId,
        name: "create_short_url",
        arguments: "{}",
        server_label: "zip1",
        output: "https://zip1.io/x",
      },
    });

  test.each([true, false])(
    "a remote MCP server's call waits for a person and is run or not: allowed %j",
    async (allowed) => {
      const recording = recordings().find(({ name }) => name === "openai-mcp-tool-approval.1")!;
      const approvalId = recording.events.join("").match(/"id":"(mcpr_[^"]+)"/)![1]!;
      const [created = "", ...words] = plainAnswer.openai;
      const { fetch, asked } = serve([
        recording,
        { events: allowed ? [created, ran(approvalId), ...words] : plainAnswer.openai },
        { events: plainAnswer.openai },
      ]);
      const { engine, say } = createDesk("openai", fetch, []);
      const turn = await say("m1", "Shorten this.");
      const { approvals, status } = await turn.result;
      assert.equal(status, "waiting");
      if (allowed) await engine.approve(approvals[0]!.id);
      else await engine.deny(approvals[0]!.id);
      await engine.idle();
      const result = await (await engine.follow(turn.executionId)).result;
      assert.deepEqual([result.status, result.text, asked.length], ["completed", "Done.", 2]);
      const [call] = result.parts.filter(({ kind }) => kind === "action");
      assert.equal(call?.kind === "action" && call.status, allowed ? "succeeded" : "failed");
      const answers = (asked[1]!["input"] as Record<string, unknown>[]).filter(
        ({ type }) => type === "mcp_approval_response",
      );
      assert.deepEqual(answers, [{ type: "mcp_approval_response", approval_request_id: approvalId, approve: allowed }]);
      await (
        await say("m2", "And now?")
      ).result;
      // It is answered once, and nothing of it stands in the way later.
      assert.doesNotMatch(JSON.stringify(asked[2]), /mcp_approval_response/);
      assert.deepEqual(
        violations("openai", asked[2]!, [...recording.events, ran(approvalId), ...plainAnswer.openai]),
        [],
      );
      await engine.close();
    },
  );
});
