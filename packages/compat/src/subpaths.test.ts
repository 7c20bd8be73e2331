import assert from "node:assert/strict";
import { test } from "vitest";
import { HebraError } from "@hebra/core";
import * as codex from "./codex.ts";
import * as root from "./index.ts";
import * as instant from "./instant.ts";
import * as mcp from "./mcp.ts";
import * as oidc from "./oidc.ts";
import * as react from "./react.ts";
import * as reactor from "./reactor.ts";
import * as runtime from "./runtime.ts";
import * as schema from "./schema.ts";

const { InstantStore, ...documents } = instant;
const away = {
  ...documents,
  InstantStore: () => new InstantStore({ db: {} }),
  ...mcp,
  ...oidc,
  ...react,
  createCodexThreadBuilder: codex.createCodexThreadBuilder,
  threadDomain: () => schema.threadDomain["context_contexts"],
};

test.each(Object.entries(away))("%s is imported, and names what replaces it when it is used", (name, use) => {
  assert.throws(
    () => use(),
    (error) =>
      HebraError.isInstance(error) &&
      error.code === "UNSUPPORTED" &&
      error.message.includes(name) &&
      error.message.length > 80,
  );
});

test("a subpath and the root give the same names", () => {
  for (const subpath of [codex, react, reactor, schema])
    for (const [name, value] of Object.entries(subpath))
      assert.equal((root as Record<string, unknown>)[name], value, name);
  assert.deepEqual(Object.keys(runtime).sort(), [
    "configureRuntime",
    "getThreadEnv",
    "getThreadRuntime",
    "registerThreadEnv",
  ]);
});
