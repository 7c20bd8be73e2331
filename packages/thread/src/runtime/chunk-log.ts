/** Chunks of one turn, for readers that may come late. */
export interface ChunkLog {
  write(chunk: object): void;
  end(): void;
  readonly chunks: AsyncIterable<object>;
}

export function chunkLog(): ChunkLog {
  const log: object[] = [];
  let ended = false;
  let waiting: (() => void)[] = [];
  const wake = () => {
    const resume = waiting;
    waiting = [];
    for (const each of resume) each();
  };
  return {
    write(chunk) {
      if (ended) return;
      log.push(chunk);
      wake();
    },
    end() {
      ended = true;
      wake();
    },
    chunks: {
      async *[Symbol.asyncIterator]() {
        for (let at = 0; ; at++) {
          while (at >= log.length) {
            if (ended) return;
            await new Promise<void>((resolve) => waiting.push(resolve));
          }
          yield log[at]!;
        }
      },
    },
  };
}
