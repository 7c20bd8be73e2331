import type { SqlValue } from "./port.ts";

/** A query as `pg` takes it. */
export interface QueryConfig {
  text: string;
  values: SqlValue[];
  rowMode: "array";
  name?: string;
}

export interface Queryable {
  query(config: QueryConfig): Promise<{ rows: unknown[][] }>;
}

/** What the store needs of a client of `pg`. */
export interface PgClient extends Queryable {
  on(event: "notification", listener: (message: { channel: string; payload?: string | undefined }) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  removeListener(
    event: "notification",
    listener: (message: { channel: string; payload?: string | undefined }) => void,
  ): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
  release(destroy?: boolean | Error): void;
}

/** What the store needs of a pool of `pg`. */
export interface PgPool extends Queryable {
  connect(): Promise<PgClient>;
  end(): Promise<void>;
  on?(event: "error", listener: (error: Error) => void): unknown;
  on?(event: "acquire", listener: (client: PgClient) => void): unknown;
  removeListener?(event: "error", listener: (error: Error) => void): unknown;
  removeListener?(event: "acquire", listener: (client: PgClient) => void): unknown;
  readonly options?: { max?: number };
}
