const WIDTH = 30;
const REDRAW_MS = 100;

/** Shows how many are done: a line that is redrawn on a terminal, and nothing but its end elsewhere. */
export function progressBar(what: string, write: (text: string) => void, total?: number) {
  let done = 0;
  let drawn = 0;
  const line = () => {
    if (total === undefined) return `${done} ${what}`;
    const full = Math.round((done / total) * WIDTH);
    return `${"█".repeat(full)}${"░".repeat(WIDTH - full)} ${done}/${total} ${what}`;
  };
  return {
    tick() {
      done++;
      if (process.stdout.isTTY !== true || performance.now() - drawn < REDRAW_MS) return;
      drawn = performance.now();
      write(`\r${line()}`);
    },
    end: () => write(`${process.stdout.isTTY === true ? "\r" : ""}${line()}\n`),
  };
}
