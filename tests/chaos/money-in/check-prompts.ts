import { shortcodes } from './plan.ts';
import type { Told } from './story.ts';
import type { Happened } from './world.ts';

export interface PromptRow {
  reference: string;
  state: string;
  result_code: string | null;
  /** Of the payment that it was paid by. */
  receipt: string | null;
}

/** Whether each prompt has come to the end that M-Pesa saw. */
export function checkPrompts(
  truth: Happened[],
  prompts: PromptRow[],
  { asked, given_up }: Told,
): { findings: string[]; figures: Record<string, number> } {
  const happened = new Set(truth.map((it) => it.receipt));
  const findings: string[] = [];
  const figures: Record<string, number> = { prompts: prompts.length };
  const count = (what: string) => (figures[what] = (figures[what] ?? 0) + 1);
  for (const { reference, state, result_code, receipt } of prompts) {
    const known = asked.get(reference);
    if (!known) findings.push(`nobody has asked for ${reference}`);
    const { act, ended } = known ?? {};
    const paid = ended?.receipt;
    const how = `${reference} is ${state} ${result_code ?? ''} by ${receipt}, M-Pesa: ${ended?.result_code} ${paid}`;
    if (paid !== undefined && !happened.has(paid)) findings.push(`${how}, which it does not have`);
    if (paid !== undefined && state === 'paid' && receipt === paid) {
      count(given_up.has(reference) ? 'prompts paid late' : 'prompts paid');
    } else if (paid === undefined && state === 'failed') {
      count(`prompts ended ${result_code}`);
    } else if (
      paid !== undefined &&
      act?.shortcode === shortcodes.till &&
      state === 'failed' &&
      (result_code === 'unseen' || result_code === 'silent')
    ) {
      // Nothing but its own callback says of a till's payment which prompt it was.
      count('prompts of tills whose receipt nobody told');
    } else {
      findings.push(how);
    }
  }
  for (const reference of asked.keys()) {
    if (!prompts.some((it) => it.reference === reference)) findings.push(`${reference} is gone`);
  }
  return { findings, figures };
}
