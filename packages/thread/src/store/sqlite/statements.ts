import {
  accessOf,
  columnsOf,
  conflictText,
  findShape,
  findValues,
  selectText,
  updateText,
  whenShape,
  whenText,
  whenValues,
  type Dialect,
} from "../sql/text.ts";
import type { DdlDialect } from "../sql/ddl.ts";
import type { Table } from "../table.ts";
import type { Drop, Put, Rows, Update } from "../verbs/op.ts";
import type { SyncTables } from "../verbs/resolve.ts";
import type { SqliteConnection, SqliteStatement } from "./driver.ts";

const dialect: Dialect = {
  placeholder: (n) => `?${n}`,
  oneOf: (column, n) => `${column} IN (SELECT value FROM json_each(?${n}))`,
  read: (column) => column,
  table: (name) => name,
  greatest: "max",
  lock: "",
};

export const sqliteDdl: DdlDialect = {
  text: "TEXT",
  integer: "INTEGER",
  table: (name) => name,
  index: (name) => `"${name}"`,
  suffix: "",
};

/** Ops on a connection, each through a statement that is prepared once. */
export function createOps(database: SqliteConnection): SyncTables {
  const prepared = new Map<Table<object>, Map<string, SqliteStatement>>();
  const cached = (table: Table<object>, shape: string, text: () => string): SqliteStatement => {
    let own = prepared.get(table);
    if (own === undefined) prepared.set(table, (own = new Map()));
    let statement = own.get(shape);
    if (statement === undefined) own.set(shape, (statement = database.prepare(text())));
    return statement;
  };
  const put = ({ table, mode, rows }: Put) => {
    const statement = cached(table, mode, () => {
      const marks = table.columns.map((_, i) => `?${i + 1}`).join(", ");
      return `INSERT INTO ${table.name} (${columnsOf(table.columns.map((column) => column.field))}) VALUES (${marks})${conflictText(table, mode, dialect)}`;
    });
    for (const row of rows) statement.run(row);
  };
  const update = ({ table, key, anyOf, fields }: Update) => {
    const names = Object.keys(fields);
    const statement = cached(table, `set|${names.join()}`, () => updateText(table, names, dialect));
    const values = Object.values(fields);
    if (anyOf === undefined) statement.run([...values, ...key]);
    else for (const last of anyOf) statement.run([...values, ...key, last]);
  };
  const remove = ({ table, rows }: Drop) => {
    const statement = cached(table, "drop", () => {
      const key = table.key.map((field, i) => `${columnsOf([field])} = ?${i + 1}`).join(" AND ");
      return `DELETE FROM ${table.name} WHERE ${key}`;
    });
    for (const row of rows) statement.run(table.key.map((field) => row[table.places.get(field)!]!));
  };
  return {
    find(find) {
      const statement = cached(find.table, findShape(find), () => selectText(find, dialect));
      const values = findValues(find);
      const { unique, order } = accessOf(find);
      if (!unique || order.length > 0 || find.anyOf !== undefined) return statement.all(values);
      const row = statement.one(values);
      return row === undefined ? [] : [row];
    },
    write({ when, puts, sets, drops = [] }) {
      let written: Rows = [];
      if (when !== undefined) {
        const row = cached(when.table, `when|${whenShape(when)}`, () => whenText(when, dialect)).one(whenValues(when));
        if (row === undefined) return [];
        written = [row];
      }
      for (const one of puts) put(one);
      for (const one of sets) update(one);
      for (const one of drops) remove(one);
      return written;
    },
  };
}
