import assert from "node:assert/strict";
import { errorCodes, HebraError, type ErrorCode } from "@hebra/core";
import { test } from "vitest";
import { defineCommand } from "./command.ts";
import { exitCodeOf, exitCodes, exitCodeTable } from "./exit-codes.ts";
import type { Program } from "./command.ts";
import { CommandError } from "./program.ts";
import { runCaptured } from "./testing.ts";

/** The table as it is promised: every code that is not internal, by exit code. */
const promised = {
  2: [
    "INVALID_OPTIONS",
    "PEER_MISSING",
    "UNSUPPORTED",
    "SCHEMA_NOT_APPLIED",
    "FLAG_NOT_FOUND",
    "PLAN_MISSING",

    "EVIDENCE_MISSING",
    "SOURCE_INVALID",
    "UNAUTHENTICATED",
  ],
  3: ["FORBIDDEN"],
  4: ["PLAN_DRIFT", "REVISION_CONFLICT", "ROLLOUT_CONFLICT"],
  5: ["VERIFY_MISMATCH", "DIGEST_MISMATCH", "EVIDENCE_TAMPERED"],
  6: ["ABORTED"],
  7: ["REJECTS_OVER_BUDGET"],
  8: ["UNREACHABLE", "TIMEOUT", "STORE_LOCKED"],
} as const satisfies Record<number, readonly ErrorCode[]>;

const failing = (error: unknown): Program => ({
  name: "tool",
  summary: "Fails.",
  examples: [],
  commands: {
    fail: defineCommand({
      summary: "Fails.",
      options: { json: { help: "JSON" } },
      examples: [["fail", "always"]],
      run: () => Promise.reject(error as Error),
    }),
  },
});

test.each(Object.keys(errorCodes) as ErrorCode[])("an error %s ends a command with its exit code", async (code) => {
  const exit = exitCodeOf(code);
  assert.ok(exitCodeTable.some(([known]) => known === exit && known !== 0));
  const { code: ended, err } = await runCaptured(failing(new HebraError(code, "It failed.")), ["fail"]);
  assert.deepEqual([ended, err], [exit, `${code}: It failed.\n`]);
  const json = await runCaptured(failing(new HebraError(code, "It failed.")), ["fail", "--json"]);
  assert.equal(json.code, exit);
  assert.deepEqual(JSON.parse(json.out), { ok: false, code, message: "It failed.", details: {} });
});

test("the exit codes are the promised ones", () => {
  for (const [exit, codes] of Object.entries(promised))
    for (const code of codes) assert.equal(exitCodeOf(code), Number(exit), code);
  assert.deepEqual(
    exitCodeTable.map(([code]) => code),
    Object.values(exitCodes),
  );
});

test("what may succeed later is never called wrong usage, and an unknown error is internal", async () => {
  // Another process may have the definition; for the one that runs the command it is a mistake of its app.
  const exception: ErrorCode = "DEFINITION_MISSING";
  for (const code of Object.keys(errorCodes) as ErrorCode[])
    if (errorCodes[code].retryable && code !== exception) assert.notEqual(exitCodeOf(code), exitCodes.usage, code);
  assert.equal((await runCaptured(failing(new TypeError("x is undefined")), ["fail"])).code, 1);
  assert.equal((await runCaptured(failing(undefined), ["fail"])).code, 1);
  assert.equal((await runCaptured(failing(new CommandError("ODD", "No.", 4)), ["fail"])).code, 4);
});
