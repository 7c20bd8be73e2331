import { createManualClock } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { createDeprecation, type DeprecationStage } from "./deprecation.ts";

function setup() {
  const clock = createManualClock(Date.UTC(2026, 2, 20));
  let stage: DeprecationStage = "current";
  const old = createDeprecation({
    stage: () => stage,
    deprecatedAt: "2026-03-13",
    sunsetAt: "2026-03-28",
    successor: "https://api.example/v2",
    documentation: "https://docs.example/v1",
    caller: (request) => request.headers.get("x-client") ?? "unknown",
    pinned: (caller) => caller === "batch",
    maxCallers: 3,
    clock,
  });
  const handler = old.wrap(
    () => new Response("ok", { status: 201, headers: { link: '</self>; rel="self"', "x-own": "1" } }),
  );
  const call = (client: string, path = "/api/v1/predict") =>
    handler(new Request(`https://api.example${path}`, { headers: { "x-client": client } }));
  return { clock, old, call, set: (next: DeprecationStage) => void (stage = next) };
}

describe("headers of a deprecation", () => {
  const options = { stage: () => "deprecated" as const, deprecatedAt: "2026-03-13", sunsetAt: "2026-03-28" };
  const request = new Request("https://api.example/v1");

  it("are one valid item each, also where the endpoint had set them [FL-20]", async () => {
    const old = createDeprecation({ ...options, caller: () => "a" });
    const had = { deprecation: "true", sunset: "Thu, 01 Jan 2026 00:00:00 GMT" };
    const { headers } = await old.wrap(() => new Response("ok", { headers: had }))(request);
    expect(headers.get("deprecation")).toBe(`@${Date.parse("2026-03-13") / 1_000}`);
    expect(headers.get("sunset")).toBe("Sat, 28 Mar 2026 00:00:00 GMT");
  });

  it("refuse a sunset before the deprecation [FL-20]", () => {
    expect(() => createDeprecation({ ...options, sunsetAt: "2026-03-01", caller: () => "a" })).toThrow(/sunsetAt/);
  });

  it("are sent also when the host's `caller` throws, and the call is counted [FL-20]", async () => {
    const caller = () => {
      throw new Error("no header");
    };
    const old = createDeprecation({ ...options, caller });
    expect((await old.wrap(() => new Response("ok"))(request)).headers.get("sunset")).not.toBeNull();
    expect(old.usage().callers.map((one) => one.caller)).toEqual(["(unknown)"]);
  });
});

describe("the way out", () => {
  it("leaves current endpoints as they are, announces, then answers 410 as problem+json, and can be taken back", async () => {
    const { call, set } = setup();
    expect((await call("a")).headers.get("deprecation")).toBeNull();
    set("deprecated");
    const announced = await call("a");
    expect([announced.status, await announced.text(), announced.headers.get("x-own")]).toEqual([201, "ok", "1"]);
    expect(announced.headers.get("deprecation")).toBe(`@${Date.UTC(2026, 2, 13) / 1_000}`);
    expect(announced.headers.get("sunset")).toBe("Sat, 28 Mar 2026 00:00:00 GMT");
    expect(announced.headers.get("link")).toBe(
      '</self>; rel="self", <https://api.example/v2>; rel="successor-version", <https://docs.example/v1>; rel="deprecation"; type="text/html"',
    );
    set("gone");
    const refused = await call("a");
    expect([refused.status, refused.headers.get("content-type")]).toEqual([410, "application/problem+json"]);
    expect(await refused.json()).toMatchObject({ status: 410, title: "Gone", successor: "https://api.example/v2" });
    set("deprecated");
    expect((await call("a")).status).toBe(201);
  });

  it("reports use by caller, pinned ones apart, without growing for ever", async () => {
    const { clock, old, call, set } = setup();
    set("deprecated");
    for (let at = 0; at < 3; at++) await call("mobile");
    await call("batch", "/api/v1/segment");
    await clock.advance(5 * 3_600_000);
    const later = clock.now();
    set("gone");
    await call("mobile");
    await call("web");
    await call("fourth");
    await call("fifth");
    expect(old.usage()).toMatchObject({ calls: 8, unpinned: 7 });
    expect(old.usage().callers.map(({ caller, calls, refused }) => [caller, calls, refused])).toEqual([
      ["mobile", 4, 1],
      ["(others)", 2, 2],
      ["batch", 1, 0],
      ["web", 1, 1],
    ]);
    expect(old.usage().callers[0]!.endpoints).toEqual({ "GET /api/v1/predict": 4 });
    expect(old.usage(later)).toMatchObject({ calls: 4, unpinned: 4 });
  });
});
