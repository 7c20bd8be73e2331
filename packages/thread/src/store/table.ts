/** What a column can hold once encoded. Booleans are 0 and 1, documents are JSON text. */
export type Value = string | number | null;

/**
 * How a column is checked and kept: `id` an id or key, `text` other plain text, `int` a safe integer, `bool` 0 or 1,
 * `json` a document as JSON text. A question mark makes it nullable.
 */
export type Kind = "id" | "text" | "int" | "bool" | "json";
export type Spec = Kind | `${Kind}?`;

/** One column of a table. */
export interface Column {
  /** In the database: snake_case. */
  name: string;
  /** In a row: camelCase. */
  field: string;
  kind: Kind;
  nullable: boolean;
  /** Columns that a holder's whole-row write never touches once the row exists. */
  keep: boolean;
  /** The version of rows that brought it; a later one than 1 only for nullable columns. */
  since: number;
  /** Columns that only stores see; they stay out of rows and digests. */
  hidden: boolean;
  /** The only values it may have. */
  among: ReadonlySet<string> | undefined;
}

/** Restricts a way of access to some rows; a partial index in SQL. */
export type Only =
  | { field: string; in: readonly string[] }
  | { field: string; not: string }
  | { field: string; set: true };

/** A way to find rows: those equal in `by`, in the order of `order`. */
export interface Access {
  name: string;
  by: readonly string[];
  order: readonly string[];
  only: readonly Only[];
  unique: boolean;
  /** False when the primary key serves it. */
  index: boolean;
  /** The index's own name and columns, where they are not those of the access. */
  indexed?: { name: string; fields: readonly string[] };
  /** The schema version that brought it: its own, or that of the last of its columns. */
  since: number;
}

/** A way of access that a later version gave up: its index is made by old migrations and dropped by a later one. */
export interface Retired extends Access {
  /** The schema version that dropped it. */
  until: number;
}

/** One table: it drives definitions, reads, writes, row mapping and digests in every adapter. */
export interface Table<R> {
  name: string;
  columns: readonly Column[];
  /** At which place each field's column is. */
  places: ReadonlyMap<string, number>;
  /** Fields of the primary key; the tenant is always the first. */
  key: readonly string[];
  accesses: Readonly<Record<string, Access>>;
  /** Only for the migrations. */
  retired: readonly Retired[];
  /**
   * How full a new page gets, in percent, where a database asks: a changed row needs room beside its old version.
   */
  fill: { percent: number; since: number } | undefined;
  /** Rows of this table are replaced only while this field still has this value. */
  until: { field: string; is: string } | undefined;
  /** The schema version that brought it. */
  since: number;
  /** Never set: carries the row's type. */
  readonly row?: R;
}

interface Extras<R> {
  key: readonly (keyof R & string)[];
  accesses?: Record<string, Partial<Omit<Access, "name">>>;
  retired?: Record<string, Partial<Omit<Retired, "name">> & { until: number }>;
  fill?: { percent: number; since: number };
  among?: { [F in keyof R]?: Readonly<Record<string, unknown>> };
  keep?: readonly (keyof R & string)[];
  hidden?: readonly (keyof R & string)[];
  since?: { [F in keyof R]?: number };
  until?: { field: keyof R & string; is: string };
  /** @defaultValue 1 */
  born?: number;
}

/** Names that a database would rather not see. */
const renamed: Readonly<Record<string, string>> = { v: "schema_version", index: "position" };

/** The column that keeps a field. */
export function columnName(field: string): string {
  return renamed[field] ?? field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** For each version of rows, from 1 on, the schema version that brought it. Others changed only indexes. */
const SCHEMAS_OF_ROWS = [1];

/** The schema version that brought the columns of a version of rows. */
export function schemaOfRows(version: number): number {
  return SCHEMAS_OF_ROWS[version - 1]!;
}

const plain = (name: string, since: number): Access => ({
  name,
  by: [],
  order: [],
  only: [],
  unique: false,
  index: true,
  since,
});

/** Declares a table; the type of its rows says which columns there must be. */
export function table<R extends object>(
  name: string,
  specs: { [F in keyof R & string]: Spec },
  extras: Extras<R>,
): Table<R> {
  const keep = new Set<string>(extras.keep);
  const hidden = new Set<string>(extras.hidden);
  const born = extras.born ?? 1;
  const column = (field: string, spec: Spec): Column => {
    const among = (extras.among as Record<string, Readonly<Record<string, unknown>>> | undefined)?.[field];
    return {
      name: columnName(field),
      field,
      kind: spec.replace("?", "") as Kind,
      nullable: spec.endsWith("?"),
      keep: keep.has(field),
      since: (extras.since as Record<string, number> | undefined)?.[field] ?? born,
      hidden: hidden.has(field),
      among: among === undefined ? undefined : new Set(Object.keys(among)),
    };
  };
  const key = ["tenant", ...extras.key];
  const columns = [
    column("tenant", "id"),
    ...Object.entries(specs).map(([field, spec]) => column(field, spec as Spec)),
  ];
  const accesses: Record<string, Access> = {
    key: { name: "key", by: key, order: [], only: [], unique: true, index: false, since: born },
  };
  for (const [access, given] of Object.entries(extras.accesses ?? {})) {
    const made: Access = { ...plain(access, born), ...given };
    const fields = new Set([...made.by, ...made.order, ...made.only.map(({ field }) => field)]);
    accesses[access] = {
      ...made,
      since: Math.max(
        made.since,
        ...columns.filter(({ field }) => fields.has(field)).map(({ since }) => schemaOfRows(since)),
      ),
    };
  }
  return {
    name,
    columns,
    places: new Map(columns.map(({ field }, place) => [field, place])),
    key,
    accesses,
    retired: Object.entries(extras.retired ?? {}).map(([access, given]) => ({ ...plain(access, born), ...given })),
    fill: extras.fill,
    until: extras.until,
    since: born,
  };
}
