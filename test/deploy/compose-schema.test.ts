import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { composeFile, composeSchemaProblems, type ComposeService } from "./support/compose.ts";
import { spoiled } from "./support/files.ts";

const file = composeFile();
const change = (service: string, changes: object) =>
  spoiled(file, ({ services }) => void Object.assign(services[service] as ComposeService, changes));

test("the Compose file is what the specification's schema asks for", () => {
  assert.deepEqual(composeSchemaProblems(file), []);
});

describe("the schema finds", () => {
  test.each([
    ["a misspelled member", change("worker", { stop_grace: "150s" })],
    ["a command that is a number", change("worker", { command: 1 })],
    ["a grace period without a unit", change("gateway", { stop_grace_period: 150 })],
    ["a duration that is none", change("gateway", { healthcheck: { test: ["CMD", "true"], interval: "soon" } })],
    ["a condition that there is not", change("gateway", { depends_on: { migrations: { condition: "service_done" } } })],
    ["replicas in words", change("worker", { deploy: { replicas: "three" } })],
    ["replicas beside `deploy`", change("worker", { replicas: 3 })],
    ["a misspelled limit", change("worker", { deploy: { resources: { limits: { mem: "512M" } } } })],
    ["a published port that is none", change("gateway", { ports: ["eighty"] })],
    ["a secret that is a number", change("redis", { secrets: [1] })],
    ["a name with a capital", { ...file, name: "Hebra" }],
    ["a member of the file that there is not", { ...file, service: {} }],
  ])("%s", (_title, data) => {
    assert.notDeepEqual(composeSchemaProblems(data), []);
  });
});
