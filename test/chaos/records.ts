/** A line of the event log that workers write, independent of bus and store. */
export interface LogLine {
  event: "start" | "end";
  /** One asking of the model: process and count. */
  attempt: string;
  nonce: string;
  pid: number;
  at: number;
}

/** Milliseconds since the epoch, finer than `Date.now`, the same for all processes of a host. */
export const now = (): number => performance.timeOrigin + performance.now();

/** `<phase>/<user>/<n>`: what a message says and its reply must repeat. */
export const nonceOf = (phase: string, user: number, n: number): string => `${phase}/${user}/${n}`;

/** When a process was not there: stopped, or dead from then on. */
export interface Absence {
  pid: number;
  from: number;
  to: number;
}

/** A reply as the channel got it. */
export interface Received {
  session: string;
  text: string;
  at: number;
}

/** What one phase did and found. */
export interface PhaseReport {
  phase: string;
  messages: number;
  orderViolations: number;
  overlaps: number;
  lost: number;
  doubleCommits: number;
  misdelivered: number;
  /** Replies that came again: at least once is what is promised. */
  repeatedReplies: number;
  /** Answers of workers that had been replaced, and were refused. */
  refusedAnswers: number;
  deadLetters: number;
  /** Milliseconds from publication to reply less the handler's own time. */
  p50: number;
  p95: number;
  p99: number;
  max: number;
  ms: number;
  note?: string;
}
