import { createManualClock } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { createComparator } from "./comparator.ts";
import { createNoiseModel } from "./noise.ts";
import { recordingPort } from "./ports.ts";
import { createShadowRunner } from "./runner.ts";

const forever = () => new Promise<never>(() => {});

describe("the shadow runner", () => {
  const turn = (next: (signal: AbortSignal) => unknown, more: object = {}) => ({
    flag: "f",
    session: "s",
    answer: { text: "hi", n: 1 } as unknown,
    next,
    ...more,
  });

  it("counts equal, different, failed and timed-out runs, and keeps sanitised examples", async () => {
    const clock = createManualClock();
    const reported: object[] = [];
    const shadow = createShadowRunner({
      clock,
      timeoutMs: 100,
      collector: { compared: (_, counts) => void reported.push(counts) },
    });
    shadow.submit(turn(() => ({ n: 1, text: "hi" })));
    shadow.submit(turn(() => ({ n: 2, text: "hi", apiKey: "k-1" })));
    shadow.submit(turn(() => Promise.reject(new Error("no"))));
    shadow.submit(
      turn(() => {
        throw new Error("at once");
      }),
    );
    shadow.submit(turn(forever));
    await clock.advance(200);
    await shadow.idle();
    expect(shadow.counts()).toMatchObject({
      compared: 2,
      equal: 1,
      mismatched: 1,
      onlyNewFailed: 2,
      timedOut: 1,
      dropped: 0,
    });
    expect(reported).toHaveLength(5);
    const [mismatch] = shadow.mismatches().filter((one) => one.kind === "mismatched");
    expect(mismatch!.differences.map(({ path, kind }) => [path, kind])).toEqual([
      ["n", "different"],
      ["apiKey", "extra"],
    ]);
    expect(JSON.stringify(shadow.mismatches())).not.toContain("k-1");
    await shadow.close();
    expect(clock.pending()).toBe(0);
  });

  it("bounds its queue and its concurrency, and drops what does not fit", async () => {
    const clock = createManualClock();
    let [running, most] = [0, 0];
    const shadow = createShadowRunner({ clock, maxInFlight: 2, maxQueued: 5, timeoutMs: 1_000 });
    const slow = async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => void clock.after(10, resolve));
      running--;
      return { text: "hi", n: 1 };
    };
    const taken = Array.from({ length: 9 }, () => shadow.submit(turn(slow)));
    expect(taken.filter(Boolean)).toHaveLength(5);
    await clock.advance(100);
    await shadow.idle();
    expect(most).toBe(2);
    expect(shadow.counts()).toMatchObject({ equal: 5, dropped: 4 });
    await shadow.close();
  });

  it("never throws into the caller: not from clone, comparator, collector or the error channel", async () => {
    const errors: unknown[] = [];
    const broken = createShadowRunner({
      comparator: {
        compare: () => {
          throw new Error("comparator");
        },
      },
      collector: {
        compared: () => {
          throw new Error("collector");
        },
      },
      onError: (error) => {
        errors.push((error as Error).message);
        throw new Error("the error channel too");
      },
    });
    expect(broken.submit(turn(() => 1, { answer: { f: () => 1 } }))).toBe(false);
    broken.submit(turn(() => 1));
    broken.submit(turn(() => Promise.reject(new Error("x"))));
    await broken.idle();
    expect(errors).toHaveLength(3);
    expect(errors).toEqual(expect.arrayContaining(["comparator", "collector"]));
    await broken.close();
    expect(broken.submit(turn(() => 1))).toBe(false);
  });

  it("compares what was answered, not what its owner made of it later", async () => {
    const shadow = createShadowRunner();
    const answer = { text: "hi", n: 1 };
    shadow.submit(turn(() => ({ text: "hi", n: 1 }), { answer }));
    answer.n = 99;
    await shadow.idle();
    expect(shadow.counts().equal).toBe(1);
    await shadow.close();
  });

  it("does not count a field that the old engine does not reproduce itself, until the new one differs more often", async () => {
    let id = 0;
    const shadow = createShadowRunner({ aaPercent: 100, aaLeast: 20 });
    const answer = () => ({ text: "hi", requestId: ++id });
    for (let at = 0; at < 50; at++)
      shadow.submit({ flag: "f", session: "s", answer: answer(), next: () => answer(), again: () => answer() });
    await shadow.idle();
    expect(shadow.counts()).toMatchObject({ compared: 50, equal: 50 });
    shadow.submit({ flag: "f", session: "s", answer: answer(), next: () => ({ ...answer(), text: "ho" }) });
    await shadow.idle();
    expect(shadow.counts().mismatched).toBe(1);
    expect(shadow.fields().map(({ path, beyondNoise }) => [path, beyondNoise])).toEqual([
      ["requestId", false],
      ["text", true],
    ]);
    await shadow.close();
  });

  it("does not run while the new engine is off in this process", () => {
    const shadow = createShadowRunner({ disabled: () => true });
    expect(shadow.submit(turn(() => 1))).toBe(false);
  });
});

