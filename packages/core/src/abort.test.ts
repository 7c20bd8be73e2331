import { getEventListeners } from "node:events";
import { describe, expect, test, vi } from "vitest";
import { anySignal, throwIfAborted } from "./abort.ts";

describe("anySignal", () => {
  test("aborts with the first source's reason and lets go of the others", () => {
    const [a, b] = [new AbortController(), new AbortController()];
    const signal = anySignal([undefined, a.signal, b.signal, a.signal]);
    const heard = vi.fn();
    signal.addEventListener("abort", heard);
    b.abort("stop");
    a.abort("late");
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toBe("stop");
    expect(heard).toHaveBeenCalledOnce();
    expect(getEventListeners(a.signal, "abort")).toHaveLength(0);
  });

  test("is aborted from the start when a source is", () => {
    const signal = anySignal([new AbortController().signal, AbortSignal.abort("early")]);
    expect([signal.aborted, signal.reason]).toEqual([true, "early"]);
  });

  test("never aborts without sources", () => {
    expect(anySignal([]).aborted).toBe(false);
    expect(anySignal([undefined]).aborted).toBe(false);
  });

  test("leaves nothing on a long-lived source once released", () => {
    const shutdown = new AbortController();
    for (let i = 0; i < 100; i++) anySignal([shutdown.signal]).release();
    expect(getEventListeners(shutdown.signal, "abort")).toHaveLength(0);
    const kept = anySignal([shutdown.signal]);
    kept.release();
    shutdown.abort();
    expect(kept.aborted).toBe(false);
  });
});

describe("throwIfAborted", () => {
  test("throws the reason as cause", () => {
    expect(() => throwIfAborted(undefined)).not.toThrow();
    expect(() => throwIfAborted(new AbortController().signal)).not.toThrow();
    expect(() => throwIfAborted(AbortSignal.abort("why"))).toThrow(
      expect.objectContaining({ code: "ABORTED", cause: "why" }),
    );
  });
});
