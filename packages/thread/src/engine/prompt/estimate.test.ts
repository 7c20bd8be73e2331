import assert from "node:assert/strict";
import { test } from "vitest";
import { estimateMessages, estimateTokens } from "./estimate.ts";

/** Tokens as counted by `o200k_base` and `cl100k_base` (gpt-tokenizer 4.0.0): the larger of the two. */
const counted: readonly [name: string, text: string, tokens: number][] = [
  [
    "German",
    "Die Lieferung verzögert sich leider, weil der Zoll zusätzliche Unterlagen für die Überprüfung verlangt; bitte schicken Sie uns die Rechnung. ".repeat(
      20,
    ),
    761,
  ],
  ["Chinese", "订单已经发货，预计三天后到达。如果您有任何问题，请随时联系客服。".repeat(30), 840],
  ["Japanese", "ご注文の商品は発送されました。到着まで三日ほどかかります。".repeat(30), 810],
  ["Russian", "Ваш заказ отправлен и прибудет через три дня. Пожалуйста, свяжитесь с нами.".repeat(30), 990],
  ["a table", "| a | b | c |\n|---|---|---|\n".repeat(100), 1_400],
  ["shouted words", "ERROR FATAL TIMEOUT RETRY QUEUE ".repeat(50), 451],
  [
    "a CSV file",
    Array.from(
      { length: 300 },
      (_, i) => `${i},ACME-${1000 + i},2026-11-${10 + (i % 20)},${(i * 13.37).toFixed(2)},EUR,open`,
    ).join("\n"),
    7_124,
  ],
];

for (const [name, text, tokens] of counted)
  test(`the estimate of ${name} is at least nine tenths and at most twice what tokenizers count [RE-9]`, () => {
    const estimated = estimateTokens(text);
    assert.ok(estimated >= tokens * 0.9, `${estimated} for ${tokens}`);
    assert.ok(estimated <= tokens * 2, `${estimated} for ${tokens}`);
  });

test("a message counts the words, inputs and results that a model is shown, and pictures by their number [RE-9]", () => {
  const of = (...parts: Parameters<typeof estimateMessages>[0][number]["parts"]) =>
    estimateMessages([{ id: "1", role: "assistant", parts }]);
  const long = "word ".repeat(1_000);
  const call = { kind: "action", callId: "c", name: "find", input: {}, status: "succeeded" } as const;
  assert.ok(of({ ...call, output: long }) > 1_000);
  assert.ok(of({ ...call, output: long, modelOutput: [{ type: "text", text: "short" }] }) < 100);
  const picture = {
    kind: "file",
    mediaType: "image/png",
    url: `data:image/png;base64,${"A".repeat(100_000)}`,
  } as const;
  assert.equal(of(picture, picture) - of(picture), of(picture) - of());
  assert.ok(of(picture) < 3_000);
});
