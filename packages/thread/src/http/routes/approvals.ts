import { HebraError } from "@hebra/core";
import { commonPrefix, reaches } from "../caller.ts";
import { approvalOf } from "../lookup.ts";
import { json } from "../problem.ts";
import { route } from "../route.ts";
import { approvalAnswer, approvalsAnswer, approvalsQuery, decisionBody, noQuery } from "../schemas.ts";
import { approvalView, pendingApprovals } from "../views.ts";

/** Conversations that one page looks at, when it does not say how many. */
const USUAL_PAGE = 50;

export const listApprovals = route({
  method: "GET",
  path: "/approvals",
  operationId: "listApprovals",
  summary:
    "Pending approvals of the caller's conversations. `limit` counts conversations; a page may be empty and have a cursor all the same. Approvals of forks are shown by their conversation.",
  right: "read",
  query: approvalsQuery,
  answers: { 200: { description: "A page.", schema: approvalsAnswer } },
  async serve({ host, caller, query }) {
    const { tenant } = caller;
    const keyPrefix = commonPrefix(caller);
    const page = await host.store.list(tenant, {
      status: "waiting",
      limit: Math.min(query.limit ?? USUAL_PAGE, host.limits.pageRows),
      ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
      ...(keyPrefix === "" ? {} : { keyPrefix }),
    });
    const approvals = [];
    for (const { key } of page.rows.filter((row) => reaches(caller, row.key))) {
      const snapshot = await host.store.load(tenant, { key });
      if (snapshot !== undefined) approvals.push(...pendingApprovals(snapshot));
    }
    return json(200, { approvals, cursor: page.cursor ?? null });
  },
});

export const decideApproval = route({
  method: "POST",
  path: "/approvals/{id}",
  operationId: "decideApproval",
  summary:
    "Decides an approval. `input` corrects the call's input; `output` says what a call that was cut off gave. The same decision again is no error.",
  right: "decide",
  query: noQuery,
  body: decisionBody,
  answers: { 200: { description: "The approval, decided.", schema: approvalAnswer } },
  async serve(call) {
    const { host, caller, body } = call;
    const { decision, input, output, comment } = body;
    const { approval, threadKey } = await approvalOf(call, call.params["id"]!);
    if (decision === "denied" && (input !== undefined || output !== undefined))
      throw new HebraError(
        "INVALID_OPTIONS",
        "The body is refused: only an approval that is `approved` takes `input` or `output`.",
      );
    const by = {
      tenant: caller.tenant,
      ...(caller.user === undefined ? {} : { by: caller.user }),
      ...(comment === undefined ? {} : { comment }),
    };
    const decided =
      decision === "denied"
        ? await host.engine.deny(approval.id, by)
        : await host.engine.approve(approval.id, {
            ...by,
            ...(input === undefined ? {} : { input }),
            ...(output === undefined ? {} : { output }),
          });
    const graph = await host.store.execution(caller.tenant, approval.executionId);
    return json(200, approvalView(threadKey, decided, graph?.calls ?? []));
  },
});
