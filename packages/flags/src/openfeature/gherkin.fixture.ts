/** One scenario with its examples filled in and its background in front. */
export interface Scenario {
  readonly name: string;
  readonly steps: readonly Step[];
}

/** One step: its text without the keyword, and the table under it. */
export interface Step {
  readonly text: string;
  readonly table: readonly (readonly string[])[];
}

interface Block {
  readonly kind: "background" | "scenario" | "outline";
  readonly name: string;
  readonly steps: { text: string; table: string[][] }[];
  readonly examples: string[][][];
}

const cells = (line: string) =>
  line
    .replace(/^\|/, "")
    .replace(/\|$/, "")
    .split("|")
    .map((cell) => cell.trim());

/**
 * Reads as much Gherkin as OpenFeature's feature files use: Background, Scenario, Scenario Outline, Examples, tables,
 * tags, comments.
 */
export function readScenarios(source: string): Scenario[] {
  const blocks: Block[] = [];
  let rows: string[][] | undefined;
  for (const raw of source.split("\n")) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || line.startsWith("@")) continue;
    const head = /^(Feature|Background|Scenario Outline|Scenario|Examples):\s*(.*)$/.exec(line);
    const current = blocks.at(-1);
    if (head !== null) {
      const [, keyword, name = ""] = head;
      if (keyword === "Examples") current!.examples.push((rows = []));
      else if (keyword !== "Feature")
        blocks.push({
          kind: keyword === "Background" ? "background" : keyword === "Scenario" ? "scenario" : "outline",
          name,
          steps: [],
          examples: [],
        });
    } else if (line.startsWith("|")) {
      rows!.push(cells(line));
    } else if (/^(Given|When|Then|And|But) /.test(line)) {
      rows = [];
      current!.steps.push({ text: line.replace(/^\w+ /, ""), table: rows });
    } else {
      throw new Error(`not understood: ${line}`);
    }
  }
  const background = blocks.filter(({ kind }) => kind === "background").flatMap(({ steps }) => steps);
  return blocks.flatMap(({ kind, name, steps, examples }) => {
    if (kind === "background") return [];
    if (kind === "scenario") return [{ name, steps: [...background, ...steps] }];
    return examples.flatMap(([header = [], ...lines]) =>
      lines.map((line) => fill(name, [...background, ...steps], header, line)),
    );
  });
}

function fill(name: string, steps: readonly Step[], header: readonly string[], line: readonly string[]): Scenario {
  const put = (text: string) =>
    header.reduce((filled, column, index) => filled.replaceAll(`<${column}>`, line[index] ?? ""), text);
  return {
    name: `${name} (${line.join(", ")})`,
    steps: steps.map(({ text, table }) => ({ text: put(text), table: table.map((row) => row.map(put)) })),
  };
}