describe("the noise model", () => {
  it("finds a field whose difference exceeds the old engine's own", () => {
    const model = createNoiseModel();
    const differs = [{ path: "score", kind: "different" as const }];
    for (let at = 0; at < 1_000; at++) {
      model.calibrate(at % 10 === 0 ? differs : []);
      model.observe(at % 10 === 0 ? differs : []);
    }
    expect(model.explained(differs)).toBe(true);
    for (let at = 0; at < 400; at++) model.observe(differs);
    expect(model.explained(differs)).toBe(false);
  });
});

describe("the comparator", () => {
  it("applies exact, tolerance, set and dated exceptions field by field", () => {
    const comparator = createComparator({
      now: () => Date.parse("2026-03-01"),
      fields: {
        price: { kind: "tolerance", relative: 0.05 },
        "items.*.weight": { kind: "tolerance", absolute: 1 },
        tags: { kind: "set" },
        "meta.**": { kind: "ignore", id: "X-1", owner: "ana", expires: "2026-04-01" },
        stamp: { kind: "ignore", id: "X-2", owner: "bo", expires: "2026-02-01" },
      },
    });
    const base = { price: 100, items: [{ weight: 5 }], tags: ["a", "b"], meta: { at: 1, deep: { id: "x" } }, stamp: 1 };
    expect(
      comparator.compare(base, { ...base, price: 104, items: [{ weight: 5.9 }], tags: ["b", "a"], meta: {} }),
    ).toMatchObject({ equal: true, ignored: ["X-1"] });
    const found = comparator.compare(base, {
      ...base,
      price: 106,
      items: [{ weight: 7 }, { weight: 1 }],
      tags: ["a"],
      stamp: 2,
    });
    expect(found.differences.map(({ path, kind }) => [path, kind])).toEqual([
      ["price", "different"],
      ["items[*].weight", "different"],
      ["items[*]", "extra"],
      ["tags", "different"],
      ["stamp", "different"],
    ]);
    expect(() =>
      createComparator({ fields: { a: { kind: "ignore", id: "", owner: "x", expires: "2026-01-01" } } }),
    ).toThrow(/needs an id, an owner/);
  });
});

describe("side-effect ports", () => {
  it("let nothing through but declared reads, and record everything else", async () => {
    const written: string[] = [];
    const real = {
      limits: { max: 3 },
      read: (key: string) => `value of ${key}`,
      write: async (key: string) => void written.push(key),
      remove: (key: string) => void written.push(`-${key}`),
      helper() {
        return this.remove("through a helper");
      },
    };
    const { port, effects } = recordingPort("store", real, { read: "read", write: { answer: null } });
    expect(port.read("a")).toBe("value of a");
    expect(await port.write("a")).toBeNull();
    expect(() => port.remove("a")).toThrow(/not declared for shadow runs/);
    expect(() => port.helper()).toThrow(/not declared/);
    port.limits = { max: 9 };
    delete (port as Partial<typeof port>).read;
    expect(() => ((port.limits as { max: number }).max = 9)).toThrow();
    expect(real).toMatchObject({ limits: { max: 3 }, read: expect.any(Function) as unknown });
    expect(written).toEqual([]);
    expect(effects.map(({ method }) => method)).toEqual(["write", "remove", "helper", "set limits", "delete read"]);
  });
});

describe("what a shadow run leaves behind", () => {
  it("is free of secrets also where its engine failed with some [FL-11]", async () => {
    const clock = createManualClock();
    const shadow = createShadowRunner({ clock, timeoutMs: 100 });
    const next = () => Promise.reject(new Error("401 for ada@example.com with password=hunter2 and sk-ant-REDACTED"));
    shadow.submit({ flag: "f", session: "s", answer: {}, next });
    await clock.advance(200);
    await shadow.idle();
    const kept = JSON.stringify(shadow.mismatches());
    expect(kept).toContain("401");
    for (const secret of ["ada@example.com", "hunter2", "abcdefghijklmnop"]) expect(kept).not.toContain(secret);
  });

  it("is nothing in the world: methods named by symbols are blocked too [FL-20]", async () => {
    const written: string[] = [];
    const dispose = Symbol("dispose");
    const real = { [dispose]: () => void written.push("disposed"), read: () => 1 };
    const { port, effects } = recordingPort("store", real, { read: "read" });
    expect(() => port[dispose]()).toThrow(/not declared/);
    expect([written, effects.map((one) => one.method), port.read()]).toEqual([[], ["Symbol(dispose)"], 1]);
  });
});
