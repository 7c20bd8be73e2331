import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "vitest";
import { defineCommand } from "./command.ts";
import { cut, oneLineAll, paint, render, table, widthOf } from "./paint.ts";
import { runCaptured } from "./testing.ts";

/** Text with everything that terminals act on, and with what looks like our own marks. */
const evil = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 6 }),
      fc.constantFrom(
        "\u001b[2J",
        "\u001b]0;x\u0007",
        "\u009b1m",
        "\u202e",
        "\u2066",
        "\n",
        "\r",
        "\ud800",
        "\ue0000:31\ue001",
      ),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(""));
const SAFE = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]*$/u;
// eslint-disable-next-line no-control-regex -- our own colours
const withoutColours = (text: string) => text.replaceAll(/\u001b\[(0|1|2|31|32|33|36)m/g, "");
const colour = fc.constantFrom("red", "bold", "dim" as const);

test("whatever a text of others holds, a terminal is sent nothing but text and our own colours [SE-7]", () => {
  fc.assert(
    fc.property(evil, evil, colour, fc.boolean(), (one, other, tone, on) => {
      const shown = render(`${oneLineAll(one)} ${paint(tone, oneLineAll(other))}`, on);
      assert.match(withoutColours(shown), SAFE);
      if (!on) assert.match(shown, SAFE);
      // The only escape sequences are the two of the one `paint`.
      assert.equal(shown.split("\u001b").length - 1, on && other !== "" ? 2 : 0);
    }),
    { seed: 7, numRuns: 2_000 },
  );
});

test("cells keep their rows and columns, whatever they hold [SE-7]", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(evil, evil), { minLength: 1, maxLength: 5 }), (rows) => {
      const lines = render(table([["a", ">b"], ...rows]), false).split("\n");
      assert.equal(lines.length, rows.length + 1);
      for (const line of lines) assert.match(line, SAFE);
    }),
    { seed: 7, numRuns: 500 },
  );
});

test("a cut line fits, with its colours closed", () => {
  fc.assert(
    fc.property(evil, colour, fc.integer({ min: 1, max: 30 }), (text, tone, columns) => {
      const line = cut(`${paint(tone, text)}${text}`, columns);
      assert.ok(widthOf(line) <= columns);
      const shown = render(line, true);
      // eslint-disable-next-line no-control-regex -- our own colours
      if (shown.includes("\u001b")) assert.ok(shown.lastIndexOf("\u001b[0m") > shown.search(/\u001b\[[1-9]/));
    }),
    { seed: 7, numRuns: 1_000 },
  );
});

test("names inside objects are escaped as well as values [SE-7]", () => {
  assert.deepEqual(oneLineAll({ "a\u001b": ["b\n", { c: 1, d: null, e: "\u202e" }] }), {
    "a\\u001b": ["b\\n", { c: 1, d: null, e: "\\u202e" }],
  });
});

test("a command that prints text of others, reports it or fails with it sends no control to the terminal [SE-7]", async () => {
  await fc.assert(
    fc.asyncProperty(evil, fc.constantFrom("print", "report", "json", "fail", "log", "note"), async (text, how) => {
      const program = {
        name: "tool",
        summary: "Speaks.",
        examples: [],
        commands: {
          say: defineCommand({
            summary: "Speaks.",
            options: { json: { help: "JSON" } },
            examples: [],
            async run({ output }) {
              if (how === "fail") throw new Error(text);
              if (how === "print") output.print(text);
              if (how === "log") output.log(`${JSON.stringify({ text })}\n`);
              if (how === "note") output.note(text);
              if (how === "json") output.json({ text });
              return { report: { text }, text: how === "report" ? text : "" };
            },
          }),
        },
      };
      const { out, err } = await runCaptured(program, ["say"], { terminal: true, colour: true });
      for (const line of `${out}${err}`.split("\n")) assert.match(line, SAFE);
      const json = await runCaptured(program, ["say", "--json"]);
      for (const line of `${json.out}${json.err}`.split("\n")) assert.match(line, SAFE);
    }),
    { seed: 7, numRuns: 600 },
  );
});
