import type { Mode } from "@hebra/flags";
import type { ThreadEvent } from "@hebra/thread";
import colors from "picocolors";
import type { ConversationRow } from "./read-tables.ts";

const LEAST = 40;
const MOST = 110;
const REDRAW_MS = 40;
/** Milliseconds that the "model" takes for a piece of an answer, where somebody watches. */
const PACE_MS = 30;

/** The turns of one phase, while they run. */
export interface LiveTurns {
  /** Shows a turn as its events come; resolves with the last one. */
  stream(session: string, question: string, events: AsyncIterable<ThreadEvent>): Promise<void>;
  done(session: string, mode: Mode, question: string, answer: string): void;
  /** Leaves the lines as they are. */
  end(): void;
}

/** What the demo shows of itself. */
export function createScreen(write: (text: string) => void) {
  const terminal = process.stdout.isTTY === true;
  const badge = (mode: Mode) => (mode === "new" ? colors.green("new") : colors.dim("old"));
  const line = (text: string) => write(`  ${text}\n`);
  const room = () => Math.min(MOST, Math.max(LEAST, (process.stdout.columns ?? MOST) - 16));
  const cut = (text: string, columns: number) => (text.length > columns ? `${text.slice(0, columns - 1)}…` : text);
  /** A question and what there is of its answer, in one line. */
  const turnLine = (session: string, mode: Mode, question: string, answer: string, mark = "") => {
    const asked = cut(question, Math.ceil(room() / 2));
    return `${badge(mode)} ${session.padEnd(6)} ${asked} ${colors.dim("→")} ${cut(answer, room() - asked.length - 3)}${mark}`;
  };
  return {
    line,
    paceMs: terminal ? PACE_MS : 0,
    chapter: (title: string) => write(`\n${colors.bold(title)}\n`),
    progress(done: number, total: number) {
      if (!terminal) return;
      write(
        `\r  ${"█".repeat(Math.round((done / total) * 24)).padEnd(24, "░")} ${done}/${total}${done === total ? "\r\x1b[K" : ""}`,
      );
    },
    /**
     * One line for each conversation. On a terminal all of them grow at the same time; elsewhere a line comes when its
     * turn is over.
     */
    turns(sessions: readonly string[]): LiveTurns {
      const lines = new Map(sessions.map((session) => [session, ""]));
      let drawn = 0;
      let shown = 0;
      const draw = (now: boolean) => {
        if (!terminal || (!now && performance.now() - drawn < REDRAW_MS)) return;
        drawn = performance.now();
        const filled = [...lines.values()].filter((text) => text !== "");
        write(`${shown === 0 ? "" : `\x1b[${shown}A`}${filled.map((text) => `\r  ${text}\x1b[K\n`).join("")}`);
        shown = filled.length;
      };
      const set = (session: string, text: string, now = false) => {
        lines.set(session, text);
        draw(now);
      };
      return {
        async stream(session, question, events) {
          let [answer, pieces] = ["", 0];
          for await (const event of events) {
            if (event.type === "call-started")
              set(session, turnLine(session, "new", question, colors.cyan(`asks ${String(event.data["name"])} …`)));
            if (event.type !== "part-delta") continue;
            answer += String(event.data["delta"]);
            pieces++;
            set(session, turnLine(session, "new", question, answer, colors.green("▌")));
          }
          if (!terminal)
            line(colors.dim(`    ${session} streams its answer in ${pieces} ${pieces === 1 ? "piece" : "pieces"}`));
        },
        done(session, mode, question, answer) {
          const text = turnLine(session, mode, question, answer);
          if (terminal) set(session, text, true);
          else line(text);
        },
        end: () => draw(true),
      };
    },
    table(rows: readonly ConversationRow[], served: ReadonlyMap<string, Mode[]>) {
      const head = ["customer", "triggers", "reactions", "moved", "new", "steps", "parts", "calls", "served by"];
      const body = rows.map((row) =>
        [
          row.key,
          row.triggers,
          row.reactions,
          row.executionsMoved,
          row.executionsNew,
          row.steps,
          row.parts,
          row.calls,
          served
            .get(row.key)!
            .map((mode) => (mode === "new" ? "new" : "old"))
            .join(" "),
        ].map(String),
      );
      const widths = head.map((title, i) => Math.max(title.length, ...body.map((cells) => cells[i]!.length)));
      const print = (cells: readonly string[]) =>
        line(
          cells
            .map((cell, i) => (i === 0 || i === head.length - 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
            .join("  ")
            .trimEnd(),
        );
      print(head);
      for (const cells of body) print(cells);
    },
  };
}
