/** What is used of a response. */
export interface ResponseLike {
  status: number;
  ok: boolean;
  json(): Promise<unknown>;
  /** Absent where the platform cannot stream, as in React Native. */
  body?: {
    getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>; cancel(): Promise<unknown> };
  } | null;
}

/** A `fetch`, as far as the client uses it: the platform's, or one of your own. */
export type FetchLike = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; signal?: unknown },
) => Promise<ResponseLike>;

/** Calls back after some milliseconds. @returns cancels it */
export type Timer = (ms: number, callback: () => void) => () => void;

interface Platform {
  fetch: FetchLike;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  requestAnimationFrame?: (callback: () => void) => number;
  cancelAnimationFrame?: (frame: number) => void;
  document?: { visibilityState?: string };
  AbortController: new () => { signal: unknown; abort(): void };
  TextDecoder: new () => { decode(bytes?: Uint8Array, options?: { stream: boolean }): string };
  crypto: { randomUUID(): string };
}

/** The globals of a browser, of Node.js or of React Native, without the types of any of them. */
export const platform = globalThis as unknown as Platform;

export const timer: Timer = (ms, callback) => {
  const handle = platform.setTimeout(callback, ms);
  return () => platform.clearTimeout(handle);
};

const FRAME_MS = 16;

/** Before the next picture; a page that is not seen draws none. */
export const nextFrame = (callback: () => void): void => {
  if (platform.requestAnimationFrame === undefined || platform.document?.visibilityState === "hidden")
    platform.setTimeout(callback, FRAME_MS);
  else platform.requestAnimationFrame(callback);
};
