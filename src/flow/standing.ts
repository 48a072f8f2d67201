import type { Actions } from './action.ts';
import { type Flow, type Flows, isSecret, type Step } from './definition.ts';
import { askedAt, type Context, type Place, type Session } from './session.ts';

/** Where a session stands in the files of today, and whether it is still open. */

/** The place of a session, and the session as it is gone on with there. */
export interface Standing {
  place: Place;
  session: Session;
}

/**
 * Finds the content of the file that the session began on. When that is gone, it goes on in today's
 * if the author has said what the steps are called now; otherwise undefined.
 */
export function standingOf(flows: Flows, session: Session, ctx: Context): Standing | undefined {
  const flow = contentOf(flows, session);
  if (flow) return { place: { flows, flow, ctx }, session };
  const now = flows.flows.get(session.flow);
  const moved = now && movedTo(now, session, flows.actions);
  return moved && { place: { flows, flow: now, ctx }, session: moved };
}

/** The flow as it was when this was begun, if that is still known. */
export function contentOf(
  flows: Flows,
  { flow, hash }: Pick<Session, 'flow' | 'hash'>,
): Flow | undefined {
  if (flow === flows.guess.name) return flows.guess;
  const now = flows.flows.get(flow);
  return now?.hash === hash ? now : flows.earlier.get(hash);
}

// Only a question can be gone on with, and only where all that it may need is there.
function movedTo(flow: Flow, session: Session, actions: Actions): Session | undefined {
  const { renamed } = flow;
  if (!renamed || session.callers) return undefined;
  const today = (name: string) => renamed.get(name) ?? name;
  const at = today(session.at);
  const step = flow.steps.get(at);
  if (step?.kind !== 'ask') return undefined;
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(session.values)) {
    const now = today(name);
    const fitting = fittingValue(flow, actions, now, value);
    if (fitting !== undefined) values[now] = fitting;
  }
  const needed = Array.from(flow.sure.get(at) ?? []);
  if (needed.some((name) => !(name in values) && !isSecretStep(flow.steps.get(name)))) {
    return undefined;
  }
  const trail = session.trail.map((it) =>
    typeof it === 'string' ? today(it) : { at: today(it.at), said: it.said?.map(today) },
  );
  const tries = Object.entries(session.tries ?? {}).map(([name, count]) => [today(name), count]);
  return {
    ...session,
    hash: flow.hash,
    at,
    values,
    said: session.said?.map(today),
    trail: trail.filter((it) => flow.steps.get(askedAt(it))?.kind === 'ask'),
    tries: Object.fromEntries(tries) as Session['tries'],
  };
}

// What an action gave is held against what the action of today says that it gives.
function fittingValue(flow: Flow, actions: Actions, name: string, value: unknown): unknown {
  for (const step of flow.steps.values()) {
    if (step.kind !== 'do' || step.as !== name) continue;
    const read = actions[step.action]?.output.safeParse(value);
    return read?.success ? read.data : undefined;
  }
  return flow.steps.get(name)?.kind === 'ask' ? value : undefined;
}

function isSecretStep(step: Step | undefined): boolean {
  return step?.kind === 'ask' && isSecret(step);
}

// After the author's time: a question of last week is nobody's any more.
const longest_ms = 24 * 60 * 60 * 1000;

/**
 * Whether nothing was heard for longer than the flow waits, and so what its `idle` says holds;
 * `over` when that is too long ago for anything.
 */
export function lateness({ place, session }: Standing): 'in_time' | 'late' | 'over' {
  const { idle } = place.flow;
  const silent_ms = place.ctx.now.getTime() - session.heard_at_ms;
  const after_ms = idle.after_ms[place.ctx.channel];
  if (silent_ms <= after_ms) return 'in_time';
  return silent_ms <= after_ms + longest_ms ? 'late' : 'over';
}
