import { z } from 'zod';
import { AmountCents, Code, LooseText, Receipt } from './payloads.ts';

const Parameter = z.object({ Key: z.string(), Value: z.unknown().optional() });

// A list, a single one, null, or not there.
const Parameters = z
  .object({
    ResultParameter: z
      .union([z.array(Parameter), Parameter.transform((one) => [one])])
      .nullish()
      .transform((list) => list ?? []),
  })
  .nullish()
  .transform((it) => it?.ResultParameter ?? []);

/**
 * What M-Pesa knows of a payment (the result of Transaction Status), in our own names. Of what
 * failed there is only its code. Keys are spelt in several ways, and one may be there twice.
 */
export const StatusResult = z
  .object({
    Result: z.object({
      ResultCode: Code.refine((code) => /^\w{1,20}$/.test(code), 'expected a result code'),
      ResultParameters: Parameters,
    }),
  })
  .transform(({ Result: it }) => {
    const values = (name: string) =>
      it.ResultParameters.filter(({ Key }) => plain(Key) === name).map(({ Value }) => Value);
    const first = <T>(name: string, schema: z.ZodType<T>): T | undefined =>
      values(name)
        .map((value) => schema.safeParse(value))
        .find((read) => read.success)?.data;
    const parties = [...values('debitpartyname'), ...values('creditpartyname')];
    return {
      code: it.ResultCode,
      receipt: first('receiptno', Receipt),
      amount_cents: first('amount', AmountCents),
      /** Such as "completed": in lower-case letters. */
      state: plain(first('transactionstatus', LooseText) ?? ''),
      payer: parties.map(partyFrom).find((party) => party !== undefined),
    };
  });
export type StatusResult = z.output<typeof StatusResult>;

// "Originator Conversation ID" and "FinalizedTime" are older spellings.
function plain(text: string): string {
  return text
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .toLowerCase()
    .replace('finalized', 'finalised');
}

/** "254722000000 - JANE WANJIKU": a number of twelve digits or what stands for it, and a name. */
function partyFrom(value: unknown): { msisdn_given: string; name: string | null } | undefined {
  const text = LooseText.safeParse(value).data ?? '';
  const [, msisdn_given = '', name = ''] =
    /^(254[\d* ]{6,14}?)(?:\s+[-–]\s+(.+))?$/.exec(text) ?? [];
  return msisdn_given === '' ? undefined : { msisdn_given, name: name || null };
}
