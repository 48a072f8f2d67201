import { z } from 'zod';
import { Refusal } from '../base/errors.ts';
import { maskedPhone } from '../base/phone.ts';
import { shownLine } from '../base/text.ts';
import { type Actions, action, languages } from '../flow/action.ts';
import { personById } from './find.ts';
import { firstName } from './first-name.ts';
import { awaitDial, proveByCode, proveByDial, refuseDial, sendCode, waitingDial } from './link.ts';

const Phone = z.string().regex(/^254[17]\d{8}$/);
const nothing = z.object({});

export const peopleActions: Actions = {
  'people.speak': action({
    input: z.object({ language: z.enum(languages) }),
    output: z.object({ language: z.enum(languages) }),
    refusals: [],
    run: async (tx, { actor, input }) => {
      await tx
        .updateTable('people')
        .set({ language: input.language })
        .where('id', '=', actor.id)
        .execute();
      return { language: input.language };
    },
  }),

  'people.send_code': action({
    input: z.object({ phone: Phone }),
    output: nothing,
    refusals: ['too_many', 'confirmed', 'no_sms'],
    run: async (tx, { actor, input, sms }) => {
      if (!sms) throw new Refusal('no_sms');
      await sendCode(tx, actor, input.phone);
      return {};
    },
  }),

  'people.prove_by_code': action({
    input: z.object({ phone: Phone, code: z.string() }),
    output: z.object({ result: z.enum(['linked', 'wrong', 'over']), name: z.string() }),
    refusals: [],
    run: async (tx, { actor, input, keyed }) => {
      const result = await proveByCode(tx, keyed, actor, { ...input, msisdn: input.phone });
      return { result, name: firstName((await personById(tx, actor.id)).name ?? '') };
    },
  }),

  'people.await_dial': action({
    input: z.object({ phone: Phone }),
    output: nothing,
    refusals: ['too_many', 'confirmed'],
    run: async (tx, { actor, input }) => {
      await awaitDial(tx, actor, input.phone);
      return {};
    },
  }),

  'people.waiting_dial': action({
    input: nothing,
    output: z.object({ id: z.string(), whatsapp: z.string() }),
    refusals: ['over'],
    looks: true,
    run: async (tx, { actor }) => {
      const waiting = await waitingDial(tx, actor);
      if (!waiting) throw new Refusal('over');
      return { id: String(waiting.id), whatsapp: whoShows(waiting) };
    },
  }),

  'people.refuse_dial': action({
    input: nothing,
    output: nothing,
    refusals: [],
    run: async (tx, { actor }) => {
      await refuseDial(tx, actor);
      return {};
    },
  }),

  'people.prove_by_dial': action({
    input: z.object({ claim: z.string() }),
    output: nothing,
    refusals: ['over'],
    run: async (tx, { actor, input }) => {
      await proveByDial(tx, actor, BigInt(input.claim));
      return {};
    },
  }),
};

// An id of WhatsApp's own says nothing to anybody; a name is chosen by who bears it, so it is not
// let look like a number.
function whoShows({ whatsapp, name }: { whatsapp: string; name: string | null }): string {
  if (!whatsapp.endsWith('@lid')) return maskedPhone(whatsapp);
  return shownLine((name ?? '').replace(/[^\p{L} ]/gu, ''), 20) || 'xxx';
}
