import { setTimeout as pause } from "node:timers/promises";
import type { Mode } from "@hebra/flags";
import type { ThreadEvent } from "@hebra/thread";
import colors from "picocolors";
import type { ConversationRow } from "./read-tables.ts";

const LINE = 74;
/** Milliseconds between two pieces of an answer that is shown as it comes. */
const TYPING_MS = 12;

/** What the demo shows of itself. */
export function createScreen(write: (text: string) => void) {
  const badge = (mode: Mode) => (mode === "new" ? colors.green("new") : colors.dim("old"));
  const line = (text: string) => write(`  ${text}\n`);
  const cut = (text: string) => (text.length > LINE ? `${text.slice(0, LINE - 1)}…` : text);
  return {
    line,
    chapter: (title: string) => write(`\n${colors.bold(title)}\n`),
    progress(done: number, total: number) {
      if (process.stdout.isTTY !== true) return;
      write(`\r  ${"█".repeat(Math.round((done / total) * 24)).padEnd(24, "░")} ${done}/${total}${done === total ? "\r\x1b[K" : ""}`);
    },
    turn: (session: string, mode: Mode, question: string, answer: string) => line(`${badge(mode)} ${session.padEnd(6)} ${cut(`${question} ${colors.dim("→")} ${answer}`)}`),
    /** Shows a turn while it streams. */
    async stream(session: string, events: AsyncIterable<ThreadEvent>): Promise<void> {
      const lines: string[] = [];
      for await (const event of events) {
        if (event.type === "call-started") lines.push(`${badge("new")} ${session.padEnd(6)} ${colors.cyan(`· ${String(event.data["name"])} …`)}`);
        if (event.type === "part-delta") lines.push(String(event.data["delta"]));
      }
      // Other conversations run meanwhile; this one is shown in one piece, at the pace of typing.
      let open = false;
      for (const piece of lines) {
        if (piece.startsWith(badge("new"))) line(piece);
        else {
          if (!open) write(`  ${badge("new")} ${session.padEnd(6)} ${colors.cyan("streams ")}`);
          open = true;
          write(piece);
          if (process.stdout.isTTY === true) await pause(TYPING_MS);
        }
      }
      if (open) write("\n");
    },
    table(rows: readonly ConversationRow[], served: ReadonlyMap<string, Mode[]>) {
      const head = ["customer", "triggers", "reactions", "moved", "new", "steps", "parts", "calls", "served by"];
      const body = rows.map((row) => [row.key, row.triggers, row.reactions, row.executionsMoved, row.executionsNew, row.steps, row.parts, row.calls, served.get(row.key)!.map((mode) => (mode === "new" ? "new" : "old")).join(" ")].map(String));
      const widths = head.map((title, i) => Math.max(title.length, ...body.map((cells) => cells[i]!.length)));
      const print = (cells: readonly string[]) => line(cells.map((cell, i) => (i === 0 || i === head.length - 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "));
      print(head);
      for (const cells of body) print(cells);
    },
  };
}
