import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { z } from 'zod';
import { clock, toDarajaTime } from '../base/clock.ts';
import type { Callbacks } from './callbacks.ts';
import { Address, loseAnswer, readCall, refuse, Shortcode, too_fast } from './daraja-call.ts';
import { type Roll, strikes } from './faults.ts';
import { limited } from './requests.ts';
import { type Asked, statusResultBody } from './status-result.ts';
import type { Tokens } from './tokens.ts';
import type { Truth } from './truth.ts';

const Loose = z.union([z.string(), z.number()]).transform(String);

// The first field that is wrong is the one that the refusal names, so their order counts.
const StatusQuery = z.object({
  Initiator: z.string().min(1),
  SecurityCredential: z.string().min(1),
  CommandID: z.literal('TransactionStatusQuery'),
  TransactionID: Loose.optional(),
  OriginalConversationID: Loose.optional(),
  PartyA: Shortcode,
  IdentifierType: Loose.refine((type) => type === '4'),
  ResultURL: Address,
  QueueTimeOutURL: Address,
  Remarks: z.string().min(2).max(100),
  Occasion: z.string().max(100).optional(),
});

/** Daraja's path of Transaction Status: acknowledged at once, answered at the address given. */
export function statusRoutes(
  truth: Truth,
  { tokens, callbacks }: { tokens: Tokens; callbacks: Callbacks },
): Hono {
  const routes = new Hono();

  routes.post('/mpesa/transactionstatus/v1/query', limited, async (c) => {
    const body = await readCall(c, tokens, StatusQuery);
    if ('errorCode' in body) return refuse(c, body);
    const roll: Roll = { kind: 'query', n: truth.state.rolled.query };
    const { faults } = truth.state;
    await truth.record({ kind: 'rolled', of: 'query' });
    if (strikes(faults, 'refuse', roll)) return refuse(c, too_fast);
    const asked: Asked = {
      conversation_id: `AG_${toDarajaTime(clock.now()).slice(0, 8)}_${randomUUID().slice(-12)}`,
      originator_id: randomUUID(),
      receipt: body.TransactionID,
      shortcode: body.PartyA,
      // Nobody looks at it before the answer.
      proven: isCredential(body.SecurityCredential),
      names_any: (body.TransactionID ?? body.OriginalConversationID) !== undefined,
    };
    const result: Roll = { kind: 'result', n: truth.state.rolled.result };
    await truth.record({ kind: 'rolled', of: 'result' });
    const url = body.ResultURL;
    const headers = { 'content-type': 'application/json' };
    void callbacks.send({ url, body: statusResultBody(truth, asked), headers }, result);
    if (strikes(faults, 'lost_response', roll)) return loseAnswer(c);
    return c.json({
      OriginatorConversationID: asked.originator_id,
      ConversationID: asked.conversation_id,
      ResponseCode: '0',
      ResponseDescription: 'Accept the service request successfully.',
    });
  });

  return routes;
}

// What the certificate encrypted is base64; what is none was made with another, or not at all.
function isCredential(text: string): boolean {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0;
}
