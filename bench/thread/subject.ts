/** What runs turns and keeps threads. */
export interface Subject {
  /** One turn of a thread, to its end. */
  turn(thread: string, trigger: string, pairs: number): Promise<void>;
  /** Turns in the thread, as its history says; to see that the work was done. */
  turns(thread: string): Promise<number>;
  close(): Promise<void>;
}

/** How a subject is opened. */
export interface OpenOptions {
  /** The file, URL or connection string; of no meaning to those who keep nothing. */
  at: string;
  /** More than one process works on it. */
  shared?: boolean;
}

/** Where a subject keeps its threads. */
export type Home = "nowhere" | "sqlite" | "postgres" | "redis";

/** A subject by name. */
export interface Kind {
  home: Home;
  open(options: OpenOptions): Promise<Subject>;
}
