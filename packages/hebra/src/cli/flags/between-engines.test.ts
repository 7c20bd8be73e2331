import { silentLogger } from "@hebra/core";
import type { LegacyEngine } from "@hebra/thread/runtime";
import assert from "node:assert/strict";
import { test } from "vitest";
import { betweenEngines } from "./between-engines.ts";

const legacy: LegacyEngine = { answer: async () => ({ status: "ok", texts: [] }), withoutHandBack: true };
const flags = { key: "engine-v2", providers: [{ backend: "environment" }] };

const refusal = (given: object | undefined, engine: LegacyEngine | undefined, shared = false) =>
  betweenEngines(engine === undefined ? {} : { legacy: engine }, given, shared, silentLogger).then(
    () => "accepted",
    ({ code, message }: { code: string; message: string }) => `${code}: ${message}`,
  );

test("flags without an old engine, or the other way round, are refused before anything is served", async () => {
  assert.match(await refusal(flags, undefined), /^INVALID_OPTIONS: The configuration has `flags`, and the app/);
  assert.match(await refusal(undefined, legacy), /^INVALID_OPTIONS: The app exports `legacy`, and the configuration/);
});

test("processes that share a bus share who has a session, or do not start", async () => {
  assert.match(await refusal(flags, legacy, true), /^UNSUPPORTED: flags\.assignments/);
});

test("what is unknown in `flags` is refused with a suggestion, and a provider needs its store", async () => {
  assert.match(await refusal({ ...flags, provider: [] }, legacy), /^INVALID_OPTIONS: .*providers/s);
  const rollouts = { key: "engine-v2", providers: [{ backend: "rollouts" }] };
  assert.match(await refusal(rollouts, legacy), /`rollouts`/);
});

test("without flags and without an old engine there is nothing in between", async () => {
  assert.equal(await betweenEngines({}, undefined, true, silentLogger), undefined);
});

test("an old engine may be made when the process starts, and its router closes", async () => {
  const between = await betweenEngines({ legacy: async () => legacy }, flags, false, silentLogger);
  assert.equal(between?.parts.legacy, legacy);
  assert.equal(between?.parts.flag, "engine-v2");
  await between?.close();
});
