import { z } from 'zod';
import { Refusal } from '../base/errors.ts';
import { msisdnFrom } from '../base/phone.ts';
import { staff_roles } from '../base/schema.ts';
import { shownLine } from '../base/text.ts';
import { type Actions, action } from '../flow/action.ts';
import { knownAtNumber, namedPerson } from './at-number.ts';
import type { Belongings } from './belongings.ts';
import { hasOwnAccount, mayTakeNumber } from './change-number.ts';
import { numberOf, personById } from './find.ts';
import { firstName } from './first-name.ts';
import { needRole } from './need-role.ts';
import { proveOldNumber, sendOldCode } from './number-proof.ts';
import { longest_name, readStaffOrder, readTwo } from './read-request.ts';
import { askMerge, askNumber, askRole, nameOf } from './requests.ts';
import { Standing, standing } from './standing.ts';

const Role = z.enum(staff_roles);
const Asked = z.object({ ref: z.string(), asked: z.number() });
const in_the_way = ['not_allowed', 'nobody', 'other_open'] as const;

/** What admins ask of each other about persons, and what people prove of their numbers. */
export const staffActions = (belongings: Belongings): Actions => ({
  ...roleActions,
  ...mergeActions(belongings),
  ...numberActions(belongings),
});

const roleActions: Actions = {
  'people.read_staff': action({
    input: z.object({ text: z.string() }),
    output: z.object({
      role: Role,
      phone: z.string(),
      name: z.string().optional(),
      /** Nobody knows what they are called. */
      nameless: z.boolean(),
    }),
    refusals: ['unreadable', 'not_allowed'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const order = readStaffOrder(input.text);
      if (!order) throw new Refusal('unreadable');
      const there = await knownAtNumber(tx, order.msisdn);
      const known = there === undefined ? null : (await personById(tx, there)).name;
      const name = known ?? order.name;
      const named = name === undefined ? {} : { name };
      return { role: order.role, phone: order.msisdn, ...named, nameless: name === undefined };
    },
  }),

  'people.name_staff': action({
    input: z.object({
      phone: z.string(),
      name: z.string().optional(),
      typed_name: z.string().optional(),
    }),
    output: z.object({ who: z.string() }),
    refusals: ['not_allowed'],
    looks: true,
    run: (_, { actor, input }) => {
      needRole(actor, 'admin');
      const who = shownLine(input.typed_name ?? input.name ?? '', longest_name) || input.phone;
      return Promise.resolve({ who });
    },
  }),

  'people.ask_grant': action({
    input: z.object({ role: Role, phone: z.string(), name: z.string() }),
    output: Asked,
    refusals: [...in_the_way, 'has_role'],
    run: (tx, { actor, input: { role, phone: msisdn, name } }) => {
      needRole(actor, 'admin');
      return askRole(tx, { kind: 'grant', by: actor.id, role, msisdn, name });
    },
  }),

  'people.ask_revoke': action({
    input: z.object({ role: Role, phone: z.string() }),
    output: Asked,
    refusals: [...in_the_way, 'no_role', 'by_configuration', 'last_admin'],
    run: (tx, { actor, input: { role, phone: msisdn } }) => {
      needRole(actor, 'admin');
      return askRole(tx, { kind: 'revoke', by: actor.id, role, msisdn });
    },
  }),
};

const mergeActions = (belongings: Belongings): Actions => ({
  'people.read_merge': action({
    input: z.object({ text: z.string() }),
    output: z.object({ keep: Standing, other: Standing }),
    refusals: ['unreadable', 'unknown', 'same', 'not_allowed'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const two = readTwo(input.text);
      if (!two) throw new Refusal('unreadable');
      const [keep, other] = [
        await namedPerson(tx, belongings, two[0]),
        await namedPerson(tx, belongings, two[1]),
      ];
      if (keep === other) throw new Refusal('same');
      return {
        keep: await standing(tx, belongings, keep),
        other: await standing(tx, belongings, other),
      };
    },
  }),

  'people.ask_merge': action({
    input: z.object({ keep: z.string(), other: z.string() }),
    output: Asked,
    refusals: [...in_the_way, 'same', 'works_here'],
    run: (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const [keep, other] = [BigInt(input.keep), BigInt(input.other)];
      return askMerge(tx, { by: actor.id, keep, other });
    },
  }),
});

const numberActions = (belongings: Belongings): Actions => ({
  'people.read_number': action({
    input: z.object({ text: z.string() }),
    output: z.object({ id: z.string(), who: z.string(), from: z.string(), to: z.string() }),
    refusals: ['unreadable', 'unknown', 'same', 'own_account', 'by_configuration', 'not_allowed'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const [whose = '', typed = ''] = readTwo(input.text) ?? [];
      const to = msisdnFrom(typed);
      if (to === undefined) throw new Refusal('unreadable');
      const owner = await namedPerson(tx, belongings, whose);
      const from = msisdnFrom(whose) ?? (await numberOf(tx, owner));
      if (from === undefined) throw new Refusal('unknown');
      if (from === to) throw new Refusal('same');
      await mayTakeNumber(tx, belongings, { owner, to });
      return { id: String(owner), who: (await nameOf(tx, owner)).who, from, to };
    },
  }),

  'people.ask_number': action({
    input: z.object({ person: z.string(), from: z.string(), to: z.string() }),
    output: Asked,
    refusals: [...in_the_way, 'own_account', 'by_configuration'],
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const { from, to } = input;
      const owner = BigInt(input.person);
      await mayTakeNumber(tx, belongings, { owner, to });
      return askNumber(tx, { by: actor.id, person_id: owner, from, to });
    },
  }),

  'people.my_number': action({
    input: z.object({}),
    output: z.object({ known: z.boolean(), in_use: z.boolean() }),
    refusals: [],
    looks: true,
    run: async (tx, { actor }) => ({
      known: (await numberOf(tx, actor.id)) !== undefined,
      in_use: await hasOwnAccount(tx, belongings, actor.id),
    }),
  }),

  'people.send_old_code': action({
    input: z.object({ old: z.string() }),
    output: z.object({}),
    refusals: ['not_understood', 'unproven', 'own_account', 'yours', 'too_many', 'no_sms'],
    run: async (tx, { actor, input, sms }) => {
      if (!sms) throw new Refusal('no_sms');
      await sendOldCode(tx, belongings, actor, input.old);
      return {};
    },
  }),

  'people.prove_old_number': action({
    input: z.object({ old: z.string(), code: z.string() }),
    output: z.object({
      result: z.enum(['changed', 'wrong', 'over', 'own_account']),
      name: z.string(),
    }),
    refusals: ['over'],
    run: async (tx, { actor, input, keyed }) => {
      const { old: typed, code } = input;
      const result = await proveOldNumber(tx, belongings, { actor, keyed, typed, code });
      return { result, name: firstName((await personById(tx, actor.id)).name ?? '') };
    },
  }),
});
