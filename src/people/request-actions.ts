import { z } from 'zod';
import type { Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { staff_roles } from '../base/schema.ts';
import { shownLine } from '../base/text.ts';
import { type Actions, action } from '../flow/action.ts';
import type { Belongings } from './belongings.ts';
import { approveRequest, refuseRequest } from './decide.ts';
import { needRole } from './need-role.ts';
import { inWords, type PeopleRequest, requestOf, waitingRequests } from './requests.ts';
import { Standing, standing } from './standing.ts';

const Line = z.object({ id: z.string(), ref: z.string(), who: z.string() });

const not_approved = [
  'decided',
  'own_request',
  'about_you',
  'has_role',
  'no_role',
  'by_configuration',
  'last_admin',
  'own_account',
  'over',
  'not_allowed',
] as const;

/** What another admin does with what one has asked for. */
export const requestActions = (belongings: Belongings): Actions => ({
  'people.requests': action({
    input: z.object({}),
    output: z.object({ count: z.number(), requests: z.array(Line) }),
    refusals: ['none', 'not_allowed'],
    looks: true,
    run: async (tx, { actor, question }) => {
      needRole(actor, 'admin');
      const all = await waiting(tx, actor.id, question);
      if (all.length === 0) throw new Refusal('none');
      const requests = [];
      for (const it of all) requests.push({ id: String(it.id), ...(await inWords(tx, it)) });
      return { count: requests.length, requests };
    },
  }),

  'people.request': action({
    // The one that a question is about, the only one, or one that was chosen.
    input: z.object({ id: z.string().optional() }),
    output: Line.extend({
      kind: z.enum(['grant', 'revoke', 'merge', 'number']),
      role: z.enum([...staff_roles, 'none']),
      asker: z.string(),
      phone: z.string(),
      new_phone: z.string(),
      two: z.object({ keep: Standing, other: Standing }).optional(),
    }),
    refusals: ['decided', 'not_allowed'],
    looks: true,
    run: async (tx, { actor, input, question }) => {
      needRole(actor, 'admin');
      const all = await waiting(tx, actor.id, question);
      const it = all.find(({ id }) => input.id === undefined || String(id) === input.id);
      if (!it) throw new Refusal('decided');
      return shown(tx, belongings, it);
    },
  }),

  'people.approve': action({
    input: z.object({ request: z.string(), code: z.string() }),
    output: z.object({
      result: z.enum(['right', 'wrong', 'used', 'locked', 'none']),
      /** Tries that are left after a wrong one. */
      left: z.number(),
      minutes: z.number(),
    }),
    refusals: [...not_approved, 'works_here'],
    run: async (tx, { actor, input, keyed }) => {
      needRole(actor, 'admin');
      const it = { id: BigInt(input.request), by: actor.id, code: input.code, keyed };
      return { left: 0, minutes: 0, ...(await approveRequest(tx, belongings, it)) };
    },
  }),

  'people.refuse': action({
    input: z.object({ request: z.string(), reason: z.string() }),
    output: z.object({}),
    refusals: ['decided', 'own_request', 'about_you', 'not_allowed'],
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const reason = shownLine(input.reason, 120);
      await refuseRequest(tx, { id: BigInt(input.request), by: actor.id, reason });
      return {};
    },
  }),
});

async function waiting(tx: Tx, actor_id: bigint, question: string | undefined) {
  const all = await waitingRequests(tx, actor_id);
  const asked = requestOf(question ?? '');
  return asked === undefined ? all : all.filter(({ id }) => id === asked);
}

async function shown(tx: Tx, belongings: Belongings, it: PeopleRequest) {
  const two =
    it.other_id === null
      ? {}
      : {
          two: {
            keep: await standing(tx, belongings, it.person_id),
            other: await standing(tx, belongings, it.other_id),
          },
        };
  return {
    id: String(it.id),
    ...(await inWords(tx, it)),
    kind: it.kind,
    role: it.role ?? ('none' as const),
    ...two,
  };
}
