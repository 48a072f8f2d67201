import { z } from 'zod';
import { ProviderError } from '../base/errors.ts';
import { callDaraja, type DarajaApp, type Tokens } from './client.ts';

/** A shortcode in whose name M-Pesa can be asked about any of its payments. */
export interface Initiator extends DarajaApp {
  /** The shortcode. */
  number: string;
  name: string;
  /** The SecurityCredential: the initiator's password, encrypted for M-Pesa, in base64. */
  credential: string;
}

const Accepted = z.object({ ResponseCode: z.coerce.string() });

/**
 * Asks M-Pesa what it knows of a receipt (Transaction Status); the answer comes to `result_url`.
 * That it was taken says nothing of the initiator: a wrong one is refused there. Safe to repeat,
 * with a right credential. Throws ProviderError.
 */
export async function askStatus(
  tokens: Tokens,
  initiator: Initiator,
  it: { receipt: string; result_url: string; timeout_url: string },
): Promise<void> {
  const body = {
    Initiator: initiator.name,
    SecurityCredential: initiator.credential,
    CommandID: 'TransactionStatusQuery',
    TransactionID: it.receipt,
    PartyA: initiator.number,
    IdentifierType: '4',
    ResultURL: it.result_url,
    QueueTimeOutURL: it.timeout_url,
    Remarks: 'Status',
    Occasion: 'Status',
  };
  const path = '/mpesa/transactionstatus/v1/query';
  const read = Accepted.safeParse(await callDaraja(tokens, initiator, { path, body }));
  if (!read.success) throw new ProviderError('unknown', 'unreadable');
  if (!/^0+$/.test(read.data.ResponseCode)) {
    throw new ProviderError('refused', read.data.ResponseCode);
  }
}
