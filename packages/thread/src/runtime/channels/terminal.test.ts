import { PassThrough } from "node:stream";
import { HebraError } from "@hebra/core";
import { localBus, type Bus } from "@hebra/bus";
import { afterEach, describe, expect, it } from "vitest";
import { memoryStore } from "../../store/memory.ts";
import { createRuntime } from "../runtime.ts";
import { echoReactor, echoThread, gate } from "../runtime.fixture.ts";
import { lines } from "./terminal.fixture.ts";
import { terminalChannel } from "./terminal.ts";
import { printable, rowsOf } from "./terminal/text.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp(over: { bus?: Bus; reactor?: ReturnType<typeof echoReactor> } = {}) {
  const input = new PassThrough();
  const screen = lines();
  const terminal = terminalChannel({ input, output: screen.output });
  const runtime = createRuntime({
    threads: [echoThread(over.reactor)],
    store: memoryStore(),
    ...(over.bus === undefined ? {} : { bus: over.bus }),
  });
  closers.push(() => runtime.close());
  await runtime.gateway({ channels: [terminal] });
  return { input, screen, terminal, runtime };
}

describe("the terminal channel on a pipe", () => {
  it("answers line by line, and ends with its input once all is answered", async () => {
    const { input, screen, terminal } = await setUp();
    input.end("one\n\ntwo\nthree");
    expect(await terminal.ended).toBe("end");
    await terminal.answered();
    expect(screen.all).toEqual(["echo: one", "echo: two", "echo: three"]);
  });

  it("speaks in several conversations, and says which one an answer belongs to", async () => {
    const hold = gate();
    const { input, screen, terminal, runtime } = await setUp({
      reactor: echoReactor((said) => (said === "slow" ? hold.promise : undefined)),
    });
    input.write("slow\n/session work\nhello\n");
    await screen.until(() => screen.all.includes("echo: hello"));
    hold.open();
    input.end("/session\n/quit\nnever\n");
    await terminal.ended;
    await terminal.answered();
    expect(screen.all).toEqual(
      expect.arrayContaining(["This is the conversation work.", "echo: hello", "[main] echo: slow"]),
    );
    expect(screen.all.join()).not.toContain("never");
    expect((await runtime.engine.history({ key: "terminal:work" })).length).toBe(2);
    expect((await runtime.engine.history({ key: "terminal:main" })).length).toBe(2);
  });

  it("says what it does not know, and lets a text begin with a slash", async () => {
    const { input, screen, terminal } = await setUp();
    input.end("/sesion work\n/help\n//etc/hosts\n");
    await terminal.ended;
    await terminal.answered();
    expect(screen.all[0]).toMatch(/^There is no \/sesion work\. \/help/);
    expect(screen.all.at(-1)).toBe("echo: /etc/hosts");
    expect(screen.all.some((line) => line.startsWith("/session NAME"))).toBe(true);
  });

  it("shows control sequences of an answer escaped instead of obeying them [SE-7]", async () => {
    const { input, screen, terminal } = await setUp({ reactor: echoReactor() });
    input.end("\u001b[2J\u001b]0;title\u0007safe\u0008 words\n");
    await terminal.ended;
    await terminal.answered();
    expect(screen.all).toEqual(["echo: \\u001b[2J\\u001b]0;title\\u0007safe\\u0008 words"]);
  });

  it("keeps a line that the bus does not take, in its order, and says so; one that it never takes it lets go", async () => {
    const inner = localBus() as Bus;
    let away = 2;
    const bus: Bus = {
      ...inner,
      deadLetters: inner.deadLetters,
      publishInbound(...given) {
        if (JSON.stringify(given).includes("huge"))
          return Promise.reject(new HebraError("ENVELOPE_TOO_LARGE", "The message is too large."));
        return away-- > 0
          ? Promise.reject(new HebraError("UNREACHABLE", "Redis is away."))
          : inner.publishInbound(...given);
      },
    };
    const { input, screen, terminal } = await setUp({ bus });
    input.end("one\nhuge\ntwo\n");
    await terminal.ended;
    await terminal.answered();
    expect(screen.all.filter((line) => line.startsWith("echo"))).toEqual(["echo: one", "echo: two"]);
    expect(screen.all).toEqual(
      expect.arrayContaining([
        "It cannot be handed over yet and is tried again.",
        "Not taken: ENVELOPE_TOO_LARGE: The message is too large.",
      ]),
    );
  });
});

describe("what a terminal is given", () => {
  it("is words, line breaks and blanks; everything else is shown escaped [SE-7]", () => {
    expect(printable("a\u001b[31mred\tb\r\nc\u0000d\u009b1me\u202e")).toBe(
      "a\\u001b[31mred    b\nc\\u0000d\\u009b1me\\u202e",
    );
    expect(printable("¿Qué? 日本 👍")).toBe("¿Qué? 日本 👍");
  });

  it("is counted in rows as the screen has them", () => {
    expect(rowsOf("abcdef\n\ngh", 4)).toEqual(["abcd", "ef", "", "gh"]);
    expect(rowsOf("日本語x", 4)).toEqual(["日本", "語x"]);
    expect(rowsOf("e\u0301e\u0301e\u0301", 2)).toEqual(["e\u0301e\u0301", "e\u0301"]);
    expect(rowsOf("", 4)).toEqual([""]);
  });
});
