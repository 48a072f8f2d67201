import { z } from 'zod';
import { type Actions, action, languages } from '../flow/action.ts';

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
};
