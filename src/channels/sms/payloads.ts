import { z } from 'zod';
import { msisdnFrom } from '../../base/phone.ts';
import { shownText } from '../../base/text.ts';

/** What Africa's Talking posts about SMS: forms, each posted again until it is answered 200. */

const longest_text = 1_600;

const Msisdn = z
  .string()
  .transform((text) => msisdnFrom(text) ?? '')
  .refine((number) => number !== '', 'not a Kenyan mobile number');

const Id = z.string().regex(/^[\x21-\x7e]{1,180}$/);

/** What a person wrote to the business. */
export const InboundSms = z.object({
  id: Id,
  from: Msisdn,
  text: z.string().transform((text) => shownText(text, longest_text)),
});
export type InboundSms = z.output<typeof InboundSms>;

/** How far an SMS of ours has come. */
export const DeliveryReport = z.object({
  id: Id,
  status: z.string().min(1).max(40),
  failureReason: z.string().max(80).optional().catch(undefined),
});
export type DeliveryReport = z.output<typeof DeliveryReport>;

/** Somebody who wants no more SMS of ours; Africa's Talking sends them none from now on. */
export const OptOut = z.object({ phoneNumber: Msisdn });

/** The outcome of a report; undefined while the message is still on its way. */
export function outcomeOf({ status }: DeliveryReport): 'delivered' | 'failed' | undefined {
  if (status === 'Success') return 'delivered';
  const over = ['Failed', 'Rejected', 'Expired', 'AbsentSubscriber'].includes(status);
  return over ? 'failed' : undefined;
}

/** A form's fields; of a field that comes twice the first. */
export function readForm(body: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(body)) fields[name] ??= value;
  return fields;
}
