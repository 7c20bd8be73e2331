import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "vitest";
import { escapeControls } from "./escape-controls.ts";

test("controls, escape sequences and bidi controls are shown escaped [SE-7]", () => {
  assert.equal(escapeControls("\u001b[31mred\u001b[0m"), "\\u001b[31mred\\u001b[0m");
  assert.equal(escapeControls("\u001b]0;title\u0007\u009b1m\u007f"), "\\u001b]0;title\\u0007\\u009b1m\\u007f");
  assert.equal(escapeControls("a\u202eb\u2066c\u200f\u061c"), "a\\u202eb\\u2066c\\u200f\\u061c");
  assert.equal(escapeControls("one\ntwo\r\tthree\u2028"), "one\\ntwo\\r\\tthree\\u2028");
  assert.equal(escapeControls("half \ud800 a pair"), "half \\ud800 a pair");
});

test("text of all scripts and emoji is left alone", () => {
  for (const text of ["¿Qué? 日本語 עברית ไทย", "👩‍👩‍👧 🇪🇸 👍🏽", "C:\\new\\table", 'a "quoted" word'])
    assert.equal(escapeControls(text), text);
});

test("what a caller keeps is kept", () => assert.equal(escapeControls("a\n\u001bb", "\n"), "a\n\\u001bb"));

test("no text leaves a control or a bidi control, escaping again changes nothing, and JSON means the same [SE-7]", () => {
  const units = fc.oneof(
    { weight: 3, arbitrary: fc.string({ unit: "binary", maxLength: 8 }) },
    fc.constantFrom(
      "\u001b[2J",
      "\u001b]8;;http://x\u0007",
      "\u009d0;x\u009c",
      "\u202e",
      "\u2069",
      "\ud800",
      "\n",
      "\u00ad",
    ),
  );
  fc.assert(
    fc.property(fc.array(units, { maxLength: 12 }), (parts) => {
      const text = parts.join("");
      const escaped = escapeControls(text);
      assert.doesNotMatch(escaped, /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
      assert.equal(escapeControls(escaped), escaped);
      assert.deepEqual(JSON.parse(escapeControls(JSON.stringify({ text }))), JSON.parse(JSON.stringify({ text })));
    }),
    { seed: 7, numRuns: 2_000 },
  );
});
