import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serveAdmin, type AdminServer } from "../admin/admin.fixture.ts";
import { bare, FLAG } from "../rollout/rollout-world.fixture.ts";
import type { Io } from "@hebra/cli-kit";
import { runLine } from "./cli.fixture.ts";

let admin: AdminServer;
beforeEach(async () => {
  admin = await serveAdmin();
  const { world } = admin;
  await world.start({ ...bare, steps: [{ percent: 10, observeMs: 600_000, minSessions: 20 }, { percent: 50 }] });
  const act = () => world.service.act(FLAG, { event: "advance", by: "ana", reason: "go" });
  await act();
  await world.traffic(2, 300);
  await act();
  await world.traffic(4, 300);
});
afterEach(() => admin.close());

/** Watches until `steps` are through: one between two looks, and the last one ends it. */
function watched(line: string, steps: readonly (() => unknown)[], more: Partial<Io> = {}) {
  const stop = new AbortController();
  const left = [...steps];
  return runLine(admin.url, line, "reader", {
    signal: stop.signal,
    async sleep() {
      await left.shift()?.();
      if (left.length === 0) stop.abort();
    },
    ...more,
  });
}

const screensOf = (out: string) => out.split("\u001b[H").slice(1);
const harm = () => admin.world.traffic(1, 300, { new: { failing: 0.5 } });

describe("watch on a terminal", () => {
  it("redraws on a screen of its own, and leaves what it saw last", async () => {
    const { code, out } = await watched(`watch ${FLAG} --every 1`, [harm, () => {}], { terminal: true });
    expect(code).toBe(0);
    expect(out.startsWith("\u001b[?1049h\u001b[?25l")).toBe(true);
    const [first, second] = screensOf(out.slice(0, out.indexOf("\u001b[?1049l")));
    expect(first).toMatch(/engine-v2 {3}canary\(0\)/);
    expect(first).toMatch(/✓ advance +→ canary\(1\) +by itself/);
    expect(first).toMatch(/· errors +ok +░+ +E \S+, pause at 80, roll back at 100; × \S+ of × 2/);
    expect(first).toMatch(/· persistence +no-data +0 executions verified/);
    expect(first).toMatch(/always: retreat → shadow, pause, rollback/);
    expect(second).toMatch(/✗ errors +breach rollback +█{12}/);
    expect(second).toMatch(/✗ advance +→ canary\(1\)[^\n]*\n +The guard errors says rollback/);
    expect(second).toMatch(/new +\d+ +\d+ \(\d/);
    const left = out.slice(out.indexOf("\u001b[?25h\u001b[?1049l"));
    expect(left).toMatch(/✗ errors +breach rollback/);
    expect(left).not.toContain("Ctrl-C");
  });

  it("fits the terminal, whatever its size, and colours what is loud", async () => {
    await harm();
    const { out } = await watched(`watch ${FLAG}`, [() => {}], {
      terminal: true,
      colour: true,
      size: () => ({ columns: 60, rows: 16 }),
    });
    const [screen] = screensOf(out.slice(0, out.indexOf("\u001b[?1049l")));
    // eslint-disable-next-line no-control-regex -- what a terminal does not show
    const lines = screen!.replace(/\u001b\[(\d+m|K|J)/g, "").split("\r\n");
    expect(lines.length).toBeLessThanOrEqual(16);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(60);
    expect(lines.at(-2)).toMatch(/… \d+ more lines: enlarge the terminal/);
    expect(out).toContain("\u001b[31m  ✗ errors");
  });

  it("says KILLED over everything else", async () => {
    await admin.call("ana", "POST", `/v1/flags/${FLAG}/kill`, { reason: "wrong prices" });
    expect((await watched(`watch ${FLAG}`, [() => {}], { terminal: true })).out).toMatch(
      /KILLED by ana at \S+: wrong prices/,
    );
    await admin.call("ana", "POST", `/v1/flags/${FLAG}/unkill`, { reason: "right" });
    await admin.call("ana", "POST", "/v1/flags/*/kill", { reason: "storm" });
    expect((await watched(`watch ${FLAG} --once`, [])).out).toMatch(/KILLED by ana at \S+: storm/);
  });

  it("shows the controls of a reason escaped on its screen [SE-7]", async () => {
    await admin.call("ana", "POST", `/v1/flags/${FLAG}/kill`, { reason: "\u001b]0;pwned\u0007\u202e" });
    const { out } = await watched(`watch ${FLAG}`, [() => {}], { terminal: true, colour: true });
    expect(out).toContain("\\u001b]0;pwned\\u0007\\u202e");
    // eslint-disable-next-line no-control-regex -- what the view itself sends to the terminal
    expect(out.replaceAll(/\u001b\[(\?1049[hl]|\?25[hl]|H|K|J|\d+m)|\r?\n/g, "")).not.toMatch(
      /[\p{Cc}\p{Bidi_Control}]/u,
    );
  });

  it("goes on asking while the admin is away, and shows what it knows until it is back", async () => {
    let away = false;
    const flaky: typeof fetch = (...given) => (away ? Promise.reject(new TypeError("fetch failed")) : fetch(...given));
    const steps = [() => void (away = true), () => void (away = false), () => {}];
    const { code, out } = await watched(`watch ${FLAG}`, steps, { terminal: true, fetch: flaky });
    expect(code).toBe(0);
    const [before, during, after] = screensOf(out.slice(0, out.indexOf("\u001b[?1049l")));
    expect(before).not.toContain("did not answer");
    expect(during).toMatch(/did not answer: fetch failed\. Asking again; what is below was seen at[\s\S]*canary\(0\)/);
    expect(after).not.toContain("did not answer");
  });
});

describe("watch elsewhere", () => {
  it("writes one view after another, or one JSON document a line", async () => {
    const plain = await watched(`watch ${FLAG}`, [harm, () => {}]);
    expect(plain.out).not.toContain("\u001b");
    expect(plain.out.match(/^engine-v2 /gm)).toHaveLength(2);
    const lines = (await watched(`watch ${FLAG} --json`, [harm, () => {}])).out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { phase: string; killed: null });
    expect(lines).toMatchObject([{ phase: "canary(0)", killed: null }, { phase: "canary(0)" }]);
    expect((await runLine(admin.url, `watch ${FLAG} --once --json`, "reader")).out.trim().split("\n")).toHaveLength(1);
  });

  it("ends at once when there is nothing to watch or nobody to ask", async () => {
    expect(await watched("watch absent", [() => {}])).toMatchObject({
      code: 2,
      err: expect.stringContaining("FLAG_NOT_FOUND") as string,
    });
    expect(await watched(`watch ${FLAG} --url http://127.0.0.1:2`, [() => {}])).toMatchObject({ code: 8 });
  });
});
