import type { Role } from '../base/schema.ts';
import { Refusal } from '../base/errors.ts';
import type { Actor } from '../flow/action.ts';

/** Refuses whoever does not hold the role: the rule is here, whatever a flow's `needs` says. */
export function needRole(actor: Actor, role: Role): void {
  if (!actor.roles.includes(role)) throw new Refusal('not_allowed');
}
