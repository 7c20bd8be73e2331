import { columnsOf, conflictText, findShape, findValues, selectText, updateText, type Dialect } from "../sql/text.ts";
import type { DdlDialect } from "../sql/ddl.ts";
import type { Find, OpResult, Put, Set as SetOp } from "../verbs/op.ts";
import type { SqliteConnection, SqliteStatement } from "./driver.ts";

const dialect: Dialect = {
  placeholder: (n) => `?${n}`,
  oneOf: (column, n) => `${column} IN (SELECT value FROM json_each(?${n}))`,
  read: (column) => column,
  table: (name) => name,
  lock: "",
};

export const sqliteDdl: DdlDialect = { text: "TEXT", integer: "INTEGER", table: (name) => name, suffix: "" };

/** Ops on a connection, each through a statement that is prepared once. */
export interface SqliteOps {
  find(op: Find): OpResult;
  put(op: Put): void;
  set(op: SetOp): void;
}

export function createOps(database: SqliteConnection): SqliteOps {
  const prepared = new Map<string, SqliteStatement>();
  const cached = (shape: string, text: () => string): SqliteStatement => {
    let statement = prepared.get(shape);
    if (statement === undefined) prepared.set(shape, (statement = database.prepare(text())));
    return statement;
  };
  return {
    find: (op) => cached(findShape(op), () => selectText(op, dialect)).all(findValues(op)),
    put(op) {
      const { table, mode } = op;
      const statement = cached(`${mode}|${table.name}`, () => {
        const marks = table.columns.map((_, i) => `?${i + 1}`).join(", ");
        return `INSERT INTO ${table.name} (${columnsOf(table.columns.map((column) => column.field))}) VALUES (${marks})${conflictText(table, mode, dialect)}`;
      });
      for (const row of op.rows) statement.run(row);
    },
    set(op) {
      const fields = Object.keys(op.fields);
      const statement = cached(`set|${op.table.name}|${fields.join()}`, () => updateText(op.table, fields, dialect));
      statement.run([...fields.map((field) => op.fields[field]!), ...op.key]);
    },
  };
}
