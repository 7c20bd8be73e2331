import { parser } from "@prometheus-io/lezer-promql";
import type { Series } from "./metric-names.ts";

type Node = ReturnType<ReturnType<typeof parser.parse>["cursor"]>["node"];

/** What Grafana puts in before it asks. */
const filledIn = (query: string) => query.replaceAll("$__rate_interval", "5m").replaceAll("$__all", ".*");

/** What is wrong with a query: that it cannot be read, or asks for what no process has. */
export function queryProblems(query: string, known: Series): string[] {
  const text = filledIn(query);
  const problems: string[] = [];
  const textOf = (node: Node) => text.slice(node.from, node.to);
  const inside = (node: Node, name: string): Node[] => {
    const found: Node[] = [];
    node.cursor().iterate((at) => {
      if (at.name === name) found.push(at.node);
    });
    return found;
  };
  const nameOf = (selector: Node) => textOf(inside(selector, "Identifier")[0]!);
  const tree = parser.parse(text).topNode;
  tree.cursor().iterate((at) => {
    if (at.type.isError) problems.push(`cannot be read at ${at.from}: ${text}`);
  });
  if (problems.length > 0) return problems;
  const selectors = inside(tree, "VectorSelector");
  if (selectors.length === 0) problems.push(`asks for nothing: ${text}`);
  for (const selector of selectors) {
    const name = nameOf(selector);
    const labels = known.get(name);
    if (labels === undefined) {
      problems.push(`no process has ${name}`);
      continue;
    }
    for (const label of inside(selector, "LabelName").map(textOf))
      if (!labels.has(label)) problems.push(`${name} has no label ${label}`);
  }
  for (const aggregate of inside(tree, "AggregateExpr")) {
    const modifier = aggregate.getChild("AggregateModifier");
    const labels = modifier === null ? [] : inside(modifier, "LabelName").map(textOf);
    for (const name of inside(aggregate, "VectorSelector").map(nameOf)) {
      for (const label of labels)
        if (known.get(name)?.has(label) === false) problems.push(`${name} has no label ${label} to be grouped by`);
    }
  }
  return problems;
}

/** The series that a query asks for. */
export function seriesIn(query: string): string[] {
  const text = filledIn(query);
  const found: string[] = [];
  parser
    .parse(text)
    .cursor()
    .iterate((at) => {
      if (at.name === "VectorSelector") found.push(/^[a-zA-Z_:][\w:]*/.exec(text.slice(at.from, at.to))?.[0] ?? "");
    });
  return found;
}
