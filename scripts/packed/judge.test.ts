import assert from "node:assert/strict";
import { test } from "vitest";
import type { PeerFactory } from "../../test/peer-factories.ts";
import { judgeFactory, judgeImport } from "./judge.ts";

const row: PeerFactory = { package: "@hebra/bus", subpath: "./redis", peer: "ioredis", factory: "redisBus", call: "" };

test("an import must succeed and have no default export", () => {
  assert.equal(judgeImport({ ok: true, value: ["redisBus"] }), undefined);
  assert.match(judgeImport({ ok: true, value: ["default"] })!, /default export/);
  assert.match(judgeImport({ ok: false, code: "ERR_MODULE_NOT_FOUND", message: "Cannot find package 'pg'" })!, /pg/);
  assert.match(judgeImport(undefined)!, /not tried/);
});

test("a factory must say PEER_MISSING and what to install", () => {
  const missing = {
    ok: false,
    code: "PEER_MISSING",
    message: `@hebra/bus/redis needs ioredis. Install it: npm install "ioredis@^6.0.0"`,
  } as const;
  assert.equal(judgeFactory(row, missing), undefined);
  assert.match(judgeFactory(row, { ok: true, value: null })!, /did not throw/);
  assert.match(judgeFactory(row, { ...missing, code: "ERR_MODULE_NOT_FOUND" })!, /ERR_MODULE_NOT_FOUND/);
  assert.match(judgeFactory(row, { ...missing, message: "ioredis is missing" })!, /what to install/);
});

test("a factory that never throws must answer with the code", () => {
  const answering: PeerFactory = { ...row, answers: true };
  assert.equal(judgeFactory(answering, { ok: true, value: { mode: "legacy", errorCode: "PEER_MISSING" } }), undefined);
  assert.match(judgeFactory(answering, { ok: true, value: { mode: "new" } })!, /it answered/);
  assert.match(judgeFactory(answering, { ok: true, value: null })!, /it answered null/);
});
